#!/usr/bin/env bash
# make run: everything from nothing to a server that sells, and everything down again at a signal.
#
# Steps: lock the folder → look at the port → packages and build → stores → secrets and env → migrate
# and demo → serve → wait for a signal → stop the server, then the stores. PORT and RUN_DIR say where.
#
# Every step runs in the background while we wait, so that a signal is heeded at once and not after a
# build. The server gets a session of its own: Ctrl-C reaches us alone, and we stop things in order.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

port=${PORT:-8080}
run_dir=$(readlink -m "${RUN_DIR:-.run}")
build=${BUILD:-build}
stores=()
server=
step=
step_may_be_cut=
stopping=
watcher=

say() {
	echo "onsale: $*"
}

die() {
	echo "onsale: $*" >&2
	exit 1
}

# make does not hand on a SIGINT that it alone got: it waits for us, in its handler, in which the
# signal is blocked. So we look whether it is.
make_was_interrupted() {
	local key value mask=0
	while read -r key value; do
		[ "$key" != SigBlk: ] || mask=$value
	done <"/proc/$PPID/status"
	((16#$mask & 2))
}

watch_make() {
	while kill -0 $$; do
		if [ ! -d "/proc/$PPID" ] || make_was_interrupted; then
			kill -TERM $$
			return
		fi
		sleep 0.3
	done
} 2>/dev/null

# Waits for a child of ours and answers with its status; leaves where we are to stop.
wait_for() {
	local status
	while :; do
		status=0
		wait "$1" || status=$?
		[ -z "$stopping" ] || exit 0
		kill -0 "$1" 2>/dev/null || return "$status"
	done
}

# run_step cut|whole COMMAND…: a step that may be cut off by a signal, or must be let finish.
run_step() {
	local status=0
	step_may_be_cut=
	[ "$1" != cut ] || step_may_be_cut=1
	shift
	"$@" 9>&- &
	step=$!
	wait_for "$step" || status=$?
	step=
	return "$status"
}

# Waits at most $2 tenths of a second for the child to be gone.
gone_within() {
	local tenths=$2
	while kill -0 "$1" 2>/dev/null; do
		[ "$tenths" -gt 0 ] || return 1
		tenths=$((tenths - 1))
		sleep 0.1
	done
}

stop_server() {
	[ -n "$server" ] || return 0
	kill -TERM "$server" 2>/dev/null
	if ! gone_within "$server" 55; then
		say "the server did not finish in 5 s and is ended"
		kill -KILL "$server" 2>/dev/null
	fi
}

stop_everything() {
	local status=$?
	set +e
	trap '' INT TERM HUP PIPE
	trap - EXIT
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
	if [ -n "$step" ]; then
		[ -z "$step_may_be_cut" ] || kill -TERM "$step" 2>/dev/null
		wait "$step"
	fi
	[ -z "$server" ] || say "stopping"
	stop_server
	if [ "${#stores[@]}" -gt 0 ]; then
		config/run/stores.sh stop "$run_dir" "${stores[@]}" 9>&- || status=1
	fi
	[ -z "$server" ] || say "stopped; the data stay in ${RUN_DIR:-.run}"
	exit "$status"
}

take_folder() {
	(umask 066 && mkdir -p "$run_dir") # PostgreSQL's account passes through
	exec 9>>"$run_dir/lock"
	flock -n 9 || die "a make run is already using ${RUN_DIR:-.run} (pid $(<"$run_dir/lock"));" \
		"stop it, or choose another folder and port: make run RUN_DIR=.run2 PORT=8081"
	echo $$ >"$run_dir/lock"
}

look_at_port() {
	case $port in '' | *[!0-9]* | ??????*) die "PORT=$port is not a port: 1 to 65535" ;; esac
	((port >= 1 && port <= 65535)) || die "PORT=$port is not a port: 1 to 65535"
	if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
		die "port $port is taken by another program; choose another: make run PORT=$((port + 1))"
	fi
}

# apt is let finish what it installs. The folder that is built into may be shared by two make runs:
# one builds at a time.
build_program() {
	run_step whole config/run/packages.sh run || die "packages are missing"
	mkdir -p "$build"
	run_step cut flock --no-fork "$build/lock" make --no-print-directory -s -j"$(nproc)" \
		BUILD="$build" SANITIZER="${SANITIZER:-}" all || die "the build failed"
}

start_stores() {
	[ -n "${REDIS_URL:-}" ] || stores+=(redis)
	[ -n "${DATABASE_URL:-}" ] || stores+=(postgres)
	[ "${#stores[@]}" -gt 0 ] || return 0
	run_step whole config/run/stores.sh start "$run_dir" "${stores[@]}" ||
		die "the stores did not start"
	eval "$(config/run/stores.sh urls "$run_dir" "${stores[@]}")"
}

random_secret() {
	od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

make_secrets() {
	[ ! -s "$run_dir/secrets" ] || return 0
	{
		echo "ONSALE_AUTH_JWT_SECRET=$(random_secret)"
		echo "ONSALE_AUTH_QUEUE_SECRET=$(random_secret)"
	} >"$run_dir/secrets.new"
	mv "$run_dir/secrets.new" "$run_dir/secrets"
}

shell_quoted() {
	printf "'%s'" "${1//\'/\'\\\'\'}"
}

# What a shell sources to use the same stores: set -a; . .run/env; build/onsale …
write_env() {
	make_secrets
	{
		echo "DATABASE_URL=$(shell_quoted "$DATABASE_URL")"
		echo "REDIS_URL=$(shell_quoted "$REDIS_URL")"
		cat "$run_dir/secrets"
		echo "ONSALE_HTTP_PORT=$port"
	} >"$run_dir/env.new"
	mv "$run_dir/env.new" "$run_dir/env"
}

ready() {
	curl -fs -o /dev/null -m 2 "http://127.0.0.1:$port/readyz"
}

# The server ends with us even where we are killed outright.
serve() {
	local tries=300
	setsid setpriv --pdeathsig TERM "$build/onsale" serve 9>&- &
	server=$!
	until ready; do
		[ -z "$stopping" ] || exit 0
		kill -0 "$server" 2>/dev/null || die "the server ended before it was ready"
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "the server was not ready within 30 s"
		sleep 0.1
	done
}

welcome() {
	cat <<-TEXT

		onsale serves at http://127.0.0.1:$port

		  buyer      http://127.0.0.1:$port/          buyer@onsale.test   password onsale-demo
		  operator   http://127.0.0.1:$port/console   admin@onsale.test   password onsale-demo

		A tour by curl, to be pasted into another shell (or: make tour PORT=$port):

	TEXT
	PORT=$port config/run/tour.sh
	echo
	say "Ctrl-C stops everything; the data stay in ${RUN_DIR:-.run} (make clean-run wipes them)"
}

umask 077
# What a make above us was told about jobs is not for the build that we start.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
take_folder
look_at_port
trap stop_everything EXIT
trap 'stopping=1' INT TERM HUP PIPE
if [[ $(<"/proc/$PPID/comm") == *make ]]; then
	watch_make 9>&- &
	watcher=$!
fi
build_program
start_stores
write_env
set -a
# shellcheck source=/dev/null
. "$run_dir/env"
set +a
run_step cut "$build/onsale" migrate || die "the migration failed"
run_step cut "$build/onsale" demo || die "the demo could not be loaded"
serve
welcome
status=0
wait_for "$server" || status=$?
server=
die "the server ended by itself (status $status)"
