/* A chunk tells its length first: that is counted before anything is written. */
#include "proto/event_stream.h"

#include <stdio.h>

enum { FIXED_MAX = 64 };

static const char COMMENT[] = ":\n\n";

/* "retry: 2000", "event: end", each on a line of its own; mostly there are none. */
static size_t write_fields(const struct server_event *event, char *fields, size_t size)
{
	int len = 0;

	if (event->retry_ms > 0)
		len = snprintf(fields, size, "retry: %u\n", event->retry_ms);
	if (event->name != NULL)
		len += snprintf(fields + len, size - (size_t)len, "event: %s\n", event->name);
	CHECK(len >= 0 && (size_t)len < size);
	return (size_t)len;
}

static void open_chunk(struct buf *out, size_t len)
{
	char text[sizeof len * 2 + sizeof "\r\n"];

	buf_append(out, text, (size_t)snprintf(text, sizeof text, "%zx\r\n", len));
}

void server_event_write(struct buf *out, const struct server_event *event, bool chunked)
{
	char fields[FIXED_MAX];
	size_t fields_len = write_fields(event, fields, sizeof fields);
	size_t len = fields_len +
		     (event->data != NULL ? strlen("data: \n\n") + event->len : sizeof COMMENT - 1);

	CHECK(event->data == NULL || memchr(event->data, '\n', event->len) == NULL);
	if (buf_reserve(out, len + FIXED_MAX) == NULL) {
		out->failed = true;
		return;
	}
	if (chunked)
		open_chunk(out, len);
	buf_append(out, fields, fields_len);
	if (event->data != NULL) {
		buf_append_text(out, "data: ");
		buf_append(out, event->data, event->len);
		buf_append_text(out, "\n\n");
	} else {
		buf_append_text(out, COMMENT);
	}
	if (chunked)
		buf_append_text(out, "\r\n");
}

void server_event_write_end(struct buf *out, bool chunked)
{
	if (chunked)
		buf_append_text(out, "0\r\n\r\n");
}
