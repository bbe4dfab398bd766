/* Access tokens. The first byte picks the way in:
 *
 *   t  a token's text as a client sends it: it verifies only where it has our signature, by an HMAC of our own
 *   s  a header line and claims, which get the right signature: what they say decides, and is judged here again
 *   p  the same with the previous secret: it counts where the header names it, and only there
 *   r  a token of ours: it comes back as it was, and not with a bit flipped, nor with anything behind it */
#include "proto/jwt.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

enum {
	NOW = 1795255200,
	PART_MAX = 8192,
	SKEW_SECONDS = 5,
	VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

static const char secret[] = "an access token secret of some length";
static const char previous[] = "the access token secret before that one";
static struct access_token_key *key;

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	const struct access_token_settings settings = {.key_id = "1",
		.secret = secret,
		.previous_key_id = "0",
		.previous_secret = previous,
		.issuer = "onsale",
		.audience = "shop"};

	access_token_key_free(access_token_key_new(&settings));
	access_token_key_free(NULL);
	key = access_token_key_new(&settings);
	return 0;
}

static void append_base64(struct buf *out, const void *bytes, size_t len)
{
	char text[sodium_base64_ENCODED_LEN(PART_MAX, VARIANT)];

	CHECK(len <= PART_MAX);
	sodium_bin2base64(text, sizeof text, bytes, len, VARIANT);
	buf_append_text(out, text);
}

static void append_tag(struct buf *out, const char *by)
{
	unsigned char tag[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)by, strlen(by));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)out->data, out->len);
	crypto_auth_hmacsha256_final(&state, tag);
	buf_append_char(out, '.');
	append_base64(out, tag, sizeof tag);
}

/* --- t --- */

static bool is_signed(const char *text, const char *by)
{
	struct buf signed_text = BUF_INIT(PART_MAX);
	const char *last = strrchr(text, '.');

	CHECK(last != NULL);
	buf_append(&signed_text, text, (size_t)(last - text));
	append_tag(&signed_text, by);
	bool same = strcmp(signed_text.data, text) == 0;
	buf_free(&signed_text);
	return same;
}

static void check_text(const char *text)
{
	struct access_token token;

	if (access_token_verify(key, text, NOW, &token)) {
		CHECK(is_signed(text, secret) || is_signed(text, previous));
		CHECK(token.user_id > 0 && token.expires_unix_s > NOW);
	}
}

/* --- s and p --- */

static bool text_is(const json_t *claims, const char *name, const char *expected)
{
	const char *value = json_string_value(json_object_get(claims, name));

	return value != NULL && strcmp(value, expected) == 0;
}

/* One audience, or a list of them. */
static bool is_for_shop(const json_t *claims)
{
	const json_t *audience = json_object_get(claims, "aud"), *one;
	size_t i;

	if (text_is(claims, "aud", "shop"))
		return true;
	json_array_foreach(
		audience, i, one) if (json_is_string(one) &&
				      strcmp(json_string_value(one), "shop") == 0) return true;
	return false;
}

static int64_t integer(const json_t *claims, const char *name, int64_t missing)
{
	const json_t *value = json_object_get(claims, name);

	return value == NULL ? missing : json_integer_value(value);
}

/* What a token that was let in must have said. */
static void check_claims(
	const char *header, const char *text, const char *by, const struct access_token *token)
{
	json_t *head = json_loads(header, 0, NULL), *claims = json_loads(text, 0, NULL);
	const char *alg = json_string_value(json_object_get(head, "alg"));
	const json_t *kid = json_object_get(head, "kid");
	char subject[24];

	CHECK(alg != NULL && strcasecmp(alg, "HS256") == 0);
	CHECK(by == secret ? kid == NULL || text_is(head, "kid", "1") : text_is(head, "kid", "0"));
	CHECK(text_is(claims, "iss", "onsale") && is_for_shop(claims));
	snprintf(subject, sizeof subject, "%lld", (long long)token->user_id);
	CHECK(token->user_id > 0 && text_is(claims, "sub", subject));
	CHECK(token->admin == text_is(claims, "role", "admin"));
	CHECK(integer(claims, "exp", 0) == token->expires_unix_s && token->expires_unix_s > NOW);
	CHECK(integer(claims, "iat", 0) <= NOW + SKEW_SECONDS);
	CHECK(integer(claims, "nbf", 0) <= NOW + SKEW_SECONDS);
	json_decref(head);
	json_decref(claims);
}

static void check_signed(struct fuzz_input *input, const char *by)
{
	char *header = fuzz_take_line(input), *claims = fuzz_take_rest(input);
	struct buf text = BUF_INIT(4 * PART_MAX);
	struct access_token token;

	if (strlen(header) <= PART_MAX && strlen(claims) <= PART_MAX) {
		append_base64(&text, header, strlen(header));
		buf_append_char(&text, '.');
		append_base64(&text, claims, strlen(claims));
		append_tag(&text, by);
		CHECK(!text.failed);
		if (access_token_verify(key, text.data, NOW, &token))
			check_claims(header, claims, by, &token);
	}
	buf_free(&text);
	free(header);
	free(claims);
}

/* --- r --- */

static void check_flip(char *text, size_t at, unsigned bit)
{
	struct access_token token;

	text[at] = (char)(text[at] ^ 1 << bit);
	CHECK(!access_token_verify(key, text, NOW, &token));
	text[at] = (char)(text[at] ^ 1 << bit);
}

static void check_round(struct fuzz_input *input)
{
	char text[ACCESS_TOKEN_TEXT_SIZE + 1];
	struct access_token again;
	struct access_token token = {.user_id = (int64_t)(fuzz_take(input, 8) >> 1 | 1),
		.admin = fuzz_take(input, 1) & 1,
		.expires_unix_s = NOW - 100 + (int64_t)fuzz_take(input, 2)};

	access_token_sign(key, &token, NOW, text);
	bool verified = access_token_verify(key, text, NOW, &again);
	CHECK(verified == (token.expires_unix_s > NOW));
	if (!verified)
		return;
	CHECK(again.user_id == token.user_id && again.admin == token.admin &&
		again.expires_unix_s == token.expires_unix_s);
	size_t len = strlen(text);
	check_flip(text, fuzz_take(input, 2) % len, fuzz_take(input, 1) % 8);
	text[len] = (char)fuzz_take(input, 1);
	text[len + 1] = '\0';
	CHECK(text[len] == '\0' || !access_token_verify(key, text, NOW, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz_input input = {bytes, len};
	uint64_t way = fuzz_take(&input, 1);

	if (way == 's') {
		check_signed(&input, secret);
	} else if (way == 'p') {
		check_signed(&input, previous);
	} else if (way == 'r') {
		check_round(&input);
	} else {
		char *text = fuzz_take_rest(&input);
		check_text(text);
		free(text);
	}
	return 0;
}
