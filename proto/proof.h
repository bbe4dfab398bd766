/* Proof of work: whoever signs up finds a nonce that gives
 *
 *   SHA-256( challenge ":" e-mail ":" nonce )
 *
 * a number of leading zero bits; the e-mail with its letters A to Z made small. That takes 2^bits tries on
 * average, and one to check. The e-mail in it makes every account cost the work anew. */
#ifndef ONSALE_PROTO_PROOF_H
#define ONSALE_PROTO_PROOF_H

#include <stdbool.h>

enum { PROOF_NONCE_MAX = 64, PROOF_BITS_MAX = 30 };

bool proof_holds(const char *challenge, const char *email, const char *nonce, unsigned bits);

#endif
