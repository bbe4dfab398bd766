#!/usr/bin/env bash
# storm.sh PROGRAM REPORT: the deadlock storm of tests/live/pairs.c for STORM_SECONDS in each of its forms, and once
# more against a copy of the tree in which holds lock their seats in no order: there PostgreSQL must have had deadlocks
# to break. test.sh calls this, in the environment that it makes for tests; PROGRAM is the live layer's.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

program=$1
report=$2
build=${BUILD:-build}
bug=hold_unordered
work=$(mktemp -d "$TMPDIR/storm-XXXXXX")
trap 'rm -rf "$work"' EXIT

# A copy of the rooms with what was built of them, so that only what the patch changes is built anew.
plant() {
	mkdir -p "$work/tree/build"
	cp -a Makefile config db lock proto queue server "$work/tree/"
	cp -a "$build/obj" "$build/libraries.mk" "$work/tree/build/"
	patch -s -d "$work/tree" -p1 --fuzz=0 --forward <"tests/isolation/bugs/$bug.patch"
	make --no-print-directory -s -j2 -C "$work/tree" BUILD=build SANITIZER= all
}

# storm SERVER FORM: what it said goes to the log.
storm() {
	ONSALE_TEST_SERVER=$1 "$program" -j1 --filter "pairs/storm_$2" >"$work/log" 2>&1
}

rounds() {
	sed -nE 's/^(.* )?([0-9]+ rounds of .*)$/\2/p' "$work/log"
}

say() {
	echo "$1" | tee -a "$report"
}

judge_clean() {
	if storm "$ONSALE_TEST_SERVER_PLAIN" "$1"; then
		say "ok - $1: no deadlock; $(rounds)"
	else
		tail -n 20 "$work/log" >&2
		say "not ok - $1; $(rounds)"
	fi
}

judge_bug() {
	local deadlocks=0
	# It fails, and a test that fails frees nothing.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 storm "$work/tree/build/onsale" "$1" || true
	deadlocks=$(sed -nE 's/.*PostgreSQL had to break ([0-9]+) deadlocks.*/\1/p' "$work/log" | head -n 1)
	if [ "${deadlocks:-0}" -gt 0 ]; then
		say "ok - $1 with $bug: $deadlocks deadlocks; $(rounds)"
	else
		tail -n 20 "$work/log" >&2
		say "not ok - $1 with $bug: no deadlock was seen; $(rounds)"
	fi
}

: >"$report"
export STORM_SECONDS=${STORM_SECONDS:-60}
plant
judge_clean with_redis
judge_clean without_locks_in_redis
judge_bug without_locks_in_redis
good=$(grep -c '^ok' "$report" || true)
bad=$(grep -c '^not ok' "$report" || true)
printf '# pass %s\n# fail %s\n' "$good" "$bad" >>"$report"
[ "$bad" = 0 ]
