#!/usr/bin/env bash
# unit.sh BINARY: systemd's own judgement of config/systemd/onsale.service, without systemd running: it must be
# well-formed, and its exposure under 2 (systemd-analyze security; 0 is best, 10 worst). The unit's program is
# where it gets installed; for the judgement it is BINARY.
set -euo pipefail
unit=config/systemd/onsale.service
binary=$(readlink -f "${1:-build/onsale}")
exposure_max_tenths=19
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed "s|^ExecStart=/usr/local/bin/onsale|ExecStart=$binary|" "$unit" >"$folder/onsale.service"
if cmp -s "$unit" "$folder/onsale.service"; then
	echo "unit: ExecStart is not what was looked for" >&2
	exit 1
fi

# What verify says goes to its standard error, also where it takes it for no failure; what it says of the machine's
# other units is theirs.
status=0
said=$(systemd-analyze verify --man=no --recursive-errors=no "$folder/onsale.service" 2>&1) || status=$?
if [ "$status" != 0 ] || grep -q 'onsale\.service' <<<"$said"; then
	echo "unit: $said" >&2
	exit 1
fi
if ! said=$(systemd-analyze security --no-pager --offline=true --threshold=$exposure_max_tenths \
	"$folder/onsale.service"); then
	echo "$said" >&2
	exit 1
fi
tail -n 1 <<<"$said"
