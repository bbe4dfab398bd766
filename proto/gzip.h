/* Compressed replies. Pure: bytes in, bytes out. */
#ifndef ONSALE_PROTO_GZIP_H
#define ONSALE_PROTO_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/base/buf.h"

/* What Accept-Encoding (RFC 9110, 12.5.3; NULL: none was sent) says of gzip: it is acceptable, and not worth less
 * to the client than the reply as it is. */
bool gzip_accepted(const char *accept_encoding);

/* Appends the bytes compressed, at the fastest level. False, and nothing
 * appended, where there is no room or memory, or they do not get smaller by a quarter. */
bool gzip_write(struct buf *out, const char *bytes, size_t len);

#endif
