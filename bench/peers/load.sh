#!/usr/bin/env bash
# load.sh PEER: makes the peer's tables anew in DATABASE_URL and forgets its line in REDIS_URL.
#
# People FIRST (1) to LAST (1000), each with BALANCE (1000000); SEATS (1000) seats at 1000 each; the
# line is on (QUEUE=false: off), CAPACITY (1000) have a pass at a time, each for PASS_TTL (3600) s.
# A peer that runs already sees it within two seconds.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

peer=${1:?fastapi or fastify}
# redis-cli before Redis 7.2 takes no unix:// URL.
redis() {
	case $REDIS_URL in
	unix://*)
		local path=${REDIS_URL#unix://} number=0
		[[ $path != *\?db=* ]] || number=${path#*\?db=}
		redis-cli -s "${path%%\?*}" -n "$number" "$@"
		;;
	*) redis-cli -u "$REDIS_URL" "$@" ;;
	esac
}

psql -X -q -v ON_ERROR_STOP=1 -v schema="peer_$peer" \
	-v first="${FIRST:-1}" -v last="${LAST:-1000}" -v balance="${BALANCE:-1000000}" \
	-v seats="${SEATS:-1000}" -v queue="${QUEUE:-true}" -v capacity="${CAPACITY:-1000}" \
	-v pass_ttl="${PASS_TTL:-3600}" -f schema.sql -f load.sql "$DATABASE_URL" >/dev/null
# Keys of idempotency name users and keys of the tables that are no more.
redis --scan --pattern "peer_$peer:*" | redis -x eval "for k in string.gmatch(ARGV[1], '[^\n]+') do
	redis.call('UNLINK', k) end" 0 >/dev/null
