/* jws.c reads a token and libjwt checks its signature; what a token must say is judged here. Two rules keep it
 * safe: the algorithm must be HS256, whatever the header claimed, and the time comes from the caller. */
#include "proto/jwt.h"

#include <errno.h>
#include <inttypes.h>
#include <jwt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/reserve.h"
#include "proto/jws.h"

enum { ID_BYTES = 16, NUMBER_SIZE = 24 };

struct secret {
	char *id; /* NULL: there is no such secret */
	unsigned char *bytes;
	int len;
};

struct access_token_key {
	struct secret current, previous;
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

static struct secret make_secret(const char *id, const char *text)
{
	size_t len = strlen(text);

	CHECK(len >= ACCESS_TOKEN_SECRET_MIN && len <= INT16_MAX);
	return (struct secret){must_strdup(id), (unsigned char *)must_strdup(text), (int)len};
}

static void free_secret(struct secret *secret)
{
	if (secret->id == NULL)
		return;
	sodium_memzero(secret->bytes, (size_t)secret->len);
	free(secret->bytes);
	free(secret->id);
}

struct access_token_key *access_token_key_new(const struct access_token_settings *settings)
{
	const char *previous = settings->previous_secret;
	struct access_token_key *key = must_calloc(1, sizeof(*key));

	CHECK(sodium_init() >= 0);
	key->current = make_secret(settings->key_id, settings->secret);
	if (previous != NULL && previous[0] != '\0')
		key->previous = make_secret(settings->previous_key_id, previous);
	key->issuer = must_strdup(settings->issuer);
	key->audience = must_strdup(settings->audience);
	check_fits(key);
	return key;
}

void access_token_key_free(struct access_token_key *key)
{
	if (key == NULL)
		return;
	free_secret(&key->current);
	free_secret(&key->previous);
	free(key->issuer);
	free(key->audience);
	free(key);
}

/* An id of its own for each token: what a log-out names. */
static void make_id(char hex[2 * ID_BYTES + 1])
{
	unsigned char bytes[ID_BYTES];
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(hex, 2 * ID_BYTES + 1, bytes, sizeof(bytes));
}

static bool add_claims(jwt_t *jwt, const struct access_token_key *key,
	const struct access_token *token, int64_t now_unix_s)
{
	char subject[NUMBER_SIZE], id[2 * ID_BYTES + 1];
	snprintf(subject, sizeof(subject), "%" PRId64, token->user_id);
	make_id(id);
	return jwt_add_grant(jwt, "iss", key->issuer) == 0 &&
	       jwt_add_grant(jwt, "aud", key->audience) == 0 &&
	       jwt_add_grant(jwt, "sub", subject) == 0 &&
	       jwt_add_grant(jwt, "role", token->admin ? "admin" : "buyer") == 0 &&
	       jwt_add_grant_int(jwt, "iat", (long)now_unix_s) == 0 &&
	       jwt_add_grant_int(jwt, "exp", (long)token->expires_unix_s) == 0 &&
	       jwt_add_grant(jwt, "jti", id) == 0;
}

/* NULL where there was no memory. */
static char *encode(
	const struct access_token_key *key, const struct access_token *token, int64_t now_unix_s)
{
	char *encoded = NULL;
	jwt_t *jwt = NULL;
	if (jwt_new(&jwt) != 0)
		return NULL;
	if (jwt_set_alg(jwt, JWT_ALG_HS256, key->current.bytes, key->current.len) == 0 &&
		jwt_add_header(jwt, "kid", key->current.id) == 0 &&
		add_claims(jwt, key, token, now_unix_s))
		encoded = jwt_encode_str(jwt);
	jwt_free(jwt);
	return encoded;
}

/* libjwt cannot be told where to get its memory: like must_malloc, it is asked again as long as there is a reserve. */
void access_token_sign(const struct access_token_key *key, const struct access_token *token,
	int64_t now_unix_s, char text[ACCESS_TOKEN_TEXT_SIZE])
{
	char *encoded;
	do
		encoded = encode(key, token, now_unix_s);
	while (encoded == NULL && reserve_spend());
	CHECK(encoded != NULL);
	size_t len = strlen(encoded);
	CHECK(len < ACCESS_TOKEN_TEXT_SIZE);
	memcpy(text, encoded, len + 1);
	free(encoded);
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

/* By its kid; a token that has none is of the time before there were any. */
static const struct secret *find_secret(const struct access_token_key *key, const struct jws *jws)
{
	const char *kid;

	if (!jws_key_id(jws, &kid))
		return NULL;
	if (kid == NULL || strcmp(kid, key->current.id) == 0)
		return &key->current;
	if (key->previous.id != NULL && strcmp(kid, key->previous.id) == 0)
		return &key->previous;
	return NULL;
}

static bool is_signed(const struct jws *jws, const struct secret *secret)
{
	jwt_t *jwt = NULL;
	int result;

	if (secret == NULL)
		return false;
	do
		result = jwt_decode(&jwt, jws->text, secret->bytes, secret->len);
	while (result == ENOMEM && reserve_spend());
	CHECK(result != ENOMEM); /* a good token would pass for a bad one */
	if (result != 0)
		return false;
	bool same = jwt_get_alg(jwt) == JWT_ALG_HS256;
	jwt_free(jwt);
	return same;
}

static bool judge(const struct access_token_key *key, const struct jws *jws, int64_t now_unix_s,
	struct access_token *token)
{
	struct access_token judged;
	const char *role = jws_claim(jws, "role");

	if (!jws_algorithm_is(jws, "HS256") || !jws_is_by(jws, key->issuer) ||
		!jws_is_for(jws, key->audience) ||
		!parse_subject(jws_claim(jws, "sub"), &judged.user_id) ||
		!jws_is_current(jws, now_unix_s, &judged.expires_unix_s) ||
		!is_signed(jws, find_secret(key, jws)))
		return false;
	judged.admin = role != NULL && strcmp(role, "admin") == 0;
	*token = judged;
	return true;
}

bool access_token_verify(const struct access_token_key *key, const char *text, int64_t now_unix_s,
	struct access_token *token)
{
	struct jws jws;

	if (strnlen(text, ACCESS_TOKEN_TEXT_SIZE) == ACCESS_TOKEN_TEXT_SIZE ||
		!jws_read(text, &jws))
		return false;
	bool ours = judge(key, &jws, now_unix_s, token);
	jws_free(&jws);
	return ours;
}
