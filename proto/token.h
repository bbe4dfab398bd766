/* Queue tokens, passes and sign-up challenges: short texts that only we can make, checked without asking anybody.
 *
 *   base64url( kind 1 | key id 1 | fields, 8 bytes each, big-endian | tag 16 )
 *
 * The tag is BLAKE2b keyed with the secret (libsodium's crypto_generichash, 16 bytes) over all that
 * stands before it; it is compared in constant time. */
#ifndef ONSALE_PROTO_TOKEN_H
#define ONSALE_PROTO_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/shuffle.h"

enum { TOKEN_SECRET_MIN = 32, TOKEN_TEXT_SIZE = 96 };

struct token_key; /* opaque; made once from the secret */

/* A key from a secret of at least TOKEN_SECRET_MIN bytes; aborts on less. */
struct token_key *token_key_new(const char *secret, size_t len);
void token_key_free(struct token_key *key);

/* A place in line. */
struct queue_token {
	int64_t event_id, user_id;
	/* The place's number in line: epoch * 2^37 + counter. Counter 0: whichever number this person has, as
	 * long as the line is not shuffled. */
	int64_t number;
	int64_t seen_unix_ms; /* when this token was given */
};

/* The right to reserve seats of an event. */
struct queue_pass {
	int64_t event_id, user_id;
	uint64_t nonce;
	int64_t expires_unix_ms;
};

void queue_token_sign(
	const struct token_key *key, const struct queue_token *token, char text[TOKEN_TEXT_SIZE]);
/* False: malformed, another kind, or not ours. */
bool queue_token_verify(const struct token_key *key, const char *text, struct queue_token *token);

void queue_pass_sign(
	const struct token_key *key, const struct queue_pass *pass, char text[TOKEN_TEXT_SIZE]);
/* Says nothing of the expiry: the caller compares it with its clock. */
bool queue_pass_verify(const struct token_key *key, const char *text, struct queue_pass *pass);

/* What a sign-up must do some work for; see proto/proof.h. */
struct signup_challenge {
	int64_t bits;
	int64_t expires_unix_ms;
	uint64_t nonce; /* so that no two are the same */
};

void signup_challenge_sign(const struct token_key *key, const struct signup_challenge *challenge,
	char text[TOKEN_TEXT_SIZE]);
/* Says nothing of the expiry. */
bool signup_challenge_verify(
	const struct token_key *key, const char *text, struct signup_challenge *challenge);

/* The pseudonym of a person in the shuffle of an event's line: nobody who lacks the secret can tell whose it is. */
void entrant_of(const struct token_key *key, int64_t event_id, int64_t user_id,
	uint8_t entrant[ENTRANT_SIZE]);

#endif
