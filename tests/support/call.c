/* The plainest HTTP/1.1 that a client could send. */
#include "tests/support/call.h"

#include <string.h>

static void write_header(struct buf *out, const char *name, const char *value)
{
	if (value != NULL)
		buf_printf(out, "%s%s\r\n", name, value);
}

void call_write(const struct call *call, struct buf *out)
{
	buf_printf(out, "%s %s HTTP/1.1\r\nHost: onsale.test\r\n", call->method, call->path);
	write_header(out, "Authorization: Bearer ", call->jwt);
	write_header(out, "Idempotency-Key: ", call->key);
	write_header(out, "X-Queue-Pass: ", call->pass);
	write_header(out, "X-Queue-Token: ", call->queue_token);
	if (call->headers != NULL)
		buf_append_text(out, call->headers);
	if (call->body != NULL)
		buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			strlen(call->body));
	buf_append_text(out, "\r\n");
	if (call->body != NULL)
		buf_append_text(out, call->body);
	CHECK(!out->failed);
}
