/* A message is formatted, escaped and written, all on the stack: logging works when memory is out.
 * A line is at most PIPE_BUF bytes, which a pipe takes whole or not at all; what is longer is cut and
 * ends in "...". */
#include "proto/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "proto/base/clock.h"

enum { LINE_MAX_BYTES = 4096, MESSAGE_MAX_BYTES = 3072, ESCAPED_MAX_BYTES = 8 };

static enum log_level level_max = LOG_INFO;

void log_set_level(enum log_level level)
{
	level_max = level;
}

/* C0, DEL, or a byte of a C1 character as UTF-8 spells it (C2 80 to C2 9F). before and after: the
 * bytes next to it, or 0. */
static bool is_control(unsigned char before, unsigned char byte, unsigned char after)
{
	bool ends_c1 = before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
	bool begins_c1 = byte == 0xc2 && after >= 0x80 && after <= 0x9f;
	return byte < 0x20 || byte == 0x7f || begins_c1 || ends_c1;
}

static size_t escape_byte(unsigned char byte, char out[ESCAPED_MAX_BYTES])
{
	static const char hex[] = "0123456789abcdef";
	const char *letters = byte == '\n'   ? "\\n"
			      : byte == '\r' ? "\\r"
			      : byte == '\t' ? "\\t"
					     : NULL;
	if (letters != NULL) {
		memcpy(out, letters, 2);
		return 2;
	}
	memcpy(out, "\\x", 2);
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 0xf];
	return 4;
}

/* Appends the message to the line, escaped; returns the line's length. Leaves room for "...\n". */
static size_t escape(char *line, size_t at, const char *message, size_t len)
{
	unsigned char before = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)message[i];
		if (at + ESCAPED_MAX_BYTES > LINE_MAX_BYTES) {
			memcpy(line + at, "...", 3);
			return at + 3;
		}
		unsigned char after = i + 1 < len ? (unsigned char)message[i + 1] : 0;
		if (is_control(before, byte, after))
			at += escape_byte(byte, line + at);
		else
			line[at++] = (char)byte;
		before = byte;
	}
	return at;
}

static size_t write_prefix(char *line, enum log_level level)
{
	static const char words[][8] = {" error ", " warn  ", " info  ", " debug "};
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, line);
	memcpy(line + CLOCK_TEXT_SIZE - 1, words[level], sizeof(words[0]) - 1);
	return CLOCK_TEXT_SIZE - 1 + sizeof(words[0]) - 1;
}

void log_line(enum log_level level, const char *format, ...)
{
	if (level > level_max)
		return;
	int errno_before = errno;
	char message[MESSAGE_MAX_BYTES], line[LINE_MAX_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int printed = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (printed < 0)
		printed = 0;
	size_t len = (size_t)printed;
	if (len >= sizeof(message)) {
		len = sizeof(message) - 1;
		memcpy(message + len - 3, "...", 3);
	}
	size_t at = write_prefix(line, level);
	at = escape(line, at, message, len);
	line[at++] = '\n';
	ssize_t written;
	do
		written = write(STDERR_FILENO, line, at);
	while (written < 0 && errno == EINTR);
	errno = errno_before;
}
