/* Server-sent events as the HTML standard has them (text/event-stream), each a chunk of its own where the reply is
 * chunked. Pure: what is told in, bytes out. */
#ifndef ONSALE_PROTO_EVENT_STREAM_H
#define ONSALE_PROTO_EVENT_STREAM_H

#include "proto/base/buf.h"

struct server_event {
	const char *name; /* NULL: "message", which needs no saying */
	const char *data; /* one line; NULL: a comment, which only shows that the stream lives */
	size_t len;
	unsigned retry_ms; /* how long a browser waits before it comes again; 0: not said */
};

/* Appends it. chunked: as one chunk (RFC 9112, 7.1). */
void server_event_write(struct buf *out, const struct server_event *event, bool chunked);

/* The chunk after the last one. */
void server_event_write_end(struct buf *out, bool chunked);

#endif
