/* What passes for an e-mail address here. */
#ifndef ONSALE_PROTO_EMAIL_H
#define ONSALE_PROTO_EMAIL_H

#include <stdbool.h>

/* In code points; a buffer for one has EMAIL_SIZE bytes. */
enum { EMAIL_MAX = 254, EMAIL_SIZE = 4 * EMAIL_MAX + 1 };

/* One @ with something on both sides, and no space; whether mail gets there only sending some would show. */
bool email_ok(const char *text);

#endif
