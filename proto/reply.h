/* HTTP/1.1 replies, written into a buffer. */
#ifndef ONSALE_PROTO_REPLY_H
#define ONSALE_PROTO_REPLY_H

#include "proto/base/buf.h"

struct reply {
	int status;
	const char *content_type; /* NULL: no body (204, 304) */
	const char *headers; /* further header lines, each ending in CRLF, or NULL */
	const char *more_headers; /* as headers: what does not come from the flow, or NULL */
	const char *request_id;
	const char *body;
	size_t body_len;
	bool head_only; /* HEAD: the headers of the whole reply, without its body */
	const char *date; /* NULL: says none */
	bool no_store; /* says "Cache-Control: no-store" */
	bool close; /* says "Connection: close" */
	bool keep_alive; /* says "Connection: keep-alive": an HTTP/1.0 client asked for it */
	bool streamed; /* of unknown length: the body follows, in chunks or up to the connection's end */
	bool chunked; /* streamed, in chunks */
};

/* Appends the status line, the headers (Content-Type, Content-Length, X-Request-Id, Date, Connection, those that
 * hold browsers back, the further ones) and the body. A page (text/html) brings its own Content-Security-Policy
 * among the further ones. A 304 has none but those: caches put what it says in place of what they keep. */
void reply_write(struct buf *out, const struct reply *reply);

/* "Not Found" for 404. */
const char *reply_reason(int status);

#endif
