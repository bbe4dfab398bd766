#!/usr/bin/env bash
# make test: the layers of tests, on a private Redis and PostgreSQL in a throwaway folder; ends in the names of what
# failed and one line, "N passed, N failed". Each is one Criterion program under AddressSanitizer and UBSan, but for
# openapi and web, which are node's test runner against the same sanitized server (web: through Chromium), isolation,
# which is PostgreSQL's isolationtester on the functions alone, instructions, which is bench/instructions.sh on the
# plain build, and fuzz, which is libFuzzer's programs for a minute. Of faults each kind that was injected counts as a
# test; what SEED, MINUTES and others choose there stands in tests/faults/run.c.
#
# LAYER=unit runs one layer, FILTER='suite/test' (with * and ?) those tests of it; SANITIZER= (empty) runs them without
# the sanitizers. A layer that crashes, runs out of time, skips a test or leaves a sanitizer's log has failed, whatever
# it says itself: Criterion runs each test in a process of its own, whose leaks pass silently otherwise.
# Reports and the logs of what failed are in .test/ afterwards.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

declare -A limit_seconds=([unit]=400 [flow]=400 [live]=2400 [wire]=900 [openapi]=300 [isolation]=480
	[instructions]=300 [web]=900 [fuzz]=240 [storm]=900 [faults]=$((600 + ${MINUTES:-0} * 90)) [bugs]=5400)
build=${BUILD:-build}
sanitizer=${SANITIZER-address,undefined}
sanitized=$build${sanitizer:+-san}
output=$(readlink -m "${TEST_DIR:-.test}")
run_id=$$-$(date +%s%N)
stores=
child=
passed=0
failed=0
failures=()

die() {
	echo "test: $*" >&2
	exit 1
}

# In the background, so that a signal is heeded while it runs.
run() {
	local status=0
	"$@" 9>&- &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

# The pids of what the tests started and left: it has this run's number in its environment, or works
# in the throwaway folder (Redis and PostgreSQL write over their environment).
left_over() {
	local process pid cwd
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		cwd=$(readlink "$process/cwd" 2>/dev/null) || continue
		case $cwd in
		"$stores/redis" | "$stores/postgres/data") continue ;;
		"$stores"/*) echo "$pid" ;;
		*) ! grep -qsz "^ONSALE_TEST_RUN=$run_id$" "$process/environ" || echo "$pid" ;;
		esac
	done
}

end_left_over() {
	local pids
	[ -n "$stores" ] || return 0
	mapfile -t pids < <(left_over)
	[ "${#pids[@]}" -gt 0 ] || return 0
	echo "test: ending what was left running: ${pids[*]}" >&2
	kill -KILL "${pids[@]}" 2>/dev/null || true
}

clean_up() {
	local status=$?
	set +e
	trap '' INT TERM HUP PIPE
	trap - EXIT
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null
		wait "$child"
	fi
	end_left_over
	if [ -n "$stores" ]; then
		config/run/stores.sh wipe "$stores"
		rm -rf "$stores"
	fi
	exit "$status"
}

build_all() {
	run make --no-print-directory -s -j2 BUILD="$build" SANITIZER= all "$build/tests/preload.so" || return
	run make --no-print-directory -s -j2 BUILD="$sanitized" SANITIZER="$sanitizer" all \
		"${c_layers[@]/#/$sanitized/tests/}" || return
	! wanted live || run make --no-print-directory -s -j2 BUILD="$sanitized" SANITIZER="$sanitizer" \
		"$sanitized/swarm" || return
	case ${FILTER:-} in overload/*)
		run make --no-print-directory -s -j2 BUILD="$build" SANITIZER= "$build/tests/faults" || return ;;
	esac
	! wanted bugs || run make --no-print-directory -s -j2 BUILD="$build" SANITIZER= "$build/tests/live" || return
	if wanted openapi || wanted web; then
		run config/run/docs.sh "$build" || return
	fi
	! wanted fuzz || run config/run/fuzz.sh build
}

start_stores() {
	local urls
	stores=$(config/run/stores.sh throwaway 9>&-)
	urls=$(config/run/stores.sh urls "$stores")
	eval "$urls"
	# Nobody kills this PostgreSQL, and what is committed need not be on a disk, whose pace would be every test's. The
	# layer of faults has one of its own, with fsync.
	psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" -c 'alter system set fsync = off' \
		-c 'select pg_reload_conf()' -c 'create database onsale_test' >/dev/null
	DATABASE_URL=${DATABASE_URL/'/onsale?'//onsale_test?}
	DATABASE_URL=$DATABASE_URL run "$sanitized/onsale" migrate || die "the migration failed"
	export ONSALE_TEST_DATABASE_URL=$DATABASE_URL ONSALE_TEST_REDIS_URL=$REDIS_URL
	unset DATABASE_URL REDIS_URL
	mkdir -p "$stores/tmp"
	chmod 711 "$stores/tmp"
}

export_environment() {
	local sanitizers="log_path=$output/sanitizer/log:exitcode=86"
	ulimit -n "$(ulimit -H -n)"
	export ONSALE_TEST_ROOT=$PWD
	ONSALE_TEST_SERVER=$(readlink -f "$sanitized/onsale")
	ONSALE_TEST_SERVER_PLAIN=$(readlink -f "$build/onsale")
	ONSALE_TEST_PRELOAD=$(readlink -f "$build/tests/preload.so")
	ONSALE_TEST_SWARM=$(readlink -f "$sanitized/swarm")
	export ONSALE_TEST_SERVER ONSALE_TEST_SERVER_PLAIN ONSALE_TEST_PRELOAD ONSALE_TEST_SWARM
	export ONSALE_TEST_STORES=$PWD/config/run/stores.sh
	export ONSALE_TEST_OUTPUT=$output ONSALE_TEST_RUN=$run_id
	export TMPDIR=$stores/tmp
	export ASAN_OPTIONS=$sanitizers:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=$sanitizers:print_stacktrace=1
	export LSAN_OPTIONS=$sanitizers
}

count_status() {
	grep -cE "<testcase .*status=\"($1)\"" "$2" || true
}

# The number behind "# pass", say, in a report of node's (TAP).
count_tap() {
	local number
	number=$(sed -nE "s/^# $1 ([0-9]+)$/\1/p" "$2" | tail -n 1)
	echo "${number:-0}"
}

# The names in a report of those that count_status or count_tap counts.
failed_names() {
	if [[ $1 == *.tap ]]; then
		sed -nE 's/^ *not ok [0-9]+ - //p' "$1"
	else
		sed -nE '/<testsuite /{s/.* name="([^"]*)".*/\1/;h}
			/<testcase .*status="('"$2"')"/{s/.* name="([^"]*)".*/\1/;H;x;s/\n/\//p;s/\/.*//;x}' "$1"
	fi
}

sanitizer_logs() {
	find "$output/sanitizer" -type f -size +0 2>/dev/null
}

# Says it now, and again before the last line.
fail() {
	failures+=("$1")
	echo "test: $1" >&2
}

# Counts one more failure for each thing that the layer's own report does not know of.
judge_layer() {
	local layer=$1 status=$2 report=$3 name log bad=0 good=0
	local statuses='FAILED|ERRORED|SKIPPED'
	[ -z "${FILTER:-}" ] || statuses='FAILED|ERRORED' # of a filtered run it calls the others skipped
	if [[ $report == *.tap && -s $report ]]; then
		good=$(count_tap pass "$report")
		bad=$(($(count_tap fail "$report") + $(count_tap cancelled "$report")))
	elif [ -s "$report" ]; then
		good=$(count_status PASSED "$report")
		bad=$(count_status "$statuses" "$report")
	fi
	if [ "$bad" != 0 ]; then
		while read -r name; do
			failures+=("$layer: $name")
		done < <(failed_names "$report" "$statuses")
	fi
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		fail "layer $layer was not done within ${limit_seconds[$layer]} s"
		bad=$((bad + 1))
	elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
		fail "layer $layer ended with status $status"
		bad=1
	elif [ "$((good + bad))" = 0 ]; then
		fail "layer $layer ran no test"
		bad=1
	fi
	while read -r log; do
		fail "a sanitizer's log in layer $layer: ${log##*/}"
		head -n 30 "$log" >&2
		mv "$log" "$output/$layer.${log##*/}"
		bad=$((bad + 1))
	done < <(sanitizer_logs)
	echo "$layer: $good of $((good + bad))"
	passed=$((passed + good))
	failed=$((failed + bad))
}

run_layer() {
	local layer=$1 status=0 report=$output/$1.xml
	local arguments=(-j2 "--xml=$report")
	[ "$layer" != faults ] || arguments[0]=-j1
	[ -z "${FILTER:-}" ] || arguments+=(--filter "$FILTER")
	echo "layer $layer"
	run timeout -k 5 "${limit_seconds[$layer]}" "$sanitized/tests/$layer" "${arguments[@]}" || status=$?
	end_left_over
	judge_layer "$layer" "$status" "$report"
}

# The run's own report counts; Criterion sees one test.
run_kinds() {
	local status=0 report=$output/faults.tap
	echo "layer faults, each kind a test"
	ONSALE_TEST_FAULTS_REPORT=$report run timeout -k 5 "${limit_seconds[faults]}" "$sanitized/tests/faults" \
		--filter 'faults/*' || status=$?
	end_left_over
	judge_layer faults "$status" "$report"
}

# What is measured: without sanitizers, and alone.
run_measured() {
	sanitized=$build FILTER='overload/*' run_layer faults
}

# Of make faults the run alone is asked for.
run_faults() {
	case ${FILTER:-} in '' | faults/*) run_kinds ;; esac
	[ -z "${MINUTES:-}" ] || return 0
	case ${FILTER:-} in overload/*) run_measured ;; esac
	case ${FILTER:-} in
	faults/* | overload/*) ;;
	*) FILTER=${FILTER:-'!(faults|overload)/*'} run_layer faults ;;
	esac
}

# Only where it is asked for: each planted bug counts as a test.
run_bugs() {
	local status=0 report=$output/bugs.tap
	echo "layer bugs"
	run timeout -k 5 "${limit_seconds[bugs]}" config/run/faults_check.sh "$(readlink -f "$sanitized/tests/faults")" \
		"$report" || status=$?
	end_left_over
	judge_layer bugs "$status" "$report"
}

# run_node LAYER ARGUMENT…: its files of tests. FILTER is a pattern of test names for node here.
run_node() {
	local layer=$1 status=0 report=$output/$1.tap
	local arguments=(--test-reporter=tap "--test-reporter-destination=$report" "${@:2}")
	[ -z "${FILTER:-}" ] || arguments+=("--test-name-pattern=$FILTER")
	echo "layer $layer"
	NODE_PATH=$(readlink -f "$build/npm/node_modules") ONSALE_TEST_DOCS=$(readlink -f "$build/docs") \
		run timeout -k 5 "${limit_seconds[$layer]}" node "${arguments[@]}" "tests/$layer"/*.test.js || status=$?
	grep -E -A12 '^ *not ok' "$report" >&2 || true
	end_left_over
	judge_layer "$layer" "$status" "$report"
}

# FILTER is a pattern of the specs' names here.
run_isolation() {
	local status=0
	echo "layer isolation"
	FILTER=${FILTER:-} run timeout -k 5 "${limit_seconds[isolation]}" config/run/isolation.sh "$output" || status=$?
	end_left_over
	judge_layer isolation "$status" "$output/isolation.tap"
}

# What was recorded with other versions is not judged, and counts as nothing, which is said.
run_instructions() {
	local status=0
	echo "layer instructions"
	BUILD=$build run timeout -k 5 "${limit_seconds[instructions]}" bench/instructions.sh check \
		"$output/instructions.tap" || status=$?
	end_left_over
	if [ "$status" = 77 ]; then
		echo "instructions: not judged"
	else
		judge_layer instructions "$status" "$output/instructions.tap"
	fi
}

# Only where it is asked for.
run_storm() {
	local status=0 report=$output/storm.tap
	echo "layer storm"
	run timeout -k 5 "${limit_seconds[storm]}" config/run/storm.sh "$(readlink -f "$sanitized/tests/live")" "$report" ||
		status=$?
	end_left_over
	judge_layer storm "$status" "$report"
}

# Each target is a test; FILTER is a pattern of their names here.
run_fuzz() {
	local status=0
	echo "layer fuzz"
	TARGET=${FILTER:-} run timeout -k 5 "${limit_seconds[fuzz]}" config/run/fuzz.sh test "$output" || status=$?
	judge_layer fuzz "$status" "$output/fuzz.tap"
}

layers_to_run() {
	local layer
	for layer in unit flow live wire openapi web isolation faults fuzz; do
		[ -z "${LAYER:-}" ] || [ "$LAYER" = "$layer" ] || continue
		! compgen -G "tests/$layer/*.[cjs]*" >/dev/null || echo "$layer"
	done
	case ${LAYER:-instructions} in instructions) echo instructions ;; esac
	case ${LAYER:-} in bugs | storm) echo "$LAYER" ;; esac
}

wanted() {
	[[ " ${layers[*]} " == *" $1 "* ]]
}

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
mapfile -t layers < <(layers_to_run)
mapfile -t c_layers < <(layers_to_run | grep -vxE 'openapi|web|isolation|instructions|fuzz' | sed 's/^bugs$/faults/; s/^storm$/live/')
[ "${#layers[@]}" -gt 0 ] || die "there is no such layer: ${LAYER:-}"
[ -z "${FILTER:-}" ] || [ -n "${LAYER:-}" ] || die "FILTER needs a LAYER: make test LAYER=unit FILTER='json/*'"
mkdir -p "$output"
exec 9>>"$output/lock"
flock -n 9 || die "another make test is using $output; wait for it, or give TEST_DIR= and BUILD="
find "$output" -mindepth 1 ! -name lock -delete
mkdir -p "$output/sanitizer"
trap clean_up EXIT
trap 'exit 130' INT TERM HUP PIPE
config/run/packages.sh run test 9>&-
build_all || die "the build failed"
start_stores
export_environment
for layer in "${c_layers[@]}"; do
	[ "$layer" = faults ] || ! wanted "$layer" || run_layer "$layer"
done
! wanted openapi || run_node openapi
! wanted web || run_node web --test --test-concurrency=4 # pages mostly wait for what is to come
! wanted isolation || run_isolation
! wanted instructions || run_instructions
! wanted faults || run_faults
! wanted bugs || run_bugs
! wanted storm || run_storm
! wanted fuzz || run_fuzz
[ "$failed" = 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
