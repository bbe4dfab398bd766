/* Two sorts: by pseudonym for the digest, by lot for the order. */
#include "proto/shuffle.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"

_Static_assert((int)SHUFFLE_HASH_SIZE == crypto_hash_sha256_BYTES, "as SHA-256 gives them");
_Static_assert((int)SHUFFLE_HASH_SIZE == crypto_auth_hmacsha256_KEYBYTES, "a hash is a key");

void shuffle_seed(uint8_t seed[SHUFFLE_SEED_SIZE])
{
	CHECK(sodium_init() >= 0);
	randombytes_buf(seed, SHUFFLE_SEED_SIZE);
}

void shuffle_commitment(
	const uint8_t seed[SHUFFLE_SEED_SIZE], uint8_t commitment[SHUFFLE_HASH_SIZE])
{
	crypto_hash_sha256(commitment, seed, SHUFFLE_SEED_SIZE);
}

static int compare_entrants(const void *left, const void *right)
{
	const struct shuffle_entrant *a = left, *b = right;

	return memcmp(a->entrant, b->entrant, ENTRANT_SIZE);
}

static int compare_lots(const void *left, const void *right)
{
	const struct shuffle_entrant *a = left, *b = right;
	int order = memcmp(a->lot, b->lot, SHUFFLE_HASH_SIZE);

	return order != 0 ? order : compare_entrants(left, right);
}

static void digest_entrants(
	const struct shuffle_entrant *entrants, size_t count, uint8_t digest[SHUFFLE_HASH_SIZE])
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, entrants[i].entrant, ENTRANT_SIZE);
	crypto_hash_sha256_final(&state, digest);
}

static void draw_lots(const uint8_t seed[SHUFFLE_SEED_SIZE],
	const uint8_t digest[SHUFFLE_HASH_SIZE], struct shuffle_entrant *entrants, size_t count)
{
	uint8_t both[SHUFFLE_SEED_SIZE + SHUFFLE_HASH_SIZE], key[SHUFFLE_HASH_SIZE];

	memcpy(both, seed, SHUFFLE_SEED_SIZE);
	memcpy(both + SHUFFLE_SEED_SIZE, digest, SHUFFLE_HASH_SIZE);
	crypto_hash_sha256(key, both, sizeof both);
	for (size_t i = 0; i < count; i++)
		crypto_auth_hmacsha256(entrants[i].lot, entrants[i].entrant, ENTRANT_SIZE, key);
}

void shuffle_order(const uint8_t seed[SHUFFLE_SEED_SIZE], struct shuffle_entrant *entrants,
	size_t count, uint8_t digest[SHUFFLE_HASH_SIZE])
{
	if (count > 0)
		qsort(entrants, count, sizeof *entrants, compare_entrants);
	digest_entrants(entrants, count, digest);
	draw_lots(seed, digest, entrants, count);
	if (count > 0)
		qsort(entrants, count, sizeof *entrants, compare_lots);
}
