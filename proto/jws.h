/* A JSON Web Token (RFC 7519) as it is written, taken apart: what it says, before anybody believes it. Who
 * believes it asks the questions below, and checks the signature with a key and an algorithm of its own. */
#ifndef ONSALE_PROTO_JWS_H
#define ONSALE_PROTO_JWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer tokens are refused; a request's head (HTTP_HEAD_MAX) has room for one of them. */
enum { JWS_TEXT_MAX = 6 * 1024, JWS_SKEW_SECONDS = 5 };

struct jws {
	const char *text; /* the caller's */
	size_t signed_len; /* the text up to the second dot is what is signed */
	const char *signature; /* what comes behind it, base64url */
	struct json_object *header, *claims;
};

/* False where the text is not three parts in base64url, of which the first two are JSON objects; nothing is
 * to be freed then. */
bool jws_read(const char *text, struct jws *jws);
void jws_free(struct jws *jws);

/* The header's alg is this one, and it asks for no extension ("crit"), of which none is known here. */
bool jws_algorithm_is(const struct jws *jws, const char *algorithm);

/* The header's kid: false where it is no text. *kid is NULL where there is none. A text here and below has no
 * control characters. */
bool jws_key_id(const struct jws *jws, const char **kid);

/* A claim that is a text, or NULL. */
const char *jws_claim(const struct jws *jws, const char *name);

/* iss is this one; aud is this one or a list in which it stands. */
bool jws_is_by(const struct jws *jws, const char *issuer);
bool jws_is_for(const struct jws *jws, const char *audience);

/* Not expired, and begun: exp, which must be there, and nbf and iat, which may; of these two it is let pass
 * that the issuer's clock is JWS_SKEW_SECONDS ahead. */
bool jws_is_current(const struct jws *jws, int64_t now_unix_s, int64_t *expires_unix_s);

#endif
