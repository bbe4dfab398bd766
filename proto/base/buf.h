/* A byte buffer that grows up to a limit.
 *
 *   data                 data+len          data+cap
 *   |------- bytes -------|----- free -------|
 *
 * Failing is sticky: once an append would pass the limit, or memory for more than 128 KiB cannot be had,
 * `failed` is set and appends do nothing,
 * so that a whole reply can be built and checked once. The bytes are always followed by a NUL that
 * does not count (an empty buffer may have no data at all). A zeroed struct with a limit is a valid,
 * empty buffer. */
#ifndef ONSALE_PROTO_BASE_BUF_H
#define ONSALE_PROTO_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "proto/base/check.h"

struct buf {
	char *data;
	size_t len, cap, limit;
	bool failed;
};

#define BUF_INIT(limit_bytes) ((struct buf){.limit = (limit_bytes)})

void buf_append(struct buf *buf, const void *bytes, size_t len);

/* Here, so that the length of a text in the code is known when it is compiled. */
static inline void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c);
void buf_append_i64(struct buf *buf, int64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `len` more bytes, written by the caller at data + len, who then adds to len; NULL past
 * the limit or without memory, which does not count as failing. */
char *buf_reserve(struct buf *buf, size_t len);

/* Drops the first `len` bytes. */
void buf_drop(struct buf *buf, size_t len);

/* Empty again; keeps the memory. */
void buf_clear(struct buf *buf);

/* Gives the memory back; the buffer is empty and usable. */
void buf_free(struct buf *buf);

#endif
