#!/usr/bin/env bash
# Runs the fuzz targets of tests/fuzz, each a libFuzzer program built by clang under AddressSanitizer and UBSan.
#
#   fuzz.sh build            builds them
#   fuzz.sh run              RUNS executions of each target (TARGET: of one), with a table of counts at the end
#   fuzz.sh test FOLDER      what was built, for a minute in all; report and what failed are in FOLDER
#   fuzz.sh coverage         the share of each parser's lines that the corpus of the repository runs
#   fuzz.sh merge            what `run` found goes into the corpus, where it reaches what the corpus does not
#
# Inputs that are known to reach something are in tests/fuzz/corpus/TARGET; what a run finds goes to
# .fuzz/TARGET, and what breaks a target to .fuzz/TARGET.broken-*. `build-fuzz/fuzz/TARGET FILE` runs it again.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

build='build-fuzz'
covered='build-fuzz-coverage'
found=.fuzz
runs=${RUNS:-10000000}
test_seconds=60
shares=2
covered_least=90

# What counts as a parser, for the coverage.
parsers=(proto/base/base64url.c proto/http.c proto/header.c proto/json.c proto/jwt.c proto/jws.c proto/idp.c proto/public_key.c proto/token.c
	config/settings.c config/mask.c proto/address.c proto/cors.c proto/email.c proto/proof.c proto/shuffle.c
	proto/gzip.c proto/base/clock.c db/redis_url.c db/resp.c db/pg_params.c db/pg_rows.c server/page.c)

die() {
	echo "fuzz: $*" >&2
	exit 1
}

newest() {
	command -v "$1-14" || command -v "$1-19" || command -v "$1" || die "there is no $1"
}

targets() {
	local file name
	for file in tests/fuzz/*.c; do
		name=$(basename "$file" .c)
		[ "$name" != support ] || continue
		# shellcheck disable=SC2254 # a pattern is wanted
		case $name in ${TARGET:-*}) echo "$name" ;; esac
	done
}

# Warnings are told by gcc, in the other builds: another clang knows others.
programs() {
	local folder=$1
	shift
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u SANITIZER \
		make --no-print-directory -s -j2 CC="$(newest clang)" WARNINGS=-w BUILD="$folder" "$@" fuzz-programs
}

build_sanitized() {
	programs "$build" SANITIZER=fuzzer-no-link,address,undefined
}

# libFuzzer's own report is the log: no sanitizer writes elsewhere.
fuzz() {
	local target=$1 dictionary=()
	shift
	[ ! -f "tests/fuzz/$target.dict" ] || dictionary=("-dict=tests/fuzz/$target.dict")
	ASAN_OPTIONS=detect_stack_use_after_return=1:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS='' \
		"$build/fuzz/$target" "${dictionary[@]}" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 "$@"
}

# The number behind "stat::NAME:" in libFuzzer's log.
stat_of() {
	sed -nE "s/^stat::$1: +([0-9]+)$/\1/p" "$2" | tail -n 1
}

run_long() {
	local target log status=0 failed=0
	mkdir -p "$found"
	for target in $(targets); do
		mkdir -p "$found/$target"
		log=$found/$target.log
		echo "fuzz: $target, $runs executions"
		status=0
		fuzz "$target" -runs="$runs" -artifact_prefix="$found/$target.broken-" \
			"$found/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
		if [ "$status" != 0 ]; then
			tail -n 40 "$log" >&2
			failed=$((failed + 1))
		fi
		printf '%s: %s executions, %s a second, %s\n' "$target" "$(stat_of number_of_executed_units "$log")" \
			"$(stat_of average_exec_per_sec "$log")" "$([ "$status" = 0 ] && echo well || echo BROKEN)"
	done
	[ "$failed" = 0 ] || die "$failed targets broken; their inputs are in $found"
}

# judge_target FOLDER SECONDS TARGET: prints a line of the report. It works on a copy of the corpus.
judge_target() {
	local folder=$1/fuzz/$3 status=0 executed
	mkdir -p "$folder/found"
	fuzz "$3" -max_total_time="$2" -artifact_prefix="$folder/broken-" "$folder/found" "tests/fuzz/corpus/$3" \
		>"$folder/log" 2>&1 || status=$?
	executed=$(stat_of number_of_executed_units "$folder/log")
	if [ "$status" = 0 ] && [ "${executed:-0}" -gt 0 ]; then
		echo "ok - $3, $executed executions"
		rm -rf "$folder"
	else
		echo "not ok - $3: see $folder"
		tail -n 30 "$folder/log" >&2
	fi
}

# Each target gets its share of the minute; two run at a time.
run_test() {
	local output=$1 all=() bad share target
	mapfile -t all < <(targets)
	[ "${#all[@]}" -gt 0 ] || die "there is no target like ${TARGET:-}"
	for ((share = 1; share <= shares; share++)); do
		while read -r target; do
			judge_target "$output" $((test_seconds / ${#all[@]})) "$target"
		done < <(printf '%s\n' "${all[@]}" | sed -n "$share~${shares}p") &
	done | tee "$output/fuzz.tap"
	bad=$((${#all[@]} - $(grep -c '^ok' "$output/fuzz.tap" || true)))
	printf '# pass %s\n# fail %s\n' "$((${#all[@]} - bad))" "$bad" >>"$output/fuzz.tap"
	[ "$bad" = 0 ]
}

show_coverage() {
	local target objects=() profiles status=0
	programs "$covered" SANITIZER= CFLAGS='-fprofile-instr-generate -fcoverage-mapping'
	profiles=$(mktemp -d)
	for target in $(targets); do
		LLVM_PROFILE_FILE=$profiles/$target.raw "$covered/fuzz/$target" -runs=0 \
			"tests/fuzz/corpus/$target" >/dev/null 2>&1 || die "$target fails on its corpus"
		[ "${#objects[@]}" = 0 ] || objects+=(-object)
		objects+=("$covered/fuzz/$target")
	done
	"$(newest llvm-profdata)" merge -o "$profiles/all" "$profiles"/*.raw
	"$(newest llvm-cov)" report -instr-profile="$profiles/all" "${objects[@]}" "${parsers[@]}" |
		judge_coverage || status=1
	rm -rf "$profiles"
	return "$status"
}

# A line a parser, off llvm-cov's table; false where one is under what is wanted, or is not in the table.
judge_coverage() {
	awk -v wanted="${#parsers[@]}" -v least="$covered_least" '
		$1 ~ /\.c$/ {
			share = 100 * ($8 - $9) / $8
			printf "%-24s %5.1f %% of %d lines%s\n", $1, share, $8, share < least ? ": too few" : ""
			bad += share < least
			seen++
		}
		END { exit bad > 0 || seen != wanted }'
}

# Of what was found only that which reaches an edge of the code that nothing in the corpus does.
merge_found() {
	local target
	build_sanitized
	for target in $(targets); do
		[ -d "$found/$target" ] || continue
		fuzz "$target" -set_cover_merge=1 -use_counters=0 "tests/fuzz/corpus/$target" "$found/$target" \
			>"$found/$target.merge.log" 2>&1 || die "the merge of $target failed: $found/$target.merge.log"
		echo "$target: $(find "tests/fuzz/corpus/$target" -type f | wc -l) files"
	done
}

case ${1:-} in
build | run | test | coverage | merge) config/run/packages.sh run fuzz ;;
*) sed -n '4,8s/^# *//p' "$0" >&2 && exit 2 ;;
esac
case $1 in
build) build_sanitized ;;
run) build_sanitized && run_long ;;
test) run_test "${2:?a folder}" ;;
coverage) show_coverage ;;
merge) merge_found ;;
esac
