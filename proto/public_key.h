/* Public keys, and signatures that they verify (JWA, RFC 7518): RS256 by an RSA key of 2048 to 4096 bits, ES256
 * by a key on the curve P-256. By OpenSSL's libcrypto, the only includer of it: a key is parsed once, where
 * libjwt would parse it anew for each token, which takes several times as long as the check itself. */
#ifndef ONSALE_PROTO_PUBLIC_KEY_H
#define ONSALE_PROTO_PUBLIC_KEY_H

#include <stdbool.h>
#include <stddef.h>

enum public_key_algorithm { PUBLIC_KEY_RS256, PUBLIC_KEY_ES256 };

struct public_key;

/* From PEM ("BEGIN PUBLIC KEY"). NULL where it is none, or not one for this algorithm. */
struct public_key *public_key_new(enum public_key_algorithm algorithm, const char *pem, size_t len);
void public_key_free(struct public_key *key);

/* signature: as JWS has it, for ES256 the two numbers one after the other. */
bool public_key_verifies(const struct public_key *key, const void *bytes, size_t len,
	const unsigned char *signature, size_t signature_len);

#endif
