/* Signs with libcrypto; what the server believes is the server's affair. For tests and for fuzz targets, hence CHECK. */
#include "tests/support/idp.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/embed.h"

EMBED(idp_rsa_pem, "tests/support/keys/rsa.pem");
EMBED(idp_rsa_other_pem, "tests/support/keys/rsa_other.pem");
EMBED(idp_ec_pem, "tests/support/keys/ec.pem");
EMBED(idp_ec_other_pem, "tests/support/keys/ec_other.pem");

enum { NUMBER_SIZE = 32, SIGNATURE_SIZE = 512 };

/* Read once: reading one takes as long as signing. */
static EVP_PKEY *private_key(enum idp_signer signer)
{
	static EVP_PKEY *keys[IDP_SIGNERS];
	const char *const pems[IDP_SIGNERS] = {[IDP_RSA] = idp_rsa_pem,
		[IDP_RSA_OTHER] = idp_rsa_other_pem,
		[IDP_EC] = idp_ec_pem,
		[IDP_EC_OTHER] = idp_ec_other_pem};

	if (keys[signer] == NULL) {
		BIO *bio = BIO_new_mem_buf(pems[signer], -1);
		keys[signer] = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		CHECK(keys[signer] != NULL);
		BIO_free(bio);
	}
	return keys[signer];
}

char *idp_public_pem(enum idp_signer signer)
{
	EVP_PKEY *key = private_key(signer);
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;

	CHECK(PEM_write_bio_PUBKEY(bio, key) == 1);
	size_t len = (size_t)BIO_get_mem_data(bio, &bytes);
	char *pem = must_calloc(1, len + 1);
	memcpy(pem, bytes, len);
	BIO_free(bio);
	return pem;
}

static void append_base64url(struct buf *out, const void *bytes, size_t len)
{
	size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *text = must_malloc(size);

	sodium_bin2base64(text, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_append_text(out, text);
	free(text);
}

static struct buf begin(const char *header, const char *claims)
{
	struct buf token = BUF_INIT(IDP_TOKEN_LIMIT);

	append_base64url(&token, header, strlen(header));
	buf_append_char(&token, '.');
	append_base64url(&token, claims, strlen(claims));
	return token;
}

static char *end(struct buf *token, const unsigned char *signature, size_t len)
{
	buf_append_char(token, '.');
	append_base64url(token, signature, len);
	CHECK(!token->failed);
	return token->data;
}

/* JWS has the two numbers bare, each of 32 bytes. */
static size_t without_der(unsigned char *signature, size_t len)
{
	const unsigned char *der = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

	CHECK(pair != NULL);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, NUMBER_SIZE) == NUMBER_SIZE);
	CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + NUMBER_SIZE, NUMBER_SIZE) ==
		NUMBER_SIZE);
	ECDSA_SIG_free(pair);
	return 2 * NUMBER_SIZE;
}

char *idp_sign(enum idp_signer signer, const char *header, const char *claims)
{
	struct buf token = begin(header, claims);
	unsigned char signature[SIGNATURE_SIZE];
	size_t len = sizeof signature;
	EVP_PKEY *key = private_key(signer);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	CHECK(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1);
	CHECK(EVP_DigestSign(
		      context, signature, &len, (const unsigned char *)token.data, token.len) == 1);
	EVP_MD_CTX_free(context);
	if (signer == IDP_EC || signer == IDP_EC_OTHER)
		len = without_der(signature, len);
	return end(&token, signature, len);
}

char *idp_sign_with_secret(const char *secret, const char *header, const char *claims)
{
	struct buf token = begin(header, claims);
	unsigned char tag[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	if (secret == NULL)
		return end(&token, tag, 0);
	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)token.data, token.len);
	crypto_auth_hmacsha256_final(&state, tag);
	return end(&token, tag, sizeof tag);
}
