#!/usr/bin/env bash
# A Redis and a PostgreSQL of one's own, in a folder of one's own, on unix sockets alone.
#
#   stores.sh start DIR [redis] [postgres]   starts them (both, where none is named); data stays
#   stores.sh stop DIR [redis] [postgres]    stops them, in under 4 s
#   stores.sh urls DIR [redis] [postgres]    prints REDIS_URL='…' and DATABASE_URL='…' for a shell
#   stores.sh status DIR                     says what runs; 3 where something does not
#   stores.sh wipe DIR                       stops them and deletes their data
#   stores.sh throwaway                      starts both in a new temporary folder and prints its name
#
# PostgreSQL refuses to run as root, so root drops to an unprivileged account for it. That account
# must reach the cluster: where DIR lies below a closed folder (/root, say), the cluster is made in
# /var/tmp instead and DIR/postgres.place tells where. The same goes for the sockets (sockets.place)
# where DIR's path is too long for one.
#
# A pid file may outlive a crash, and its number may be another program's by then: a process is taken
# for ours only if it works in our data folder, which both stores have as their working directory.
set -euo pipefail
umask 077

die() {
	echo "stores: $*" >&2
	exit 1
}

# until_ SECONDS COMMAND…: waits for the command to succeed; false when the time is over.
until_() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.05
	done
}

# Prints the pid in the first line of FILE if that process works in FOLDER.
pid_in() {
	local pid=
	if [ -f "$1" ]; then
		read -r pid <"$1" || true
	fi
	case $pid in '' | *[!0-9]*) return 1 ;; esac
	[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$2" ] && echo "$pid"
}

is_idle() {
	local folders
	folders=$(readlink /proc/[0-9]*/cwd 2>/dev/null) || true
	[[ $'\n'$folders$'\n' != *$'\n'"$1"$'\n'* ]]
}

# quoted TEXT QUOTE ESCAPED: TEXT in quotes, for the configuration files.
quoted() {
	printf '%s%s%s' "$2" "${1//"$2"/"$3"}" "$2"
}

percent_encoded() {
	local LC_ALL=C text=$1 i char
	for ((i = 0; i < ${#text}; i++)); do
		char=${text:i:1}
		case $char in
		[A-Za-z0-9/._~-]) printf %s "$char" ;;
		*) printf %%%02X "'$char" ;;
		esac
	done
}

# A folder remembered in the file NOTE, made by `mktemp -d` in BASE where it is not there (any more).
noted_folder() {
	local note=$1 base=$2 place=
	[ ! -f "$note" ] || place=$(<"$note")
	if [ -z "$place" ] || [ ! -d "$place" ]; then
		place=$(mktemp -d "$base/onsale-XXXXXXXX")
		echo "$place" >"$note"
	fi
	echo "$place"
}

# Redis

redis_sockets() {
	# A socket's path may have 107 bytes.
	if [ "$(printf %s "$dir/redis/redis.sock" | wc -c)" -le 107 ]; then
		echo "$dir/redis"
	else
		noted_folder "$dir/redis/sockets.place" "$short_base"
	fi
}

redis_pid() {
	pid_in "$dir/redis/redis.pid" "$dir/redis"
}

redis_answers() {
	[ "$(redis-cli -s "$1" ping 2>/dev/null)" = PONG ]
}

redis_answers_or_died() {
	redis_answers "$1" || is_idle "$dir/redis"
}

redis_configuration() {
	cat <<-CONF
		port 0
		unixsocket $(quoted "$1" '"' '\"')
		unixsocketperm 700
		dir $(quoted "$dir/redis" '"' '\"')
		daemonize yes
		pidfile $(quoted "$dir/redis/redis.pid" '"' '\"')
		logfile $(quoted "$dir/redis/redis.log" '"' '\"')
		save ""
		appendonly yes
		appendfsync everysec
		maxmemory-policy noeviction
		maxclients 1000
	CONF
}

redis_start() {
	local socket
	! redis_pid >/dev/null || return 0
	mkdir -p "$dir/redis"
	socket=$(redis_sockets)/redis.sock
	rm -f "$dir/redis/redis.pid" "$dir/redis/redis.log"
	redis_configuration "$socket" >"$dir/redis/redis.conf"
	(cd "$dir/redis" && LC_ALL=C exec redis-server redis.conf) >/dev/null
	# It has written its pid file and works in its folder before it answers.
	if ! until_ 60 redis_answers_or_died "$socket" || ! redis_answers "$socket"; then
		tail -n 20 "$dir/redis/redis.log" >&2 || true
		die "redis-server did not start in $dir/redis"
	fi
}

redis_stop() {
	local pid
	pid=$(redis_pid) || return 0
	kill -TERM "$pid" 2>/dev/null || true
	until_ 2 is_idle "$dir/redis" || kill -KILL "$pid" 2>/dev/null || true
	until_ 1 is_idle "$dir/redis" || die "redis-server (pid $pid) does not stop"
}

redis_urls() {
	echo "REDIS_URL='unix://$(percent_or_plain "$(redis_sockets)/redis.sock")?db=0'"
}

# The server reads a socket's path as it stands.
percent_or_plain() {
	case $1 in
	*[\'\?]*) die "the folder's name may hold no quote and no question mark: $1" ;;
	*) printf %s "$1" ;;
	esac
}

# PostgreSQL

# The account for the server, where we are root.
postgres_account() {
	if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

as_account() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid="$account" --regid="$(id -g "$account")" --init-groups "$@"
	else
		"$@"
	fi
}

# Sets `home`, where the cluster lives; makes nothing where $1 is not "make" and nothing is there.
postgres_find_home() {
	account=$(id -un 2>/dev/null || id -u)
	[ "$(id -u)" != 0 ] || account=$(postgres_account)
	home=$dir/postgres
	if [ -f "$dir/postgres.place" ]; then
		home=$(<"$dir/postgres.place")
	fi
	data=$home/data
	[ "${1:-}" = make ] || return 0
	if [ ! -d "$home" ] && ! as_account test -x "$dir"; then
		rm -f "$dir/postgres.place"
		home=$(noted_folder "$dir/postgres.place" /var/tmp)
		echo "stores: the account $account cannot reach $dir, so PostgreSQL's data goes to $home" >&2
	fi
	mkdir -p "$home"
	[ "$(id -u)" != 0 ] || chown "$account:" "$home"
	chmod 700 "$home"
	as_account test -w "$home" || die "the account $account cannot reach PostgreSQL's data in $home"
	data=$home/data # noted_folder may have made another
}

postgres_sockets() {
	local place=$home
	if [ "$(printf %s "$home/.s.PGSQL.5432.lock" | wc -c)" -gt 107 ]; then
		place=$(noted_folder "$dir/sockets.place" "$short_base")
		[ "$(id -u)" != 0 ] || chown "$account:" "$place"
	fi
	echo "$place"
}

postgres_pid() {
	pid_in "$data/postmaster.pid" "$data"
}

# The programs of the cluster's own version, or the newest where there is no cluster yet.
postgres_programs() {
	local newest
	if [ -f "$data/PG_VERSION" ]; then
		newest=/usr/lib/postgresql/$(<"$data/PG_VERSION")/bin
		[ -x "$newest/postgres" ] || die "the data in $data is of PostgreSQL $(<"$data/PG_VERSION")," \
			"which is not installed; install it, or 'make clean-run' to begin anew"
	else
		newest=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
		[ -x "$newest/initdb" ] || die "there is no PostgreSQL server under /usr/lib/postgresql"
	fi
	echo "$newest"
}

postgres_configuration() {
	cat <<-CONF
		listen_addresses = ''
		port = 5432
		unix_socket_directories = $(quoted "$1" "'" "''")
		unix_socket_permissions = 0700
		max_connections = 200
		fsync = on
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_line_prefix = '%m [%p] '
		log_min_error_statement = panic
	CONF
}

# A cluster that was cut off while it was made is made again.
postgres_make_cluster() {
	[ ! -f "$data/PG_VERSION" ] || return 0
	rm -rf "$data.new"
	as_account "$programs/initdb" -D "$data.new" -U onsale --auth=trust --encoding=UTF8 \
		--locale=C.UTF-8 --no-instructions >"$home/initdb.log" 2>&1 ||
		{ tail -n 20 "$home/initdb.log" >&2; die "initdb failed in $home"; }
	echo "include = 'onsale.conf'" >>"$data.new/postgresql.conf"
	mv "$data.new" "$data"
}

# After a crash: nobody works in the folder, so whose pid the files name is not one of ours.
postgres_clear_stale() {
	until_ 10 is_idle "$data" || die "processes of an earlier PostgreSQL still run in $data"
	rm -f "$data/postmaster.pid" "$1/.s.PGSQL.5432" "$1/.s.PGSQL.5432.lock"
}

postgres_query() {
	psql -X -q -A -t -v ON_ERROR_STOP=1 "host='${1//\'/\\\'}' user=onsale dbname=postgres" -c "$2"
}

postgres_start() {
	local sockets programs
	postgres_find_home make
	! postgres_pid >/dev/null || return 0
	programs=$(postgres_programs)
	sockets=$(postgres_sockets)
	postgres_make_cluster
	postgres_clear_stale "$sockets"
	postgres_configuration "$sockets" >"$data/onsale.conf"
	[ "$(id -u)" != 0 ] || chown "$account:" "$data/onsale.conf"
	rm -f "$home/postgres.log"
	if ! (cd "$home" && as_account "$programs/pg_ctl" start -s -w -t 60 -D "$data" \
		-l "$home/postgres.log" </dev/null >/dev/null 2>&1); then
		tail -n 20 "$home/postgres.log" >&2 || true
		die "PostgreSQL did not start in $home"
	fi
	if [ -z "$(postgres_query "$sockets" "select 1 from pg_database where datname = 'onsale'")" ]; then
		postgres_query "$sockets" "create database onsale"
	fi
}

postgres_stop() {
	local pid
	postgres_find_home
	pid=$(postgres_pid) || return 0
	# SIGINT is the fast shutdown, SIGQUIT the immediate one: no checkpoint, recovered at the start.
	kill -INT "$pid" 2>/dev/null || true
	until_ 2 is_idle "$data" || kill -QUIT "$pid" 2>/dev/null || true
	until_ 2 is_idle "$data" || die "PostgreSQL (pid $pid) does not stop"
}

postgres_urls() {
	postgres_find_home
	echo "DATABASE_URL='postgresql:///onsale?host=$(percent_encoded "$(postgres_sockets)")&user=onsale'"
}

# Commands

show_status() {
	local pid status=0
	if pid=$(redis_pid); then echo "redis: running, pid $pid"; else status=3 && echo "redis: stopped"; fi
	postgres_find_home
	if pid=$(postgres_pid); then
		echo "postgres: running, pid $pid, data in $home/data"
	else
		status=3 && echo "postgres: stopped"
	fi
	return "$status"
}

remove_noted() {
	local place
	[ -f "$1" ] || return 0
	place=$(<"$1")
	case $place in */onsale-????????) rm -rf -- "$place" ;; esac
	rm -f "$1"
}

wipe() {
	stop_all redis postgres
	remove_noted "$dir/redis/sockets.place"
	remove_noted "$dir/sockets.place"
	remove_noted "$dir/postgres.place"
	rm -rf "$dir/redis" "$dir/postgres"
}

# Both at once: the time that stopping takes is the longer one's.
stop_all() {
	local store pids=() status=0 pid
	for store in "$@"; do
		"${store}_stop" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	return "$status"
}

start_all() {
	local store
	(umask 066 && mkdir -p "$dir") # PostgreSQL's account passes through
	for store in "$@"; do
		"${store}_start"
	done
}

command=${1:-}
short_base=${XDG_RUNTIME_DIR:-/tmp}
if [ "$(id -u)" = 0 ] || [ ! -w "$short_base" ]; then
	short_base=/tmp
fi
if [ "$command" = throwaway ]; then
	dir=$(readlink -f "$(mktemp -d "${TMPDIR:-/tmp}/onsale-test-XXXXXX")")
	chmod 711 "$dir"
	start_all redis postgres >&2
	echo "$dir"
	exit
fi
[ "$#" -ge 2 ] || { sed -n '4,9s/^# *//p' "$0" >&2 && exit 2; }
dir=$(readlink -m "$2")
shift 2
[ "$#" -gt 0 ] || set -- redis postgres
for store in "$@"; do
	case $store in redis | postgres) ;; *) die "no such store: $store" ;; esac
done

case $command in
start) start_all "$@" ;;
stop) stop_all "$@" ;;
urls) for store in "$@"; do "${store}_urls"; done ;;
status) show_status ;;
wipe) wipe ;;
*) die "no such command: $command" ;;
esac
