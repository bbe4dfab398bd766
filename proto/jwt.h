/* Access tokens: JSON Web Tokens (RFC 7519) by libjwt. The algorithm is the settings', never the
 * token's: HS256 with one secret. Claims: iss, aud, sub (the user's id, decimal), role, iat, exp, jti.
 * The public names start with access_token_, since libjwt owns jwt_. */
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

struct access_token_key;

/* secret: at least ACCESS_TOKEN_SECRET_MIN bytes; the texts are copied. */
struct access_token_key *access_token_key_new(
	const char *secret, const char *issuer, const char *audience);
void access_token_key_free(struct access_token_key *key);

void access_token_sign(const struct access_token_key *key, const struct access_token *token,
	int64_t now_unix_s, char text[ACCESS_TOKEN_TEXT_SIZE]);

/* False: malformed, another algorithm, not ours, for another audience, expired or not yet valid. */
bool access_token_verify(const struct access_token_key *key, const char *text, int64_t now_unix_s,
	struct access_token *token);

#endif
