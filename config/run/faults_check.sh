#!/usr/bin/env bash
# The checker is checked: each patch in tests/faults/bugs/ plants a bug in a copy of the tree, and a few short
# runs under load and faults must find that an invariant which the patch names is violated. The clean build
# passes with the same faults and seeds. Bugs of the locks in Redis, which PostgreSQL makes good in every sale, name
# tests of the live layer instead, of which one must fail, and all pass in the clean build. A patch that does not
# apply any more fails. test.sh calls this, in the environment that it makes for tests.
#
#   faults_check.sh RUNNER REPORT     BUG=name: that one alone; SEEDS=: tries for each, 3
set -euo pipefail

runner=$1
report=$2
seeds=${SEEDS:-3}
build=${BUILD:-build}
work=$(mktemp -d "$TMPDIR/bugs-XXXXXX")
good=0
bad=0
declare -A clean

trap 'rm -rf "$work"' EXIT

field() {
	sed -n "s/^$1: //p" "$2"
}

# plant BUG TARGET: a copy of the tree with what was built of it, so that only what the patch changes is built anew.
plant() {
	local copy=$work/$1
	mkdir -p "$copy/build" "$copy/tests"
	cp -a Makefile config db lock proto queue server "$copy/"
	cp -a tests/live tests/support "$copy/tests/"
	cp -a "$build/obj" "$build/libraries.mk" "$copy/build/"
	if ! patch --directory="$copy" --strip=1 --fuzz=0 --forward <"tests/faults/bugs/$1.patch" ||
		! make --no-print-directory -s -j2 --directory="$copy" BUILD=build SANITIZER= "$2"; then
		return 1
	fi >"$work/built" 2>&1
}

# run_seed SERVER KINDS SEED: prints what was said.
run_seed() {
	ONSALE_TEST_SERVER=$1 KINDS=$2 SEED=$3 MINUTES=0 INSTANCES=2 \
		timeout -k 5 180 "$runner" --filter 'faults/*' 2>&1
}

clean_passes() {
	local run="$1 $2"
	if [ -z "${clean[$run]:-}" ]; then
		clean[$run]=no
		if run_seed "$ONSALE_TEST_SERVER_PLAIN" "$1" "$2" >"$work/said"; then
			clean[$run]=yes
		else
			cat "$work/said" >&2
		fi
	fi
	[ "${clean[$run]}" = yes ]
}

# The invariants that a run found violated, and that the patch names.
caught_by() {
	sed -n 's/^violated invariant \([0-9]*\): .*/\1/p' "$work/said" | while read -r number; do
		[[ ",$1," != *",$number,"* ]] || echo "$number"
	done | paste -sd' '
}

# run_tests PROGRAM TESTS: prints what was said.
run_tests() {
	timeout -k 5 180 "$1" -j2 --filter "@(${2//,/|})" 2>&1
}

judge_by_tests() {
	local name=$1 tests=$2 clean_program failed
	clean_program=$(readlink -f "$build/tests/live")
	if ! run_tests "$clean_program" "$tests" >"$work/said"; then
		cat "$work/said" >&2
		echo "the clean build fails"
		return 1
	fi
	run_tests "$work/$name/build/tests/live" "$tests" >"$work/said" || true
	failed=$(sed -n 's/^\[FAIL\] \([a-z]*\)::\([a-z_]*\):.*/\1\/\2/p' "$work/said" | paste -sd' ')
	if [ -z "$failed" ]; then
		cat "$work/said" >&2
		echo "not caught"
		return 1
	fi
	echo "caught by $failed"
}

judge_by_invariants() {
	local name=$1 patch=tests/faults/bugs/$1.patch invariants kinds seed caught
	invariants=$(field Invariant "$patch")
	kinds=$(field Kinds "$patch")
	for ((seed = 1; seed <= seeds; seed++)); do
		run_seed "$work/$name/build/onsale" "$kinds" "$seed" >"$work/said" || true
		caught=$(caught_by "$invariants")
		if ! clean_passes "$kinds" "$seed"; then
			echo "the clean build fails with seed $seed"
			return 1
		elif [ -n "$caught" ]; then
			echo "caught by invariant $caught with seed $seed"
			return 0
		fi
	done
	tail -n 20 "$work/said" >&2
	echo "not caught with $seeds seeds"
	return 1
}

judge() {
	local name=$1 tests target=all
	tests=$(field Tests "tests/faults/bugs/$name.patch")
	[ -z "$tests" ] || target=build/tests/live
	if ! plant "$name" "$target"; then
		cat "$work/built" >&2
		echo "not built"
		return 1
	fi
	if [ -n "$tests" ]; then
		judge_by_tests "$name" "$tests"
	else
		judge_by_invariants "$name"
	fi
}

: >"$report"
for patch in tests/faults/bugs/${BUG:-*}.patch; do
	name=$(basename "$patch" .patch)
	status=0
	judge "$name" >"$work/verdict" || status=$?
	verdict=$(<"$work/verdict")
	printf '%-28s %s\n' "$name" "$verdict"
	if [ "$status" = 0 ]; then
		good=$((good + 1))
		echo "ok $((good + bad)) - $name: $verdict" >>"$report"
	else
		bad=$((bad + 1))
		echo "not ok $((good + bad)) - $name: $verdict" >>"$report"
	fi
	rm -rf "${work:?}/$name"
done
printf '1..%d\n# pass %d\n# fail %d\n' $((good + bad)) "$good" "$bad" >>"$report"
[ "$bad" = 0 ]
