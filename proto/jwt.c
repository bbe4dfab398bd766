/* jws.c reads a token and libjwt checks its signature; what a token must say is judged here. Two rules keep it
 * safe: the algorithm must be HS256, whatever the header claimed, and the time comes from the caller. */
#include "proto/jwt.h"

#include <jwt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
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
	CHECK(jwt_set_alg(jwt, JWT_ALG_HS256, key->current.bytes, key->current.len) == 0);
	CHECK(jwt_add_header(jwt, "kid", key->current.id) == 0);
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

	if (secret == NULL || jwt_decode(&jwt, jws->text, secret->bytes, secret->len) != 0)
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
