/* Queue tokens, passes and challenges: what we sign we know again, and nothing else. */
#include "proto/token.h"

#include <criterion/criterion.h>
#include <string.h>

static const char secret[] = "0123456789abcdef0123456789abcdef";

static const struct queue_token example_token = {
	.event_id = 1, .user_id = INT64_MAX, .number = INT64_C(3) << 37, .seen_unix_ms = -5};
static const struct queue_pass example_pass = {
	.event_id = 7, .user_id = 8, .nonce = UINT64_MAX, .expires_unix_ms = 1795255200123};

Test(token, comes_back_as_it_was)
{
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	char text[TOKEN_TEXT_SIZE];
	struct queue_token token;
	queue_token_sign(key, &example_token, text);
	cr_expect_eq(
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
		strlen(text));
	cr_assert(queue_token_verify(key, text, &token));
	cr_expect_eq(memcmp(&token, &example_token, sizeof(token)), 0);
	struct queue_pass pass;
	cr_expect(!queue_pass_verify(key, text, &pass), "a token is no pass");
	queue_pass_sign(key, &example_pass, text);
	cr_assert(queue_pass_verify(key, text, &pass));
	cr_expect_eq(memcmp(&pass, &example_pass, sizeof(pass)), 0);
	cr_expect(!queue_token_verify(key, text, &token), "a pass is no token");
	token_key_free(key);
	token_key_free(NULL);
}

Test(token, refuses_any_changed_byte)
{
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	char text[TOKEN_TEXT_SIZE];
	struct queue_token token;
	queue_token_sign(key, &example_token, text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char right = text[i];
		for (int byte = 1; byte < 256; byte++) {
			text[i] = (char)byte;
			cr_assert_eq(queue_token_verify(key, text, &token), text[i] == right,
				"%zu: %02x for %c", i, (unsigned)byte, right);
		}
		text[i] = right;
	}
	token_key_free(key);
}

Test(token, refuses_other_lengths)
{
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	char text[TOKEN_TEXT_SIZE], changed[2 * TOKEN_TEXT_SIZE];
	struct queue_pass pass;
	queue_pass_sign(key, &example_pass, text);
	for (size_t len = 0; len < strlen(text); len++) {
		memcpy(changed, text, len);
		changed[len] = '\0';
		cr_expect(!queue_pass_verify(key, changed, &pass));
	}
	static const char *const tails[] = {"A", "=", "==", " ", "\n", "AAAA"};
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		strcpy(changed, text);
		strcat(changed, tails[i]);
		cr_expect(!queue_pass_verify(key, changed, &pass));
	}
	strcpy(changed, text);
	strcat(changed, text);
	cr_expect(!queue_pass_verify(key, changed, &pass));
	token_key_free(key);
}

Test(token, refuses_another_secret)
{
	static const char longer[] = "0123456789abcdef0123456789abcdefX";
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	struct token_key *other = token_key_new(longer, sizeof(longer) - 1);
	char text[TOKEN_TEXT_SIZE];
	struct queue_token token;
	queue_token_sign(other, &example_token, text);
	cr_expect(queue_token_verify(other, text, &token));
	cr_expect(!queue_token_verify(key, text, &token));
	token_key_free(key);
	token_key_free(other);
}

Test(token, challenges_are_a_kind_of_their_own)
{
	static const struct signup_challenge example = {
		.bits = 20, .expires_unix_ms = 1795255200123, .nonce = UINT64_MAX};
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	char text[TOKEN_TEXT_SIZE];
	struct signup_challenge challenge;
	struct queue_token token;
	struct queue_pass pass;
	signup_challenge_sign(key, &example, text);
	cr_assert(signup_challenge_verify(key, text, &challenge));
	cr_expect(challenge.bits == 20 && challenge.expires_unix_ms == 1795255200123 &&
		  challenge.nonce == UINT64_MAX);
	cr_expect(!queue_token_verify(key, text, &token) && !queue_pass_verify(key, text, &pass));
	queue_token_sign(key, &example_token, text);
	cr_expect(!signup_challenge_verify(key, text, &challenge));
	queue_pass_sign(key, &example_pass, text);
	cr_expect(!signup_challenge_verify(key, text, &challenge));
	token_key_free(key);
}

/* As hashlib.blake2b gives it: keyed with the secret's own BLAKE2b under "onsale entrants of a shuffle" and its NUL. */
Test(token, a_pseudonym_is_of_one_person_and_one_event)
{
	struct token_key *key = token_key_new(secret, sizeof(secret) - 1);
	static const uint8_t expected[ENTRANT_SIZE] = {0xae, 0x1b, 0x3f, 0x31, 0xb2, 0x33, 0x98,
		0xcb, 0x8c, 0xf5, 0xae, 0xab, 0x1d, 0x36, 0x19, 0xba};
	uint8_t entrant[ENTRANT_SIZE], other[ENTRANT_SIZE];
	entrant_of(key, 7, 8, entrant);
	cr_expect_eq(memcmp(entrant, expected, sizeof(entrant)), 0);
	entrant_of(key, 8, 7, other);
	cr_expect_neq(memcmp(entrant, other, sizeof(entrant)), 0);
	token_key_free(key);
}
