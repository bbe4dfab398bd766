#!/usr/bin/env bash
# run.sh: what guards a seat, compared. lock.mode and seat.strategy in four pairs, each a server of its own on the same
# private stores (config/run/stores.sh; a Redlock has three Redis more), and a rush of buyers at seats of which each is
# wanted by 1, by 10 or by 1,000: everybody is connected and has sent all but the last byte, then all are released.
#
# Prints a table, tab-separated; each number is the median of REPEATS rounds, in which the pairs take turns (A B C D,
# A B C D, …). Decided: 201 or 409, until the last reply. Lost in PostgreSQL: of all buyers, those refused there, work
# that came to nothing. Conflicts: seats that changed between an optimistic look and its lock, each judged again.
#
# QUICK=1 is short. BUILD= holds onsale and swarm, which are made where they are not there; BUYERS=, REPEATS=.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

build=${BUILD:-build}
swarm=${SWARM:-$build/swarm}
buyers=${BUYERS:-$([ -n "${QUICK:-}" ] && echo 2000 || echo 5000)}
repeats=${REPEATS:-$([ -n "${QUICK:-}" ] && echo 1 || echo 5)}
pairs=(redis+pessimistic none+pessimistic none+optimistic redlock+pessimistic)
crowds=(1 10 1000) # buyers a seat
folder=
servers=()
declare -A ports

die() {
	echo "strategies: $*" >&2
	exit 1
}

clean_up() {
	local status=$? pid node
	set +e
	trap '' INT TERM HUP
	trap - EXIT
	for pid in "${servers[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${servers[@]}"; do
		wait "$pid"
	done
	if [ -n "$folder" ]; then
		for node in 1 2 3; do
			config/run/stores.sh wipe "$folder/node$node"
		done
		config/run/stores.sh wipe "$folder"
		rm -rf "$folder"
	fi
	exit "$status"
}

make_programs() {
	local wanted=("$build/onsale")
	[ -n "${SWARM:-}" ] || wanted+=("$swarm")
	make --no-print-directory -s BUILD="$build" "${wanted[@]}" >&2
}

start_stores() {
	local node urls=()
	folder=$(config/run/stores.sh throwaway)
	eval "$(config/run/stores.sh urls "$folder")"
	export DATABASE_URL REDIS_URL
	for node in 1 2 3; do
		config/run/stores.sh start "$folder/node$node" redis
		urls+=("$(REDIS_URL='' && eval "$(config/run/stores.sh urls "$folder/node$node" redis)" && echo "$REDIS_URL")")
	done
	redlock_urls=$(IFS=, && echo "${urls[*]}")
	ONSALE_AUTH_JWT_SECRET=$(head -c 32 /dev/urandom | base64)
	ONSALE_AUTH_QUEUE_SECRET=$(head -c 32 /dev/urandom | base64)
	export ONSALE_AUTH_JWT_SECRET ONSALE_AUTH_QUEUE_SECRET
}

sql() {
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$DATABASE_URL" -c "$1"
}

# The one event has no line: what is compared is behind it.
fill_stores() {
	"$build/onsale" migrate >&2
	"$build/onsale" users --count "$buyers" --balance 1000000 >"$folder/people"
	event=$(sql "INSERT INTO events (title, venue) VALUES ('Rush', 'Here') RETURNING id")
	operator=$("$build/onsale" users --count 1 --balance 0 --role admin | cut -d' ' -f1)
}

server_port() {
	sed -nE 's/.*listening on [^ ]*:([0-9]+).*/\1/p' "$1" | head -n 1
}

start_server() {
	local pair=$1 log=$folder/$1.log end=$((SECONDS + 30))
	"$build/onsale" serve --http.port=0 "--lock.mode=${pair%+*}" "--seat.strategy=${pair#*+}" \
		"--lock.redlock_urls=$redlock_urls" >/dev/null 2>"$log" &
	servers+=($!)
	until ports[$pair]=$(server_port "$log") && [ -n "${ports[$pair]}" ] &&
		curl -sf "http://127.0.0.1:${ports[$pair]}/readyz" | grep -q '"degraded":\[\]'; do
		[ "$SECONDS" -le "$end" ] || die "$pair did not start: $(tail -n 5 "$log")"
		sleep 0.05
	done
}

metric() {
	curl -sf "http://127.0.0.1:$1/metrics" | sed -nE "s/^$2 ([0-9]+)$/\1/p"
}

# A performance that the server knows, with its first seat: sets performance and first.
make_performance() {
	local rows=$(($2 > 1000 ? $2 / 1000 : 1)) end=$((SECONDS + 30))
	performance=$(sql "SELECT id FROM create_performance($operator, $event, 2000000000000, '{A}', '{$rows}',
		'{$((($2 + rows - 1) / rows))}', '{1000}')")
	first=$(sql "SELECT min(id) FROM seats WHERE performance_id = $performance")
	until curl -sf -m 5 -o /dev/null "http://127.0.0.1:$1/v1/performances/$performance/seats/status"; do
		[ "$SECONDS" -le "$end" ] || die "the server does not know performance $performance"
		sleep 0.1
	done
}

# The number behind "NAME": in a part of the JSON that begins with another text.
number_in() {
	sed -nE "s/.*$2\"$3\":([0-9.]+).*/\1/p" <<<"$1"
}

# One rush: pair, buyers a seat, decided a second, won a second, share lost in PostgreSQL, conflicts, p99 ms, others.
rush() {
	local pair=$1 crowd=$2 port=${ports[$1]} performance first lost conflicts result won refused us pick=random
	local seats=$((buyers / crowd > 0 ? buyers / crowd : 1))
	[ "$crowd" != 1 ] || pick=own
	make_performance "$port" "$seats"
	lost=$(metric "$port" onsale_holds_lost_total)
	conflicts=$(metric "$port" onsale_seat_conflicts_total)
	result=$("$swarm" rush --url "http://127.0.0.1:$port" --tokens "$folder/people" --event "$event" \
		--performance "$performance" --first-seat "$first" --pool "$seats" --pick "$pick" --seats 1 \
		--buyers "$buyers" --seed "$RANDOM" 2>>"$folder/swarm.log") || die "swarm: $(tail -n 5 "$folder/swarm.log")"
	lost=$(($(metric "$port" onsale_holds_lost_total) - lost))
	conflicts=$(($(metric "$port" onsale_seat_conflicts_total) - conflicts))
	won=$(number_in "$result" '"statuses":\{.*' 201)
	refused=$(number_in "$result" '"statuses":\{.*' 409)
	us=$(number_in "$result" '"steps":.*"hold":.*' last_us)
	awk -v OFS='\t' -v pair="$pair" -v crowd="$crowd" -v won="${won:-0}" -v refused="${refused:-0}" -v us="$us" \
		-v lost="$lost" -v conflicts="$conflicts" -v buyers="$buyers" \
		-v p99="$(number_in "$result" '"latency_us":\{"hold":\{[^}]*' p99)" 'BEGIN {
		print pair, crowd, (won + refused) * 1e6 / us, won * 1e6 / us, lost * 100 / buyers, conflicts, p99 / 1000,
			buyers - won - refused }'
}

# Medians of what the rounds said, in the order of the pairs.
table() {
	local pair crowd
	printf '%s\t' "lock.mode + seat.strategy" "buyers a seat" "decided/s" "won/s" "lost in PostgreSQL, %" \
		conflicts "p99 of a hold, ms"
	echo "neither won nor lost"
	for crowd in "${crowds[@]}"; do
		for pair in "${pairs[@]}"; do
			awk -F'\t' -v pair="$pair" -v crowd="$crowd" '
				$1 == pair && $2 == crowd { rounds++; for (i = 3; i <= NF; i++) value[i, rounds] = $i; last = NF }
				function median(column, i, j, swap, list) {
					for (i = 1; i <= rounds; i++) list[i] = value[column, i] + 0
					for (i = 2; i <= rounds; i++)
						for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
							swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap
						}
					return rounds % 2 ? list[(rounds + 1) / 2] : (list[rounds / 2] + list[rounds / 2 + 1]) / 2
				}
				END {
					printf "%s\t%d", pair, crowd
					for (i = 3; i <= last; i++) printf "\t%.*f", i == 5 || i == 7 ? 1 : 0, median(i)
					print ""
				}' "$folder/rounds"
		done
	done
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP
ulimit -n "$(ulimit -H -n)"
make_programs
start_stores
fill_stores
for pair in "${pairs[@]}"; do
	start_server "$pair"
done
for pair in "${pairs[@]}"; do
	rush "$pair" 10 >/dev/null # warms it up
done
for ((round = 1; round <= repeats; round++)); do
	for crowd in "${crowds[@]}"; do
		for pair in "${pairs[@]}"; do
			echo "strategies: round $round of $repeats, $pair, $crowd buyers a seat" >&2
			rush "$pair" "$crowd" >>"$folder/rounds"
		done
	done
done
table
