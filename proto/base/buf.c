/* Growth doubles, so that appending costs the same however long the buffer gets, and ends at the
 * limit exactly. One byte more than `cap` is allocated: the NUL's. */
#include "proto/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to this size memory must be had; a larger buffer fails instead. */
enum { FIRST_CAP = 256, I64_DIGITS = 20, MUST_MAX = 128 * 1024 };

/* Makes room for len more bytes; false past the limit, or where a large buffer cannot be had. */
static bool grow(struct buf *buf, size_t len)
{
	if (len <= buf->cap - buf->len)
		return true;
	if (buf->len > buf->limit || len > buf->limit - buf->len)
		return false;
	size_t need = buf->len + len, cap = buf->cap > FIRST_CAP / 2 ? buf->cap * 2 : FIRST_CAP;
	if (cap < need)
		cap = need;
	if (cap > buf->limit)
		cap = buf->limit;
	char *data = cap <= MUST_MAX ? must_realloc(buf->data, cap + 1)
				     : realloc(buf->data, cap + 1);
	if (data == NULL)
		return false;
	buf->data = data;
	buf->data[buf->len] = '\0';
	buf->cap = cap;
	return true;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
	if (buf->failed || len == 0)
		return;
	if (!grow(buf, len)) {
		buf->failed = true;
		return;
	}
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_append_i64(struct buf *buf, int64_t value)
{
	char digits[I64_DIGITS];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		digits[--at] = '-';
	buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	CHECK(len >= 0);
	if (buf->failed || len == 0)
		return;
	if (!grow(buf, (size_t)len)) {
		buf->failed = true;
		return;
	}
	va_start(arguments, format);
	vsnprintf(buf->data + buf->len, (size_t)len + 1, format, arguments);
	va_end(arguments);
	buf->len += (size_t)len;
}

char *buf_reserve(struct buf *buf, size_t len)
{
	if (buf->failed || !grow(buf, len))
		return NULL;
	if (buf->data == NULL)
		buf->data = must_calloc(
			1, 1); /* nothing was asked for, but NULL says "past the limit" */
	return buf->data + buf->len;
}

void buf_drop(struct buf *buf, size_t len)
{
	CHECK(len <= buf->len);
	if (len == 0)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	buf->len -= len;
	buf->data[buf->len] = '\0';
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
	buf->failed = false;
}
