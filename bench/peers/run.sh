#!/usr/bin/env bash
# run.sh PEER: serves fastapi or fastify on PORT (8090) with two workers, until SIGTERM.
#
# DATABASE_URL, REDIS_URL and JWT_SECRET (onsale's ONSALE_AUTH_JWT_SECRET) are in the environment;
# load.sh has made the tables. It becomes the server, at the head of a process group of its own: a
# signal to the process ends it with its workers, one to the group whatever hangs.
#
# Settings are those for speed that people use: uvloop and httptools, hiredis, ioredis' automatic
# pipelining, one worker a core. No access log, while ours is measured with its log as shipped.
#
# Everything that makes a sale safe is there; check.py shows it. What they leave out is in their favour:
# places are not dropped when nobody polls, a token is handed back instead of signed anew, there is no
# estimate of the wait, no limit of seats a person, no outbox, no quantity instead of seats.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

export PORT=${PORT:-8090} PEER_NAME=peer_$1 WORKERS=${WORKERS:-2}
: "${DATABASE_URL:?}" "${REDIS_URL:?}" "${JWT_SECRET:?}"
case $1 in
fastapi)
	set -- /usr/bin/python3 -m uvicorn main:app --host 127.0.0.1 --port "$PORT" --workers "$WORKERS" \
		--loop uvloop --http httptools --no-access-log --no-server-header --no-proxy-headers --log-level warning \
		--backlog 16384 --timeout-keep-alive 75
	cd "$here/fastapi"
	;;
fastify)
	set -- node server.js
	cd "$here/fastify"
	export NODE_ENV=production
	if ! cmp -s package-lock.json node_modules/installed-lock.json; then
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
		cp package-lock.json node_modules/installed-lock.json
	fi
	;;
*)
	echo "run.sh: no such peer: $1" >&2
	exit 2
	;;
esac
export PYTHONDONTWRITEBYTECODE=1
ulimit -n "$(ulimit -Hn)"
if [ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ]; then
	exec "$@"
fi
exec setsid "$@"
