#!/usr/bin/env bash
# make lint: shellcheck, the planted bugs, the README, layering, the built server's hardening, the unit of systemd,
# clang-format, cppcheck and clang-tidy, in this order, the quick ones first; all of them run, whatever the ones before
# found.
# compile_commands.json is there already.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
config/run/packages.sh run test lint || exit 1

newest() {
	command -v "$1-14" || command -v "$1"
}

# The rooms that there are.
folders=()
for folder in server queue lock db proto config tests bench; do
	[ ! -d "$folder" ] || folders+=("$folder")
done

sources() {
	find "${folders[@]}" -name node_modules -prune -o -name "$1" -print | sort
}

failures=()
check() {
	local name=$1 started=$SECONDS
	shift
	if "$@"; then
		echo "lint: $name ok ($((SECONDS - started)) s)"
	else
		failures+=("$name")
		echo "lint: $name failed" >&2
	fi
}

# 2317: what is only called from a trap looks unreachable to it.
check_scripts() {
	find .ci "${folders[@]}" -name node_modules -prune -o \( -name '*.sh' -o -path .ci/run \) -type f -print0 |
		xargs -0 -r shellcheck -e SC2317
}

check_format() {
	sources '*.[ch]' | xargs -r "$(newest clang-format)" --dry-run -Werror
}

# It reads no system header by itself; without these two the lists' macros are syntax errors to it.
# The rooms only: tests are Criterion's macros for the larger part, which it does not see through.
check_cppcheck() {
	local lists
	lists=$(echo '#include <sys/queue.h>' | gcc -M -x c - | grep -o '/[^ ]*/sys/queue\.h')
	cppcheck --quiet --error-exitcode=1 --std=c11 --language=c --inline-suppr -j2 -I. \
		--include="$lists" --include=/usr/include/uthash.h -D_GNU_SOURCE \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		server queue lock db proto config bench/swarm
}

# A file a process: with several, version 14 takes every va_list after the first for uninitialized.
# What it says of the warnings that it suppressed goes to its standard error.
check_tidy() {
	sources '*.c' | xargs -r -P2 -n1 "$(newest clang-tidy)" -p . --quiet 2>/dev/null
}

# The README shows the tour that make run prints.
check_readme() {
	diff <(config/run/tour.sh) <(sed -n '/^BASE=/,/^```$/p' README.md | sed '$d')
}

# Of the plain build, whatever else is built.
check_hardening() {
	make --no-print-directory -s -j2 SANITIZER= all && config/run/hardening.sh "${BUILD:-build}/onsale"
}

check_unit() {
	config/run/unit.sh "${BUILD:-build}/onsale"
}

# Planted bugs fit the code that they are planted in, to the line: faults-check and isolation would not build them.
check_bugs() {
	local patch failed=0
	for patch in tests/*/bugs/*.patch; do
		patch -s -p1 --fuzz=0 --dry-run --force <"$patch" >/dev/null || {
			echo "$patch does not fit"
			failed=1
		}
	done
	return "$failed"
}

check shellcheck check_scripts
check bugs check_bugs
check readme check_readme
check layering config/run/layering.sh
check hardening check_hardening
check unit check_unit
check clang-format check_format
check cppcheck check_cppcheck
check clang-tidy check_tidy
if [ "${#failures[@]}" -gt 0 ]; then
	echo "lint: failed: ${failures[*]}" >&2
	exit 1
fi
