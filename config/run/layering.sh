#!/usr/bin/env bash
# Which file may include which: its own floor or a lower one. hiredis belongs to db/redis.c, libpq to
# db/pg*.c and librdkafka to db/kafka.c alone; proto and config know no sockets and no event loop. Prints the lines that break
# this, and fails where there are any. Tests and benchmarks stand outside of the house.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

# shellcheck disable=SC2016 # the dollars are awk's
find server queue lock db proto config -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
function floor_of(path) {
	if (path ~ /^server\//) return 4
	if (path ~ /^(queue|lock)\//) return 3
	if (path ~ /^db\//) return 2
	if (path ~ /^proto\/base\//) return 0
	if (path ~ /^(proto|config)\//) return 1
	return 99
}
function complain(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
	bad = 1
}
function room_of(path) { sub(/\/.*/, "", path); return path }

/^[[:space:]]*#[[:space:]]*include[[:space:]]*"/ {
	split($0, part, "\""); target = part[2]
	if (floor_of(target) == 99)
		complain("includes are from the top of the tree")
	else if (floor_of(target) > floor_of(FILENAME))
		complain("floor " floor_of(FILENAME) " includes floor " floor_of(target))
	else if (floor_of(target) == 3 && floor_of(FILENAME) == 3 && room_of(target) != room_of(FILENAME))
		complain("queue and lock do not know each other")
}
/^[[:space:]]*#[[:space:]]*include[[:space:]]*</ {
	split($0, part, /[<>]/); target = part[2]
	if (target ~ /rdkafka/ && FILENAME != "db/kafka.c")
		complain("librdkafka belongs to db/kafka.c")
	if (target ~ /hiredis/ && FILENAME != "db/redis.c")
		complain("hiredis belongs to db/redis.c")
	if (target ~ /(^|\/)(libpq|libpq-fe|libpq-events|pg_config|postgres)/ && FILENAME !~ /^db\/pg_?[a-z]*\.[ch]$/)
		complain("libpq belongs to db/pg*.c")
	if (floor_of(FILENAME) <= 1 && target ~ /^(event2\/|event\.h|sys\/socket|sys\/un\.h|netinet\/|netdb)/)
		complain("proto and config know no sockets and no event loop")
}
END { exit bad }'
