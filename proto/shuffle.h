/* The order of a pre-sale line: who knows the seed and the list of entrants can work it out, and nobody can
 * choose it.
 *
 *   commitment      = SHA-256(seed), told before the opening
 *   entrants_digest = SHA-256(the pseudonyms, 16 bytes each, ascending, one after the other)
 *   key             = SHA-256(seed | entrants_digest)
 *   position        = place by HMAC-SHA-256(key, pseudonym), ascending; where two are the same, by pseudonym
 *
 * Hashes and pseudonyms go in as bytes, not as the hexadecimal that the API shows. */
#ifndef ONSALE_PROTO_SHUFFLE_H
#define ONSALE_PROTO_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

enum {
	SHUFFLE_SEED_SIZE = 32,
	SHUFFLE_HASH_SIZE = 32,
	SHUFFLE_HEX_SIZE = 2 * SHUFFLE_HASH_SIZE + 1, /* of a seed, too */
	ENTRANT_SIZE = 16,
	ENTRANT_HEX_SIZE = 2 * ENTRANT_SIZE + 1
};

struct shuffle_entrant {
	uint8_t entrant[ENTRANT_SIZE]; /* the pseudonym */
	uint8_t lot[SHUFFLE_HASH_SIZE]; /* shuffle_order's */
	int64_t user_id; /* the caller's */
};

/* A seed that nobody can guess. */
void shuffle_seed(uint8_t seed[SHUFFLE_SEED_SIZE]);

void shuffle_commitment(
	const uint8_t seed[SHUFFLE_SEED_SIZE], uint8_t commitment[SHUFFLE_HASH_SIZE]);

/* Puts the entrants, which come in any order, in theirs: position 1 first. About 0.2 s for 100,000. */
void shuffle_order(const uint8_t seed[SHUFFLE_SEED_SIZE], struct shuffle_entrant *entrants,
	size_t count, uint8_t digest[SHUFFLE_HASH_SIZE]);

#endif
