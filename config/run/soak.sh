#!/usr/bin/env bash
# The long run: two instances of the plain build under a mixed load, on a private Redis and PostgreSQL.
#
#   soak.sh memory      MINUTES of it: resident memory and descriptors must not grow after the warm-up
#   soak.sh valgrind    half a minute's worth of it under memcheck: no error, nothing lost at the end
#
# Under valgrind a server ends with status 86 where memcheck found anything, and the run fails by that; what
# it found is in the folder that TEST_DIR names (.test). Builds without a sanitizer only: both tools want the
# program as it is shipped. Memory that is lost under the sanitizers fails each layer of `make test` by itself.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

build=${BUILD:-build}
output=$(readlink -m "${TEST_DIR:-.test}")/soak
stores=
child=

clean_up() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	# What the run started ends with it: the kernel sees to that.
	[ -z "$child" ] || { kill -KILL "$child" 2>/dev/null && wait "$child"; } || true
	if [ -n "$stores" ]; then
		config/run/stores.sh wipe "$stores"
		rm -rf "$stores"
	fi
	exit "$status"
}

# In the background, so that a signal is heeded while it runs.
run() {
	local status=0
	"$@" &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

start_stores() {
	local urls
	stores=$(config/run/stores.sh throwaway)
	urls=$(config/run/stores.sh urls "$stores")
	eval "$urls"
	export ONSALE_TEST_DATABASE_URL=$DATABASE_URL ONSALE_TEST_REDIS_URL=$REDIS_URL
	unset DATABASE_URL REDIS_URL
	mkdir -p "$stores/tmp"
	chmod 711 "$stores/tmp"
	export TMPDIR=$stores/tmp
}

# The server as the tests start it, but under memcheck. Blocks that are still reachable at the end belong to
# libraries that keep them for their whole life.
write_valgrind_server() {
	cat >"$stores/onsale" <<-END
		#!/bin/sh
		exec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect \\
			--errors-for-leak-kinds=definite,indirect --error-exitcode=86 \\
			--log-file='$output/valgrind.%p' '$(readlink -f "$build/onsale")' "\$@"
	END
	chmod +x "$stores/onsale"
	export ONSALE_TEST_SERVER=$stores/onsale
}

case ${1:-} in
memory) test=soak/memory ;;
valgrind) test=soak/valgrind ;;
*) sed -n '4,5s/^# *//p' "$0" >&2 && exit 2 ;;
esac
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
config/run/packages.sh run test soak
run make --no-print-directory -s -j2 BUILD="$build" SANITIZER= all "$build/tests/soak"
rm -rf "$output"
mkdir -p "$output"
start_stores
ONSALE_TEST_ROOT=$PWD
ONSALE_TEST_SERVER=$(readlink -f "$build/onsale")
export ONSALE_TEST_ROOT ONSALE_TEST_SERVER SOAK_MINUTES=${MINUTES:-30}
[ "$1" = memory ] || write_valgrind_server
ulimit -n "$(ulimit -H -n)"
run "$build/tests/soak" -j1 --filter "$test"
if [ "$1" = valgrind ]; then
	find "$output" -name 'valgrind.*' -size +0 -exec cat {} + | tee "$output/found" >&2
	[ ! -s "$output/found" ] || exit 1
	echo "valgrind: $(find "$output" -name 'valgrind.*' | wc -l) runs of the server, 0 errors, 0 bytes lost"
fi
