#!/usr/bin/env bash
# Prints the make variables that say where the libraries are: LIBRARY_CFLAGS, LIBRARIES, and
# LLHTTP_SOURCE, the folder of llhttp's C files where Debian has no library of it. Without librdkafka onsale is
# built without Kafka.
set -euo pipefail

modules=(libevent hiredis libpq jansson libjwt libcrypto libsodium inih zlib libcurl)
kafka=
if pkg-config --exists rdkafka; then
	modules+=(rdkafka)
	kafka=-DONSALE_KAFKA
fi
llhttp_source=
llhttp_headers=
llhttp_library=-lllhttp
if [ -f /usr/share/llhttp/llhttp.c ] && [ ! -f /usr/include/llhttp.h ]; then
	llhttp_source=/usr/share/llhttp
	llhttp_headers='-isystem /usr/share/include/llhttp'
	llhttp_library=
fi

# System headers are not held to our warnings.
cflags=$(pkg-config --cflags "${modules[@]}" | sed 's/\(^\| \)-I */\1-isystem /g')
libraries=$(pkg-config --libs "${modules[@]}")
echo "LIBRARY_CFLAGS := $cflags $llhttp_headers $kafka"
echo "LIBRARIES := $libraries $llhttp_library"
echo "LLHTTP_SOURCE := $llhttp_source"
