/* One line of the log while it is put together, on the stack: logging works when memory is out. A line is
 * at most PIPE_BUF bytes, which a pipe takes whole or not at all. What does not fit is cut and ends in "...";
 * room for that, and for the line's end, is kept. */
#ifndef ONSALE_PROTO_BASE_LOG_TEXT_H
#define ONSALE_PROTO_BASE_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LOG_TEXT_MAX = 4096, LOG_TEXT_KEPT = 16 };

struct log_text {
	size_t len;
	bool cut; /* takes no more but its end */
	char bytes[LOG_TEXT_MAX]; /* not cleared before */
};

static inline void log_text_begin(struct log_text *text)
{
	text->len = 0;
	text->cut = false;
}

/* Bytes that are fit to stand in a line: texts of the code. All or nothing. */
static inline void log_text_put(struct log_text *text, const char *bytes, size_t len)
{
	text->cut = text->cut || len > LOG_TEXT_MAX - LOG_TEXT_KEPT - text->len;
	if (text->cut)
		return;
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static inline void log_text_add(struct log_text *text, const char *constant)
{
	log_text_put(text, constant, strlen(constant));
}

void log_text_number(struct log_text *text, uint64_t number);

/* Anybody's bytes, with control characters escaped (CR, LF, ESC, those of C1 as UTF-8 spells them): what a
 * client sends cannot forge a line, nor steer a terminal. */
void log_text_escaped(struct log_text *text, const char *bytes, size_t len);

/* … as the inside of a JSON string: what is not UTF-8 becomes U+FFFD. */
void log_text_json(struct log_text *text, const char *bytes, size_t len);

/* The line's last bytes, and its newline; at most LOG_TEXT_KEPT in all, with "..." where it was cut. */
void log_text_end(struct log_text *text, const char *end);

#endif
