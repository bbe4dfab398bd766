/* An outside identity provider: private keys, and tokens signed with them, right or wrong as the test likes.
 *
 * The keys in tests/support/keys/ protect nothing but tests. They were made by
 *   openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
 *   openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem */
#ifndef ONSALE_TESTS_SUPPORT_IDP_H
#define ONSALE_TESTS_SUPPORT_IDP_H

#include "proto/base/buf.h"

enum idp_signer {
	IDP_RSA, /* RS256 */
	IDP_RSA_OTHER,
	IDP_EC, /* ES256 */
	IDP_EC_OTHER,
	IDP_SIGNERS
};

enum { IDP_TOKEN_LIMIT = 16 * 1024 };

/* The public key in PEM, to be freed. */
char *idp_public_pem(enum idp_signer signer);

/* header.claims, both JSON (or what a test takes for it), and the signature: in base64url, to be freed. */
char *idp_sign(enum idp_signer signer, const char *header, const char *claims);

/* The same with HMAC-SHA-256 under a secret; NULL: without any signature, the last dot stays. */
char *idp_sign_with_secret(const char *secret, const char *header, const char *claims);

#endif
