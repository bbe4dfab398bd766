#!/usr/bin/env bash
# make clean-run: wipes RUN_DIR, its stores' data included; not while a make run uses it.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
run_dir=$(readlink -m "${RUN_DIR:-.run}")

[ -d "$run_dir" ] || exit 0
# Only a folder that a make run made has these: another one is not ours to delete.
if [ ! -f "$run_dir/lock" ]; then
	echo "clean-run: $run_dir is not a folder of make run (it holds no lock file)" >&2
	exit 1
fi
exec 9>>"$run_dir/lock"
if ! flock -n 9; then
	echo "clean-run: a make run is using $run_dir (pid $(<"$run_dir/lock")); stop it first" >&2
	exit 1
fi
config/run/stores.sh wipe "$run_dir" 9>&-
rm -f "$run_dir/env" "$run_dir/env.new" "$run_dir/secrets" "$run_dir/secrets.new" \
	"$run_dir/lock"
rmdir --ignore-fail-on-non-empty "$run_dir"
