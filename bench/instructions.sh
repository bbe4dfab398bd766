#!/usr/bin/env bash
# How many instructions a request costs the server, counted by callgrind on fixed input: a regression shows even on
# a noisy machine.
#
#   instructions.sh record          counts, and writes bench/instructions.txt
#   instructions.sh check REPORT    counts, and judges by that file: each path is a test of REPORT (TAP). Ends with
#                                   77, having counted nothing, where the file was recorded with another compiler,
#                                   other libraries or another kind of processor
#
# A first server, not counted, prepares: people, a line, passes, seats. The second runs under callgrind, which writes
# what it has counted and starts anew whenever metrics_start is called: GET /metrics is the mark between two parts.
# A path's requests come one after the other over one connection, first a few of them, then many; the difference is
# theirs alone, without what a mark and a connection cost. What the server does by itself is counted while it is idle,
# and taken off by the time that a part took; its tickers are slowed down, and PostgreSQL waits for no disk, which costs
# the server no instruction.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

build=${BUILD:-build}
recorded=bench/instructions.txt
paths=(livez poll seats_status hold pay)
few=5
many=600
many_written=120 # holds and payments, of which there are fewer to be had
idle_s=5
warm_up=30 # everybody, so that each access token is known
people=30
tolerance_percent=5
other_versions=77
# Under callgrind the server is slow, and slower where the machine has much else to do: no store is too slow for it.
patient=(--redis.deadline_ms=10000 --db.deadline_ms=60000 --db.backlog_max_ms=60000 --db.lock_timeout_ms=60000
	--db.statement_timeout_ms=60000 --db.batch_lock_timeout_ms=10000 --lock.locking_ms=120000)
folder=
server=

die() {
	echo "instructions: $*" >&2
	exit 1
}

clean_up() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	stop_server || true
	end_stores || true # what was counted stands
	exit "$status"
}

end_stores() {
	[ -n "$folder" ] || return 0
	config/run/stores.sh wipe "$folder"
	rm -rf "$folder"
	folder=
}

# What the counts depend on, besides our own sources.
versions() {
	echo "compiler: $(gcc --version | head -n 1)"
	echo "processor: $(uname -m), AVX2 $(grep -qw avx2 /proc/cpuinfo && echo yes || echo no)"
	echo "valgrind: $(valgrind --version)"
	# It fails where one of the names is unknown.
	{ dpkg-query -W -f '${db:Status-Abbrev} ${Package}: ${Version}\n' libc6 'libcurl4*' 'libevent-2.1-7*' 'libhiredis*' \
		'libinih1*' 'libjansson4*' 'libjwt*' 'libllhttp*' node-llhttp libpq5 'libsodium23*' 'libssl3*' zlib1g || true; } \
		2>/dev/null | sed -n 's/^ii *//p' | grep -v -e '-dev:' -e '-doc:' | sort
}

recorded_versions() {
	sed -n '3,$s/^# //p' "$recorded"
}

start_stores() {
	folder=$(config/run/stores.sh throwaway)
	eval "$(config/run/stores.sh urls "$folder")"
	export DATABASE_URL REDIS_URL
	export ONSALE_AUTH_JWT_SECRET=the-same-secret-in-every-run-of-this
	export ONSALE_AUTH_QUEUE_SECRET=another-secret-the-same-in-every-run
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	base=http://127.0.0.1:$port
}

ready() {
	curl -fs -o /dev/null -m 5 "$base/readyz"
}

# start_server WORD…: the words before `onsale serve`.
start_server() {
	local tries=600
	"$@" "$build/onsale" serve --http.port="$port" "${settings[@]}" 2>>"$folder/log" &
	server=$!
	until ready; do
		kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; die "the server ended before it was ready"; }
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "the server was not ready within 60 s"
		sleep 0.1
	done
}

stop_server() {
	[ -n "$server" ] || return 0
	kill -TERM "$server" 2>/dev/null || true
	wait "$server" || true
	server=
}

member() {
	sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# admin METHOD PATH BODY
admin() {
	curl -fsS -X "$1" "$base$2" -H "Authorization: Bearer $admin_token" -H 'Content-Type: application/json' -d "$3"
}

# Everybody's pass, into the file `passes`, in the order of `tokens`.
take_passes() {
	local jwt place pass tries
	while read -r _ jwt; do
		place=$(curl -fsS -X POST "$base/v1/events/$open_event/queue" -H "Authorization: Bearer $jwt" | member token)
		pass='' tries=200
		while [ -z "$pass" ]; do
			tries=$((tries - 1))
			[ "$tries" -gt 0 ] || die "nobody is admitted"
			sleep 0.05
			pass=$(curl -fsS "$base/v1/queue" -H "X-Queue-Token: $place" | member pass)
		done
		echo "$pass"
	done <"$folder/tokens" >"$folder/passes"
}

prepare() {
	local line='"abandon_after_seconds": 86400, "pass_ttl_seconds": 86400'
	settings=()
	"$build/onsale" migrate >/dev/null
	psql -X -q "$DATABASE_URL" -c 'alter database onsale set synchronous_commit = off'
	admin_token=$("$build/onsale" users --count 1 --role admin | cut -d ' ' -f 2)
	"$build/onsale" users --count "$people" --balance 1000000 >"$folder/tokens"
	start_server env
	open_event=$(admin POST /v1/admin/events "{\"title\": \"A\", \"venue\": \"B\",
		\"queue\": {\"enabled\": true, \"capacity\": 1000, \"admit_per_second\": 1000, $line}}" | member id)
	performance=$(admin POST "/v1/admin/events/$open_event/performances" '{"starts_at": "2040-01-01T19:00:00Z",
		"sections": [{"name": "A", "rows": 20, "seats_per_row": 50, "price": 1000}]}' | member id)
	shut_event=$(admin POST /v1/admin/events "{\"title\": \"C\", \"venue\": \"D\",
		\"queue\": {\"enabled\": true, $line}}" | member id)
	admin PUT "/v1/admin/events/$shut_event/queue" '{"paused": true}' >/dev/null
	place=$(curl -fsS -X POST "$base/v1/events/$shut_event/queue" \
		-H "Authorization: Bearer $(head -n 1 "$folder/tokens" | cut -d ' ' -f 2)" | member token)
	take_passes
	stop_server
}

# What each path's nth request is, for curl -K.
request_livez() {
	echo "url = \"$base/livez\""
}

request_poll() {
	printf 'url = "%s/v1/queue"\nheader = "X-Queue-Token: %s"\n' "$base" "$place"
}

request_seats_status() {
	echo "url = \"$base/v1/performances/$performance/seats/status\""
}

nth_of() {
	sed -n "$(($2 % people + 1))p" "$folder/$1"
}

posted() {
	printf 'header = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\n' \
		"$(nth_of tokens "$1" | cut -d ' ' -f 2)"
}

request_hold() {
	posted "$1"
	printf 'url = "%s/v1/reservations"\nheader = "Idempotency-Key: hold-%06d"\nheader = "X-Queue-Pass: %s"\n' \
		"$base" "$1" "$(nth_of passes "$1")"
	printf 'data = "{\\"performance_id\\": %d, \\"seat_ids\\": [%d]}"\n' "$performance" $(($1 + 1))
}

# The holds before made the reservations 1, 2 …, in the order in which they came.
request_pay() {
	posted "$1"
	printf 'url = "%s/v1/reservations/%d/payment"\nheader = "Idempotency-Key: pay-%06d"\ndata = "{}"\n' "$base" \
		$(($1 + 1)) "$1"
}

# send PATH FIRST COUNT: over one connection, each to be answered with 200 or 201.
send() {
	local nth good
	for ((nth = $2; nth < $2 + $3; nth++)); do
		"request_$1" "$nth"
		printf 'write-out = "\\n%%{http_code}\\n"\nnext\n'
	done | sed '$d' >"$folder/curl"
	good=$(curl -sS -K "$folder/curl" | grep -cxE '20[01]') || true
	[ "$good" = "$3" ] || die "$1: $good of $3 requests were answered with 200 or 201"
}

# mark: what was counted so far is in `counted`, in how many milliseconds in `took_ms`.
mark() {
	local now_ms
	curl -fsS -o /dev/null "$base/metrics"
	part=$((part + 1))
	counted=$(sed -n 's/^\(totals\|summary\): //p' "$folder/callgrind.$part" | head -n 1)
	now_ms=$(date +%s%3N)
	took_ms=$((now_ms - marked_ms))
	marked_ms=$now_ms
}

# Sets idle_1000: what the server does by itself in 1,000 ms.
count_idle() {
	local nothing
	mark
	mark
	nothing=$counted
	sleep "$idle_s"
	mark
	idle_1000=$(((counted - nothing) * 1000 / took_ms))
}

count_path() {
	local before before_ms count=$many
	case $1 in hold | pay) count=$many_written ;; esac
	send "$1" 0 "$warm_up"
	mark
	send "$1" "$warm_up" "$few"
	mark
	before=$counted
	before_ms=$took_ms
	send "$1" $((warm_up + few)) "$count"
	mark
	echo "$1 $(((counted - before - idle_1000 * (took_ms - before_ms) / 1000) / (count - few)))"
}

count_paths() {
	local path idle_1000 counted took_ms part=0 marked_ms=0
	settings=(--queue.tick_ms=10000 --seat.sweep_ms=60000 --seat.hold_ttl_ms=86400000 "${patient[@]}")
	start_server valgrind --tool=callgrind --callgrind-out-file="$folder/callgrind" --dump-before=metrics_start \
		--quiet
	count_idle
	for path in "${paths[@]}"; do
		count_path "$path"
	done
	stop_server
}

count() {
	start_stores
	prepare
	count_paths >"$folder/counts"
}

record() {
	count
	{
		echo "# Instructions of the server a request, by bench/instructions.sh record (make instructions), with:"
		echo "#"
		versions | sed 's/^/# /'
		cat "$folder/counts"
	} >"$recorded.new"
	mv "$recorded.new" "$recorded"
	cat "$recorded"
}

# judge REPORT: counts, and sets `beyond`, how many paths are beyond what is tolerated.
judge() {
	local report=$1 path now before n=0 change verdict
	count
	echo "1..${#paths[@]}" >"$report"
	while read -r path now; do
		n=$((n + 1))
		before=$(sed -n "s/^$path //p" "$recorded")
		change=$(awk -v now="$now" -v before="${before:-1}" 'BEGIN { printf "%+.1f", 100 * now / before - 100 }')
		verdict=ok
		awk -v change="$change" -v most="$tolerance_percent" \
			'BEGIN { exit change >= -most && change <= most ? 0 : 1 }' || verdict='not ok'
		echo "$verdict $n - $path: $now instructions, $change % of the recorded ${before:-none}" | tee -a "$report"
	done <"$folder/counts"
	echo "# pass $(grep -c '^ok' "$report" || true)" >>"$report"
	beyond=$(grep -c '^not ok' "$report" || true)
	echo "# fail $beyond" >>"$report"
}

# Counted once more before it fails: on a machine that has much else to do, the idle time is not told apart well.
check() {
	if ! diff <(recorded_versions) <(versions) >"$1.versions"; then
		echo "instructions: not judged: recorded with other versions (<) than are here (>):" >&2
		cat "$1.versions" >&2
		exit "$other_versions"
	fi
	judge "$1"
	if [ "$beyond" -gt 0 ]; then
		echo "instructions: once more"
		end_stores || true
		judge "$1"
	fi
	[ "$beyond" = 0 ] || die "beyond $tolerance_percent %; where that is meant, record it: make instructions"
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP
case ${1:-} in
record) record ;;
check) check "${2:?a file for the report}" ;;
*) sed -n '5,8s/^# *//p' "$0" >&2 && exit 2 ;;
esac
