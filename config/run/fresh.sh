#!/usr/bin/env bash
# make fresh (as root): a clean clone of HEAD inside of new Debians that have nothing but git and make.
#
# For each of SUITES (bookworm trixie): make run, its curl tour, SIGINT, and a look whether anything
# is left of it; on bookworm also make test. FRESH_DIR (/var/tmp/onsale-fresh) keeps the bare roots
# and the packages that were fetched, so that the next time is quicker, and each suite's log.
#
# Each root runs in mount, process and IPC namespaces of its own: when its first process ends, so
# does everything in it, mounts included. The network is the host's, and so is the way to the mirror.
set -euo pipefail

folder=${FRESH_DIR:-/var/tmp/onsale-fresh}
port=${PORT:-8080}

die() {
	echo "fresh: $*" >&2
	exit 1
}

# Inside, as the first process of the namespace

inside_clone=/root/onsale

note() {
	printf '%s; ' "$*" >>/onsale-summary
}

start_run() {
	local started=$SECONDS
	# Not ignoring SIGINT, as what a script starts in the background would.
	env --default-signal=INT make run PORT="$port" >/onsale-run.log 2>&1 &
	run=$!
	until grep -q 'Ctrl-C stops everything' /onsale-run.log; do
		kill -0 "$run" 2>/dev/null || { cat /onsale-run.log; die "make run ended"; }
		[ $((SECONDS - started)) -lt 1800 ] || { cat /onsale-run.log; die "make run is not ready"; }
		sleep 0.5
	done
	cat /onsale-run.log
	note "make run serves after $((SECONDS - started)) s"
}

stop_run() {
	local started=$SECONDS
	kill -INT "$run"
	wait "$run" || true
	[ $((SECONDS - started)) -le 10 ] || die "stopping took $((SECONDS - started)) s"
	note "stopped in $((SECONDS - started)) s"
}

# Nothing may run besides us, and nothing may have been set up to start at the next boot.
nothing_left() {
	local process pid left=
	for process in /proc/[0-9]*; do
		pid=${process#/proc/}
		if [ "$pid" = 1 ] || [ "$pid" = $BASHPID ]; then
			continue
		fi
		left+=" $pid ($(tr '\0' ' ' <"$process/cmdline" 2>/dev/null || true))"
	done
	[ -z "$left" ] || die "still running:$left"
	[ ! -e /usr/sbin/policy-rc.d ] || die "policy-rc.d was left behind"
	! compgen -G '/etc/postgresql/*/main' >/dev/null || die "the system got a PostgreSQL cluster"
	! compgen -G '/etc/rc[2-5].d/S*redis*' >/dev/null || die "the system would start Redis"
	! compgen -G '/etc/systemd/system/*.wants/redis*' >/dev/null || die "systemd would start Redis"
	! grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
		die "createcluster.conf was left changed"
	[ -z "$(git status --porcelain)" ] || die "the clone was changed: $(git status --porcelain)"
	note "nothing left"
}

run_tests() {
	local status=0
	make test >/onsale-test.log 2>&1 || status=$?
	cat /onsale-test.log
	note "make test: $(grep -E '^[0-9]+ passed, [0-9]+ failed$' /onsale-test.log || echo 'no count')"
	return "$status"
}

inside() {
	export HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	git -c advice.detachedHead=false -c init.defaultBranch=main clone -q /onsale.bundle "$inside_clone"
	cd "$inside_clone"
	start_run
	make tour PORT="$port"
	note "tour paid"
	stop_run
	nothing_left
	make clean-run
	[ "$1" != bookworm ] || run_tests
}

# Outside, on the host

mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(CREATED_BY) $(SITE)' |
		awk '$1 == "Packages" && $2 !~ /-security/ && !found { found = 1; print $2 }'
}

# A bare Debian, made once.
make_base() {
	local suite=$1 base=$folder/$1.base
	[ ! -d "$base" ] || return 0
	echo "fresh: making a bare $suite in $base"
	rm -rf --one-file-system "$base.new"
	mkdir -p "$folder/$suite.archives/partial"
	debootstrap --variant=minbase --include=git,make --cache-dir="$folder/$suite.archives" \
		"$suite" "$base.new" "$(mirror)" >"$folder/$suite.debootstrap.log" 2>&1 ||
		{ tail -n 20 "$folder/$suite.debootstrap.log" >&2; die "debootstrap of $suite failed"; }
	rm -rf "$base.new"/var/lib/apt/lists/*
	echo "deb $(mirror) $suite main" >"$base.new/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' >"$base.new/etc/apt/apt.conf.d/90host" || true
	mv "$base.new" "$base"
}

# A copy of it, with the bundle of HEAD in it. Mounts are seen by the namespace alone, so that this
# folder can be removed safely from here.
make_root() {
	local suite=$1 root=$folder/$1.root
	rm -rf --one-file-system "$root"
	cp -a --reflink=auto "$folder/$suite.base" "$root"
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	# npm trusts whom it trusts here.
	[ -z "${NODE_EXTRA_CA_CERTS:-}" ] || cp -L "$NODE_EXTRA_CA_CERTS" "$root/onsale-npm-ca.pem"
	git bundle create -q "$root/onsale.bundle" HEAD
	cp "$0" "$root/onsale-fresh.sh"
	: >"$root/onsale-summary"
}

enter() {
	local suite=$1 root=$folder/$1.root
	# shellcheck disable=SC2016 # expanded by the shell inside of the namespace
	unshare --mount --pid --ipc --fork --kill-child bash -c '
		set -eu
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
		mount --bind "$2" "$1/var/cache/apt/archives"
		exec env -i PATH="$PATH" TERM=dumb PORT="$4" chroot "$1" /bin/bash /onsale-fresh.sh --inside "$3"
	' fresh "$root" "$folder/$suite.archives" "$suite" "$port"
}

try_suite() {
	local suite=$1 status=0
	make_base "$suite"
	make_root "$suite"
	enter "$suite" >"$folder/$suite.log" 2>&1 </dev/null || status=$?
	if [ "$status" != 0 ]; then
		tail -n 60 "$folder/$suite.log" >&2
		echo "fresh $suite: FAILED ($(cat "$folder/$suite.root/onsale-summary")status $status; $folder/$suite.log)"
		return 1
	fi
	echo "fresh $suite: $(sed 's/; $//' "$folder/$suite.root/onsale-summary")"
	rm -rf --one-file-system "$folder/$suite.root"
}

if [ "${1:-}" = --inside ]; then
	[ ! -s /onsale-npm-ca.pem ] || export NODE_EXTRA_CA_CERTS=/onsale-npm-ca.pem
	inside "$2"
	exit
fi
export PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$(readlink -f "$0")")/../.."
[ "$(id -u)" = 0 ] || die "debootstrap and chroot need root"
if [ "${1:-}" = --suite ]; then
	try_suite "$2"
	exit
fi
config/run/packages.sh fresh
[ -z "$(git status --porcelain)" ] || echo "fresh: note: what is not committed is not in the clone"
mkdir -p "$folder"
exec 9>"$folder/lock"
flock -n 9 || die "another make fresh is using $folder"
failed=0
for suite in ${SUITES:-bookworm trixie}; do
	# A process of its own, since the shell heeds no failing command within "… || …".
	config/run/fresh.sh --suite "$suite" 9>&- || failed=1
done
exit "$failed"
