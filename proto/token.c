/* Signing and checking. A token has one spelling only (no padding, no unused bits set), so two
 * texts that verify are two tokens. The key id leaves room for a second secret; today it is 1. */
#include "proto/token.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/base64url.h"
#include "proto/base/check.h"

enum token_kind { KIND_QUEUE_TOKEN = 1, KIND_QUEUE_PASS = 2, KIND_SIGNUP_CHALLENGE = 3 };

enum {
	KEY_ID = 1,
	FIELDS = 4,
	TAG_SIZE = 16,
	SIGNED_SIZE = 2 + 8 * FIELDS,
	RAW_SIZE = SIGNED_SIZE + TAG_SIZE,
	TEXT_LEN = BASE64URL_LEN(RAW_SIZE)
};

_Static_assert((int)TEXT_LEN < (int)TOKEN_TEXT_SIZE, "a token fits into its text");
_Static_assert((int)ENTRANT_SIZE >= (int)crypto_generichash_BYTES_MIN, "and pseudonyms");
_Static_assert(TAG_SIZE >= (int)crypto_generichash_BYTES_MIN, "BLAKE2b gives tags this short");

struct token_key {
	uint8_t bytes[crypto_generichash_KEYBYTES];
	uint8_t entrants[crypto_generichash_KEYBYTES]; /* of pseudonyms */
};

/* Secrets may be longer than BLAKE2b's key; the fixed key keeps this use of the secret apart from any other. */
static void derive(
	uint8_t key[crypto_generichash_KEYBYTES], const char *secret, size_t len, const char *use)
{
	CHECK(crypto_generichash(key, crypto_generichash_KEYBYTES, (const uint8_t *)secret, len,
		      (const uint8_t *)use, strlen(use) + 1) == 0);
}

struct token_key *token_key_new(const char *secret, size_t len)
{
	CHECK(len >= TOKEN_SECRET_MIN);
	CHECK(sodium_init() >= 0);
	struct token_key *key = must_malloc(sizeof(*key));
	derive(key->bytes, secret, len, "onsale queue tokens and passes");
	derive(key->entrants, secret, len, "onsale entrants of a shuffle");
	return key;
}

void token_key_free(struct token_key *key)
{
	if (key == NULL)
		return;
	sodium_memzero(key, sizeof(*key));
	free(key);
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
	for (int i = 7; i >= 0; i--) {
		bytes[i] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t get_u64(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void tag_of(const struct token_key *key, const uint8_t *raw, uint8_t tag[TAG_SIZE])
{
	CHECK(crypto_generichash(tag, TAG_SIZE, raw, SIGNED_SIZE, key->bytes, sizeof(key->bytes)) ==
		0);
}

static void sign(const struct token_key *key, enum token_kind kind, const uint64_t fields[FIELDS],
	char text[TOKEN_TEXT_SIZE])
{
	uint8_t raw[RAW_SIZE] = {(uint8_t)kind, KEY_ID};
	for (size_t i = 0; i < FIELDS; i++)
		put_u64(raw + 2 + 8 * i, fields[i]);
	tag_of(key, raw, raw + SIGNED_SIZE);
	base64url_encode(raw, RAW_SIZE, text);
}

static bool verify(const struct token_key *key, enum token_kind kind, const char *text,
	uint64_t fields[FIELDS])
{
	uint8_t raw[RAW_SIZE], tag[TAG_SIZE];
	size_t raw_len;
	if (strnlen(text, TEXT_LEN + 1) != TEXT_LEN ||
		!base64url_decode(text, TEXT_LEN, raw, sizeof(raw), &raw_len) ||
		raw_len != RAW_SIZE)
		return false;
	if (raw[0] != (uint8_t)kind || raw[1] != KEY_ID)
		return false;
	tag_of(key, raw, tag);
	if (sodium_memcmp(tag, raw + SIGNED_SIZE, TAG_SIZE) != 0)
		return false;
	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = get_u64(raw + 2 + 8 * i);
	return true;
}

void queue_token_sign(
	const struct token_key *key, const struct queue_token *token, char text[TOKEN_TEXT_SIZE])
{
	const uint64_t fields[FIELDS] = {(uint64_t)token->event_id, (uint64_t)token->user_id,
		(uint64_t)token->number, (uint64_t)token->seen_unix_ms};
	sign(key, KIND_QUEUE_TOKEN, fields, text);
}

bool queue_token_verify(const struct token_key *key, const char *text, struct queue_token *token)
{
	uint64_t fields[FIELDS];
	if (!verify(key, KIND_QUEUE_TOKEN, text, fields))
		return false;
	*token = (struct queue_token){.event_id = (int64_t)fields[0],
		.user_id = (int64_t)fields[1],
		.number = (int64_t)fields[2],
		.seen_unix_ms = (int64_t)fields[3]};
	return true;
}

void queue_pass_sign(
	const struct token_key *key, const struct queue_pass *pass, char text[TOKEN_TEXT_SIZE])
{
	const uint64_t fields[FIELDS] = {(uint64_t)pass->event_id, (uint64_t)pass->user_id,
		pass->nonce, (uint64_t)pass->expires_unix_ms};
	sign(key, KIND_QUEUE_PASS, fields, text);
}

bool queue_pass_verify(const struct token_key *key, const char *text, struct queue_pass *pass)
{
	uint64_t fields[FIELDS];
	if (!verify(key, KIND_QUEUE_PASS, text, fields))
		return false;
	*pass = (struct queue_pass){.event_id = (int64_t)fields[0],
		.user_id = (int64_t)fields[1],
		.nonce = fields[2],
		.expires_unix_ms = (int64_t)fields[3]};
	return true;
}

void signup_challenge_sign(const struct token_key *key, const struct signup_challenge *challenge,
	char text[TOKEN_TEXT_SIZE])
{
	const uint64_t fields[FIELDS] = {
		(uint64_t)challenge->bits, (uint64_t)challenge->expires_unix_ms, challenge->nonce};
	sign(key, KIND_SIGNUP_CHALLENGE, fields, text);
}

bool signup_challenge_verify(
	const struct token_key *key, const char *text, struct signup_challenge *challenge)
{
	uint64_t fields[FIELDS];
	if (!verify(key, KIND_SIGNUP_CHALLENGE, text, fields))
		return false;
	*challenge = (struct signup_challenge){.bits = (int64_t)fields[0],
		.expires_unix_ms = (int64_t)fields[1],
		.nonce = fields[2]};
	return true;
}

void entrant_of(const struct token_key *key, int64_t event_id, int64_t user_id,
	uint8_t entrant[ENTRANT_SIZE])
{
	uint8_t raw[16];
	put_u64(raw, (uint64_t)event_id);
	put_u64(raw + 8, (uint64_t)user_id);
	CHECK(crypto_generichash(entrant, ENTRANT_SIZE, raw, sizeof(raw), key->entrants,
		      sizeof(key->entrants)) == 0);
}
