#!/usr/bin/env bash
# jmeter.sh -n -t bench/onsale.jmx …: Debian's JMeter 2.13, with what jmeter.bsh mends.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
home=/usr/share/jmeter
exec java -Djmeter.home=$home -cp "$home/bin/ApacheJMeter.jar:$home/lib/ext/*:$home/lib/*:/usr/share/java/bsh.jar" \
	bsh.Interpreter "$here/jmeter.bsh" "$@"
