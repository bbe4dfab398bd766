/* Access tokens by an outside identity provider: one issuer, one audience, one algorithm, several keys by kid.
 * All of these are the settings'; a token only says which of the keys it was signed with. */
#ifndef ONSALE_PROTO_IDP_H
#define ONSALE_PROTO_IDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/email.h"

enum {
	IDP_KEYS_MAX = 16,
	IDP_KEY_ID_MAX = 128, /* bytes */
	IDP_PEM_MAX = 8 * 1024,
	IDP_SUBJECT_MAX = 255, /* bytes; OpenID Connect allows no more */
	IDP_NAME_MAX = 100 /* code points */
};

struct idp;

/* Who it is to the issuer. */
struct idp_person {
	char subject[IDP_SUBJECT_MAX + 1];
	char email[EMAIL_SIZE]; /* "": none, or none that the issuer stands for */
	char name[4 * IDP_NAME_MAX + 1]; /* "": none */
	int64_t expires_unix_s; /* of the token */
};

/* algorithm: "RS256" or "ES256". The texts are copied. */
struct idp *idp_new(const char *issuer, const char *audience, const char *algorithm);
void idp_free(struct idp *idp);

/* False with the reason in `why`: not a public key for the algorithm, or one too many. */
bool idp_add_key(
	struct idp *idp, const char *kid, const char *pem, size_t len, char *why, size_t why_size);

/* False: malformed, another algorithm, an unknown key (a token without kid is taken where there is one key
 * only), by another issuer, for another audience, expired or not yet valid, not signed by that key. */
bool idp_verify(
	const struct idp *idp, const char *text, int64_t now_unix_s, struct idp_person *person);

#endif
