#!/usr/bin/env bash
# packages.sh SECTION…: installs what is missing of these sections of config/run/packages, through
# apt-get, with sudo where not root. Where nothing is missing it only asks dpkg, and says nothing.
#
# Installing must start no PostgreSQL, Redis, nginx, webdis or Prometheus of the system's, neither now nor at the next boot:
# the part that runs as root (`packages.sh --install PACKAGE…`) sees to that and leaves no trace of it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")

# The lines of the sections, each one package or several names with | between them.
wanted_lines() {
	awk -v sections=" $* " '
		/^[[:space:]]*(#|$)/ { next }
		/^\[.*\]$/ { wanted = index(sections, " " substr($0, 2, length($0) - 2) " "); next }
		wanted { gsub(/[[:space:]]*\|[[:space:]]*/, "|"); print }' "$here/packages"
}

is_installed() {
	[[ " $(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null)" == *" installed "* ]]
}

# One call for all names: asking dpkg for each would take longer than the rest of a build's start.
missing_lines() {
	local installed line name found
	installed=" $(dpkg-query -W -f '${Package}=${db:Status-Status} ' "$@" 2>/dev/null || true)"
	# What an installed one says it is, too: nodejs from its makers is npm as well.
	installed+=$(dpkg-query -W -f '${db:Status-Status}, ${Provides}\n' "$@" 2>/dev/null |
		sed -nE 's/^installed, //p' | tr ',' '\n' | awk 'NF { printf "%s=installed ", $1 }' || true)
	for line in "${lines[@]}"; do
		found=
		for name in ${line//|/ }; do
			case $installed in *" $name=installed "*) found=1 ;; esac
		done
		[ -n "$found" ] || echo "$line"
	done
}

apt_knows() {
	[[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) == *"  Candidate: "[!\(]* ]]
}

# The first name of the line that apt knows; false where it knows none.
choose() {
	local name
	for name in ${1//|/ }; do
		if apt_knows "$name"; then
			echo "$name"
			return
		fi
	done
	return 1
}

# Fills `chosen` from `missing`; false where apt knows no name of some line.
choose_all() {
	local line name
	chosen=()
	for line in "${missing[@]}"; do
		name=$(choose "$line") || return 1
		chosen+=("$name")
	done
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "packages: not root, and there is no sudo; as root: $*" >&2
		return 1
	fi
}

# Everything below runs as root.

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf

# dpkg asks policy-rc.d before it starts a service: 101 forbids it. An own one of the machine stays.
forbid_starting() {
	[ ! -e "$policy" ] || return 0
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	made_policy=1
}

# postgresql-NN makes a cluster "main", which would start at the next boot, unless this file says no.
# It is written by postgresql-common, which is therefore installed first, and put back afterwards.
forbid_cluster() {
	cp -p "$clusters" "$clusters.before-onsale"
	printf '\ncreate_main_cluster = false\n' >>"$clusters"
}

put_back() {
	local status=$?
	[ -z "${made_policy:-}" ] || rm -f "$policy"
	[ ! -e "$clusters.before-onsale" ] || mv -f "$clusters.before-onsale" "$clusters"
	if [ "$status" != 0 ]; then
		echo "packages: installing failed; the end of what apt-get said:" >&2
		tail -n 25 "$log" >&2
	fi
	rm -f "$log"
}

# Those of them that were not there before.
services=(redis-server nginx webdis prometheus)

disable() {
	if [ -d /run/systemd/system ]; then
		systemctl disable --now "$1.service" >>"$log" 2>&1 || true
	elif command -v deb-systemd-helper >/dev/null; then
		deb-systemd-helper disable "$1.service" >>"$log" 2>&1 || true
	fi
	update-rc.d "$1" disable >>"$log" 2>&1 || true
}

install_as_root() {
	local service new_services=()
	log=$(mktemp)
	trap put_back EXIT
	trap 'exit 1' INT TERM HUP
	for service in "${services[@]}"; do
		is_installed "$service" || new_services+=("$service")
	done
	forbid_starting
	case " $* " in
	*" postgresql "*)
		apt install --no-install-recommends postgresql-common ||
			{ apt update && apt install --no-install-recommends postgresql-common; }
		forbid_cluster
		;;
	esac
	# What apt's lists name may be gone from the mirror: look again once.
	apt install --no-install-recommends "$@" ||
		{ apt update && apt install --no-install-recommends "$@"; }
	for service in "${new_services[@]}"; do
		! is_installed "$service" || disable "$service"
	done
}

update_as_root() {
	log=$(mktemp)
	trap put_back EXIT
	apt update
}

case ${1:-} in
--install) shift && install_as_root "$@" && exit ;;
--update) update_as_root && exit ;;
esac

mapfile -t lines < <(wanted_lines "$@")
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "packages: no apt here, so nothing is installed; needed: ${lines[*]}" >&2
	exit 0
fi
# shellcheck disable=SC2046 # each name is a word of its own
mapfile -t missing < <(missing_lines $(printf '%s ' "${lines[@]//|/ }"))
[ "${#missing[@]}" -gt 0 ] || exit 0
if ! choose_all; then
	as_root "$here/packages.sh" --update
	if ! choose_all; then
		echo "packages: apt knows none of these, even after apt-get update:" >&2
		for line in "${missing[@]}"; do
			choose "$line" >/dev/null || echo "  ${line//|/ or }" >&2
		done
		exit 1
	fi
fi
echo "packages: installing ${chosen[*]}" >&2
as_root "$here/packages.sh" --install "${chosen[@]}"
