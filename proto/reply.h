/* HTTP/1.1 replies, written into a buffer. */
#ifndef ONSALE_PROTO_REPLY_H
#define ONSALE_PROTO_REPLY_H

#include "proto/base/buf.h"

struct reply {
	int status;
	const char *content_type; /* NULL: no body (204, 304) */
	const char *headers;	  /* further header lines, each ending in CRLF, or NULL */
	const char *request_id;
	const char *body;
	size_t body_len;
	bool head_only; /* HEAD: the headers of the whole reply, without its body */
	bool close;	/* says "Connection: close" */
};

/* Appends the status line, Date-less headers (Content-Type, Content-Length, X-Request-Id, Connection
 * where it closes, the further ones) and the body. */
void reply_write(struct buf *out, const struct reply *reply);

/* "Not Found" for 404. */
const char *reply_reason(int status);

#endif
