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

/* If-None-Match (RFC 9110, 13.1.2): has it this entity tag (quoted), compared weakly, or "*"? */
bool header_has_tag(const char *if_none_match, const char *tag);

#endif
