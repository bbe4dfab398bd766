/* Which web pages of other origins may read our replies (the Fetch standard's CORS). Denied by default; the list
 * holds exact origins, scheme://host[:port], separated by commas, and no wildcard. Pure. */
#ifndef ONSALE_PROTO_CORS_H
#define ONSALE_PROTO_CORS_H

#include <stdbool.h>
#include "proto/base/buf.h"

/* Each element is an origin as browsers send it; "" is the empty list. */
bool cors_list_ok(const char *list);

/* The origin (NULL: none was sent) is in the list, to the byte. */
bool cors_allows(const char *list, const char *origin);

/* The header lines that each reply has where the list is not empty: what the origin may read, and that replies
 * differ by it. Nothing where the list is empty. */
void cors_write(struct buf *out, const char *list, const char *origin);

/* The further lines of the reply to a preflight by an origin of the list. methods: "GET, POST". */
void cors_write_preflight(struct buf *out, const char *methods);

#endif
