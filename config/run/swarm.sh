#!/usr/bin/env bash
# make swarm: USERS people come to the running server within ten seconds, join the line of EVENT, poll as told,
# hold a seat of PERFORMANCE and pay; ended after LIMIT seconds or Ctrl-C, wherever they stand then.
# RUN_DIR is that of the make run whose server it is: there it learns the port and makes the people.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
run_dir=$(readlink -m "${RUN_DIR:-.run}")
build=${BUILD:-build}
users=${USERS:-1000}
people=

die() {
	echo "swarm: $*" >&2
	exit 1
}

clean_up() {
	[ -z "$people" ] || rm -f "$people"
}

case $users in '' | *[!0-9]* | 0*) die "USERS=$users is not a number of people" ;; esac
[ -r "$run_dir/env" ] || die "nothing runs in ${RUN_DIR:-.run}: say make run first, in another shell"
set -a
# shellcheck source=/dev/null
. "$run_dir/env"
set +a
url=http://127.0.0.1:$ONSALE_HTTP_PORT
curl -fs -o /dev/null -m 5 "$url/readyz" || die "nothing serves at $url: say make run first, in another shell"
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
flock --no-fork "$build/lock" make --no-print-directory -s BUILD="$build" "$build/swarm"
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
umask 077
people=$(mktemp)
"$build/onsale" users --count "$users" --balance 1000000 >"$people"
trap : INT # the swarm takes it, and still says how it was
"$build/swarm" walk --url "$url" --tokens "$people" --event "${EVENT:-1}" --performance "${PERFORMANCE:-1}" \
	--count "$users" --arrivals "$(((users + 9) / 10))" --seconds 10 --limit "${LIMIT:-120}"
