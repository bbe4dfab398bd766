#!/usr/bin/env bash
# hardening.sh [BINARY]: looks into the server (build/onsale) for what the Makefile's HARDEN and LINK ask for,
# says what is missing, and fails where anything is. What only the compiler knows is read off the flags that gcc
# notes with each file.
set -euo pipefail
binary=${1:-build/onsale}
missing=0

# what COMMAND…: the command's standard output is not wanted, its status is.
need() {
	local what=$1
	shift
	"$@" >/dev/null || {
		echo "hardening: $binary has no $what" >&2
		missing=$((missing + 1))
	}
}

has() {
	grep -qE "$1" <<<"$2"
}

has_not() {
	! has "$@"
}

# Every file that gcc compiled was told the flag.
all_told() {
	[ -n "$producers" ] && ! grep -qvE -- "$1" <<<"$producers"
}

[ -x "$binary" ] || {
	echo "hardening: there is no $binary" >&2
	exit 1
}
header=$(readelf -hW "$binary")
segments=$(readelf -lW "$binary")
dynamic=$(readelf -dW "$binary")
symbols=$(readelf --dyn-syms -W "$binary")
producers=$(readelf -wi "$binary" 2>/dev/null | grep 'DW_AT_producer.*GNU C' || true)

need "position of its own (PIE)" has 'Type: +DYN' "$header"
need "mark of a PIE" has 'FLAGS_1.*PIE' "$dynamic"
need "read-only relocations (RELRO)" has 'GNU_RELRO' "$segments"
need "early binding (BIND_NOW), which makes RELRO full" has 'BIND_NOW|FLAGS_1.*NOW' "$dynamic"
need "stack that cannot be run" has 'GNU_STACK.* RW +0x' "$segments"
need "code that cannot be written" has_not '(LOAD|GNU_STACK).* RWE ' "$segments"
need "stack protector" has '__stack_chk_fail' "$symbols"
need "checked calls (FORTIFY)" has '__(memcpy|snprintf|vsnprintf)_chk' "$symbols"
need "stack protector in each file" all_told '-fstack-protector-strong'
need "stack clash protection in each file" all_told '-fstack-clash-protection'
case $(uname -m) in
x86_64 | i686) need "control flow protection in each file" all_told '-fcf-protection(=full)?' ;;
esac
[ "$missing" = 0 ]
