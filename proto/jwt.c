/* libjwt reads and checks the signature; what a token must say is judged here. Two rules keep it
 * safe: the algorithm is asked for after decoding and must be HS256, whatever the header claimed,
 * and the time comes from the caller. */
#include "proto/jwt.h"

#include <errno.h>
#include <jwt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"

enum { CLOCK_SKEW_SECONDS = 5, ID_BYTES = 16, NUMBER_SIZE = 24 };

struct access_token_key {
	unsigned char *secret;
	int secret_len;
	char *issuer, *audience;
};

/* The longest token that the issuer and audience allow must fit: a start-up check, so that no log-in
 * can fail on it. */
static void check_fits(const struct access_token_key *key)
{
	const struct access_token longest = {INT64_MAX, true, INT64_MAX};
	char text[ACCESS_TOKEN_TEXT_SIZE];
	access_token_sign(key, &longest, INT64_MAX, text);
}

struct access_token_key *access_token_key_new(
	const char *secret, const char *issuer, const char *audience)
{
	size_t len = strlen(secret);
	CHECK(len >= ACCESS_TOKEN_SECRET_MIN && len <= INT16_MAX);
	CHECK(sodium_init() >= 0);
	struct access_token_key *key = must_malloc(sizeof(*key));
	key->secret = (unsigned char *)must_strdup(secret);
	key->secret_len = (int)len;
	key->issuer = must_strdup(issuer);
	key->audience = must_strdup(audience);
	check_fits(key);
	return key;
}

void access_token_key_free(struct access_token_key *key)
{
	if (key == NULL)
		return;
	sodium_memzero(key->secret, (size_t)key->secret_len);
	free(key->secret);
	free(key->issuer);
	free(key->audience);
	free(key);
}

static void add_text(jwt_t *jwt, const char *claim, const char *value)
{
	CHECK(jwt_add_grant(jwt, claim, value) == 0);
}

static void add_time(jwt_t *jwt, const char *claim, int64_t unix_s)
{
	CHECK(jwt_add_grant_int(jwt, claim, (long)unix_s) == 0);
}

/* An id of its own for each token: what a log-out names. */
static void add_id(jwt_t *jwt)
{
	unsigned char bytes[ID_BYTES];
	char hex[2 * ID_BYTES + 1];
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
	add_text(jwt, "jti", hex);
}

static void add_subject(jwt_t *jwt, int64_t user_id)
{
	struct buf digits = BUF_INIT(NUMBER_SIZE);
	buf_append_i64(&digits, user_id);
	add_text(jwt, "sub", digits.data);
	buf_free(&digits);
}

void access_token_sign(const struct access_token_key *key, const struct access_token *token,
	int64_t now_unix_s, char text[ACCESS_TOKEN_TEXT_SIZE])
{
	jwt_t *jwt;
	CHECK(jwt_new(&jwt) == 0);
	CHECK(jwt_set_alg(jwt, JWT_ALG_HS256, key->secret, key->secret_len) == 0);
	add_text(jwt, "iss", key->issuer);
	add_text(jwt, "aud", key->audience);
	add_subject(jwt, token->user_id);
	add_text(jwt, "role", token->admin ? "admin" : "buyer");
	add_time(jwt, "iat", now_unix_s);
	add_time(jwt, "exp", token->expires_unix_s);
	add_id(jwt);
	char *encoded = jwt_encode_str(jwt);
	jwt_free(jwt);
	CHECK(encoded != NULL);
	size_t len = strlen(encoded);
	CHECK(len < ACCESS_TOKEN_TEXT_SIZE);
	memcpy(text, encoded, len + 1);
	free(encoded);
}

static bool claim_is(jwt_t *jwt, const char *claim, const char *expected)
{
	const char *value = jwt_get_grant(jwt, claim);
	return value != NULL && strcmp(value, expected) == 0;
}

enum claim { CLAIM_MISSING, CLAIM_INTEGER, CLAIM_WRONG };

/* libjwt 1.10 gives 0 for a claim of another type, newer ones an error. */
static enum claim integer_claim(jwt_t *jwt, const char *claim, int64_t *value)
{
	errno = 0;
	*value = jwt_get_grant_int(jwt, claim);
	if (errno == 0)
		return *value > 0 ? CLAIM_INTEGER : CLAIM_WRONG;
	return errno == ENOENT ? CLAIM_MISSING : CLAIM_WRONG;
}

/* A decimal number in the one spelling that signing gives: no sign, no zero in front. */
static bool parse_subject(const char *text, int64_t *user_id)
{
	if (text == NULL || *text < '1' || *text > '9')
		return false;
	int64_t value = 0;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, *text - '0', &value))
			return false;
	}
	*user_id = value;
	return true;
}

static bool times_ok(jwt_t *jwt, int64_t now_unix_s, int64_t *expires_unix_s)
{
	int64_t issued, not_before;
	if (integer_claim(jwt, "exp", expires_unix_s) != CLAIM_INTEGER ||
		*expires_unix_s <= now_unix_s)
		return false;
	enum claim read = integer_claim(jwt, "iat", &issued);
	if (read == CLAIM_WRONG ||
		(read == CLAIM_INTEGER && issued > now_unix_s + CLOCK_SKEW_SECONDS))
		return false;
	read = integer_claim(jwt, "nbf", &not_before);
	return read == CLAIM_MISSING || (read == CLAIM_INTEGER && not_before <= now_unix_s);
}

static bool judge(const struct access_token_key *key, jwt_t *jwt, int64_t now_unix_s,
	struct access_token *token)
{
	struct access_token judged;
	if (jwt_get_alg(jwt) != JWT_ALG_HS256 || !claim_is(jwt, "iss", key->issuer) ||
		!claim_is(jwt, "aud", key->audience) ||
		!parse_subject(jwt_get_grant(jwt, "sub"), &judged.user_id) ||
		!times_ok(jwt, now_unix_s, &judged.expires_unix_s))
		return false;
	judged.admin = claim_is(jwt, "role", "admin");
	*token = judged;
	return true;
}

/* base64url and two dots: libjwt's own decoding lets other bytes pass. */
static bool looks_like_token(const char *text)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	for (int part = 0; part < 3; part++) {
		size_t len = strspn(text, allowed);
		if (len == 0)
			return false;
		text += len;
		if (*text != (part < 2 ? '.' : '\0'))
			return false;
		text++;
	}
	return true;
}

bool access_token_verify(const struct access_token_key *key, const char *text, int64_t now_unix_s,
	struct access_token *token)
{
	if (strnlen(text, ACCESS_TOKEN_TEXT_SIZE) == ACCESS_TOKEN_TEXT_SIZE ||
		!looks_like_token(text))
		return false;
	jwt_t *jwt = NULL;
	if (jwt_decode(&jwt, text, key->secret, key->secret_len) != 0)
		return false;
	bool ours = judge(key, jwt, now_unix_s, token);
	jwt_free(jwt);
	return ours;
}
