/* libcrypto wants an ECDSA signature in DER, JWS has its two numbers bare. */
#include "proto/public_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, NUMBER_SIZE = 32, CURVE_NAME_SIZE = 32 };

struct public_key {
	enum public_key_algorithm algorithm;
	EVP_PKEY *key;
};

static bool is_p256(const EVP_PKEY *key)
{
	char curve[CURVE_NAME_SIZE];
	size_t len;

	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, curve, sizeof curve, &len) == 1 &&
	       strcmp(curve, "prime256v1") == 0;
}

static bool fits(enum public_key_algorithm algorithm, const EVP_PKEY *key)
{
	if (algorithm == PUBLIC_KEY_ES256)
		return is_p256(key);
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	       EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
}

/* In place of libcrypto's own, which asks on the terminal. A public key has no password. */
static int no_password(char *text UNUSED, int size UNUSED, int writing UNUSED, void *context UNUSED)
{
	return -1;
}

struct public_key *public_key_new(enum public_key_algorithm algorithm, const char *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);

	CHECK(bio != NULL);
	EVP_PKEY *parsed = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (parsed == NULL)
		return NULL;
	if (!fits(algorithm, parsed)) {
		EVP_PKEY_free(parsed);
		return NULL;
	}
	struct public_key *key = must_malloc(sizeof *key);
	*key = (struct public_key){algorithm, parsed};
	return key;
}

void public_key_free(struct public_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

/* The length of the DER, to be freed with OPENSSL_free; below 0 where it cannot be made. */
static int make_der(const unsigned char *signature, unsigned char **der)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, NUMBER_SIZE, NULL);
	BIGNUM *s = BN_bin2bn(signature + NUMBER_SIZE, NUMBER_SIZE, NULL);
	int len;

	CHECK(pair != NULL && r != NULL && s != NULL);
	CHECK(ECDSA_SIG_set0(pair, r, s) == 1); /* owns the numbers from here on */
	*der = NULL;
	len = i2d_ECDSA_SIG(pair, der);
	ECDSA_SIG_free(pair);
	return len;
}

static bool check(EVP_PKEY *key, const void *bytes, size_t len, const unsigned char *signature,
	size_t signature_len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	CHECK(context != NULL);
	bool good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(context, signature, signature_len, bytes, len) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

bool public_key_verifies(const struct public_key *key, const void *bytes, size_t len,
	const unsigned char *signature, size_t signature_len)
{
	unsigned char *der;

	if (key->algorithm == PUBLIC_KEY_RS256)
		return check(key->key, bytes, len, signature, signature_len);
	if (signature_len != 2 * NUMBER_SIZE)
		return false;
	int der_len = make_der(signature, &der);
	bool good = der_len > 0 && check(key->key, bytes, len, der, (size_t)der_len);
	OPENSSL_free(der);
	return good;
}
