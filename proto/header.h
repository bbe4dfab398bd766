/* What a request's headers say, each from its value alone (NULL: it was not sent). Pure. */
#ifndef ONSALE_PROTO_HEADER_H
#define ONSALE_PROTO_HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum { REQUEST_ID_SIZE = 129, IDEMPOTENCY_KEY_MAX = 255 };

/* Content-Type: application/json, with any parameters. */
bool header_is_json(const char *content_type);

/* Authorization: what follows "Bearer ", or NULL. */
const char *header_bearer(const char *authorization);

/* Idempotency-Key: 1 to IDEMPOTENCY_KEY_MAX printable characters of ASCII, quoted, as the draft of the header field
 * has it (a structured-field string), or bare. *key points into the value, *len is without the quotes. */
bool header_idempotency_key(const char *value, const char **key, size_t *len);

/* X-Request-Id: one that may stand in a log and in a reply, and fits REQUEST_ID_SIZE. */
bool header_request_id_ok(const char *value);

/* Traceparent (W3C Trace Context, level 1): of which trace the request is a part, and of which span of its caller.
 * Texts in lower-case hexadecimal. Of versions to come what this one knows is read, as the standard wants it. */
struct trace {
	char trace_id[33], span_id[17];
};
bool header_traceparent(const char *value, struct trace *trace);

/* If-None-Match (RFC 9110, 13.1.2): has it this entity tag (quoted), compared weakly, or "*"? */
bool header_has_tag(const char *if_none_match, const char *tag);

#endif
