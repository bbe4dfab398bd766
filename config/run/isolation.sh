#!/usr/bin/env bash
# isolation.sh OUTPUT: tests/isolation/*.spec with PostgreSQL's isolationtester, which runs the steps of each spec's
# sessions in every order. A spec is run once for each of its gates: what a gate names is held up between two steps
# of a further session, so that the others come to stand in the middle of a function (or pass the locked seat over);
# and every order of those steps is tried, too. After each the spec's teardown must say "sound", and no step may have
# ended in an error.
#
# Then the specs are judged themselves: each patch in tests/isolation/bugs/ breaks a function, and the spec that it
# names must find that.
#
# test.sh calls this in the environment that it makes for tests. FILTER= is a pattern of specs' and patches' names.
# Each spec with a gate is a test, and so is each patch; OUTPUT/isolation.tap is their list, OUTPUT/isolation/ what
# isolationtester said where it was not well.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

template=isolation_template
shares=4

die() {
	echo "isolation: $*" >&2
	exit 1
}

find_tester() {
	local tester
	tester=$(printf '%s\n' /usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester | sort -V | tail -n 1)
	[ -x "$tester" ] || die "there is no isolationtester; postgresql-client-15 (Debian 12) or -17 (13) has it"
	echo "$tester"
}

url_of() {
	echo "${ONSALE_TEST_DATABASE_URL/'/onsale_test?'//$1?}"
}

sql() {
	psql -X -q -v ON_ERROR_STOP=1 "$@"
}

# One database a spec, and no two sessions of it that wait for a disk.
options_of() {
	echo "-c search_path=trial,public,pg_catalog -c deadlock_timeout=10ms -c synchronous_commit=off -c trial.gate=$1"
}

view() {
	echo "CREATE VIEW trial.$1 AS"
	cat "tests/support/invariants/$2.sql"
	echo ';'
}

# The statements as the server prepares them, the invariants as the other layers check them.
trial_sql() {
	local name
	echo 'CREATE SCHEMA trial; CREATE TABLE trial.statements (name text, text text);'
	for name in hold hold_optimistic hold_quantity pay cancel sweep; do
		echo "INSERT INTO trial.statements VALUES ('$name', \$\$$(<"db/statements/$name.sql")\$\$);"
	done
	# The views read the clock of the trial, which is not there before them, and some of its views are of theirs.
	sed -n '1,/^-- The verdict\./p' tests/isolation/trial.sql
	view sales 1_sales
	view money 3_money
	view keys 4_keys
	view sold_now 5_sold
	sed '1,/^-- The verdict\./d' tests/isolation/trial.sql
}

# A database that somebody is in cannot be copied: from then on nobody comes into it, not even autovacuum.
make_template() {
	sql "$(url_of postgres)" -c "CREATE DATABASE $template TEMPLATE onsale_test"
	trial_sql | PGOPTIONS=$(options_of none) sql "$(url_of "$template")" >/dev/null
	sql "$(url_of postgres)" -c "ALTER DATABASE $template ALLOW_CONNECTIONS false"
}

field() {
	sed -n "s/^$1: //p" "$2"
}

# run_spec DATABASE SPEC GATE LOG
run_spec() {
	cat "tests/isolation/$2.spec" tests/isolation/gate.session |
		PGISOLATIONTIMEOUT=60 PGOPTIONS=$(options_of "$3") "$tester" "$(url_of "$1")" >"$4" 2>&1
}

# How many orders a log tells of, and how many of them ended well; one that broke off in the middle did not.
count_orders() {
	awk '
		/^starting permutation:/ { orders++; good += sound && !bad; sound = bad = 0 }
		/^sound *$/ { sound++ }
		/ERROR|FATAL|PANIC|WARNING|failed|canceling|timed out/ { bad++ }
		END { print orders + 0, good + (sound && !bad) + 0 }' "$1"
}

# judge_spec SPEC GATE WAITS: prints a line of the report. waits: somebody must have come to stand before the gate.
judge_spec() {
	local name="$1 $2" log=$output/isolation/$1.$2 status=0 orders good
	run_spec "isolation_$1" "$1" "$2" "$log" || status=$?
	read -r orders good < <(count_orders "$log")
	if [ "$3" = waits ] && ! grep -q '<waiting \.\.\.>' "$log"; then
		echo "not ok - $name: nobody had to wait there; see $log"
	elif [ "$status" = 0 ] && [ "$orders" -gt 1 ] && [ "$good" = "$orders" ]; then
		echo "ok - $name, $orders orders"
		rm -f "$log"
	else
		echo "not ok - $name, $good of $orders orders, status $status: see $log"
	fi
}

judge_specs() {
	local spec file gate gates
	for spec in "$@"; do
		file=tests/isolation/$spec.spec
		sql "$(url_of postgres)" -c "CREATE DATABASE isolation_$spec TEMPLATE $template"
		gates=$(field '# Gates' "$file")
		[ -n "$gates" ] || echo "not ok - $spec names no gate"
		for gate in $gates; do
			judge_spec "$spec" "$gate" waits
		done
		for gate in $(field '# Passed over' "$file"); do
			judge_spec "$spec" "$gate" passes
		done
	done
}

# A patch names the one spec and the gate that must catch it, in some of the orders.
judge_bug() {
	local name=$1 patch=tests/isolation/bugs/$1.patch copy=$output/isolation/$1 log=$output/isolation/$1.log
	local spec orders good function functions
	mkdir -p "$copy/db"
	cp -R db/functions "$copy/db/"
	if ! patch -s -d "$copy" -p1 --fuzz=0 --forward <"$patch" >"$log" 2>&1; then
		echo "not ok - $name does not apply: see $log"
		return
	fi
	sql "$(url_of postgres)" -c "CREATE DATABASE isolation_bug_$name TEMPLATE $template"
	mapfile -t functions < <(sed -n 's|^+++ b/||p' "$patch")
	for function in "${functions[@]}"; do
		sql "$(url_of "isolation_bug_$name")" -f "$copy/$function"
	done
	spec=$(field Spec "$patch")
	run_spec "isolation_bug_$name" "$spec" "$(field Gate "$patch")" "$log" || true
	read -r orders good < <(count_orders "$log")
	if [ "$orders" -gt 1 ] && [ "$good" -lt "$orders" ]; then
		echo "ok - $name is caught by $spec in $((orders - good)) of $orders orders"
		rm -rf "$log" "$copy"
	else
		echo "not ok - $name is not caught by $spec: see $log"
	fi
}

judge_bugs() {
	local bug
	for bug in "$@"; do
		judge_bug "$bug"
	done
}

# The names of the files FOLDER/*.ENDING, as far as they are wanted; of every so many the Nth.
names() {
	local file
	for file in "$1"/*."$2"; do
		file=$(basename "$file" ".$2")
		# shellcheck disable=SC2053 # FILTER is a pattern
		[[ $file != ${FILTER:-*} ]] || echo "$file"
	done | sed -n "$3~${shares}p"
}

judge_share() {
	local specs bugs
	mapfile -t specs < <(names tests/isolation spec "$1")
	mapfile -t bugs < <(names tests/isolation/bugs patch "$1")
	judge_specs "${specs[@]}"
	judge_bugs "${bugs[@]}"
}

# Sessions mostly wait for each other, or for isolationtester to look.
judge_all() {
	local share pids=()
	for ((share = 1; share <= shares; share++)); do
		judge_share "$share" &
		pids+=("$!")
	done
	for share in "${pids[@]}"; do
		wait "$share" || echo "not ok - a share of the specs broke off"
	done
}

tester=$(find_tester)
output=${1:?a folder}
mkdir -p "$output/isolation"
make_template
judge_all | tee "$output/isolation.tap"
good=$(grep -c '^ok' "$output/isolation.tap" || true)
bad=$(grep -c '^not ok' "$output/isolation.tap" || true)
sed -nE 's/^ok .*, ([0-9]+) orders$/\1/p' "$output/isolation.tap" |
	awk '{ sum += $1 } END { print "isolation: " sum + 0 " orders were sound" }'
printf '# pass %s\n# fail %s\n' "$good" "$bad" >>"$output/isolation.tap"
[ "$bad" = 0 ]
