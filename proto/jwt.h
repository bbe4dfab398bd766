/* Access tokens that are ours: JSON Web Tokens (RFC 7519) by libjwt. The algorithm is the settings', never the
 * token's: HS256 with one secret, or for a while with two, so that it can be changed: the current one signs, the
 * previous one is still believed. Header: kid, which names the secret. Claims: iss, aud, sub (the user's id,
 * decimal), role, iat, exp, jti. The public names start with access_token_, since libjwt owns jwt_. */
#ifndef ONSALE_PROTO_JWT_H
#define ONSALE_PROTO_JWT_H

#include <stdbool.h>
#include <stdint.h>

enum { ACCESS_TOKEN_SECRET_MIN = 32, ACCESS_TOKEN_TEXT_SIZE = 768 };

struct access_token {
	int64_t user_id;
	bool admin;
	int64_t expires_unix_s;
};

/* Secrets have at least ACCESS_TOKEN_SECRET_MIN bytes; previous_secret is NULL or "" where there is none. */
struct access_token_settings {
	const char *key_id, *secret;
	const char *previous_key_id, *previous_secret;
	const char *issuer, *audience;
};

struct access_token_key;

/* The texts are copied. */
struct access_token_key *access_token_key_new(const struct access_token_settings *settings);
void access_token_key_free(struct access_token_key *key);

void access_token_sign(const struct access_token_key *key, const struct access_token *token,
	int64_t now_unix_s, char text[ACCESS_TOKEN_TEXT_SIZE]);

/* False: malformed, another algorithm, by an unknown secret, not ours, for another audience, expired or not yet
 * valid. A token that names no secret is one of the current one's. */
bool access_token_verify(const struct access_token_key *key, const char *text, int64_t now_unix_s,
	struct access_token *token);

#endif
