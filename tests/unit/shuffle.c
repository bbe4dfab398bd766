/* The order of a pre-sale line. What is expected was worked out by another program:
 *
 *   import hashlib, hmac
 *   seed = bytes(range(32))
 *   ids = [hashlib.sha256(b"entrant %d" % i).digest()[:16] for i in range(5)]
 *   digest = hashlib.sha256(b"".join(sorted(ids))).digest()
 *   key = hashlib.sha256(seed + digest).digest()
 *   print(hashlib.sha256(seed).hexdigest(), digest.hex())
 *   for e in sorted(ids, key=lambda e: (hmac.new(key, e, "sha256").digest(), e)): print(e.hex()) */
#include "proto/shuffle.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

enum { COUNT = 5, MANY = 1000 };

static const char *const in_order[COUNT] = {"e124553cd08214abb731e94ef8bfe7ba",
	"ffe4b0ce4da5d22f71ea4bcb61203044", "09d442b5dd6bd4980a724345aabbc6f0",
	"33583ec8d4b574c8a07f873cb372dff7", "c6c8c80c02d751da8dc559e1ef4008d1"};

static void expect_hex(const uint8_t *bytes, size_t len, const char *expected)
{
	char hex[SHUFFLE_HEX_SIZE];

	sodium_bin2hex(hex, sizeof hex, bytes, len);
	cr_expect_str_eq(hex, expected);
}

static void make_seed(uint8_t seed[SHUFFLE_SEED_SIZE])
{
	for (unsigned i = 0; i < SHUFFLE_SEED_SIZE; i++)
		seed[i] = (uint8_t)i;
}

Test(shuffle, is_what_another_program_makes_of_it)
{
	uint8_t seed[SHUFFLE_SEED_SIZE], hash[SHUFFLE_HASH_SIZE];
	struct shuffle_entrant entrants[COUNT];

	make_seed(seed);
	shuffle_commitment(seed, hash);
	expect_hex(hash, sizeof hash,
		"630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
	for (unsigned first = 0; first < COUNT; first++) { /* they may come in any order */
		for (unsigned i = 0; i < COUNT; i++) {
			unsigned from = (COUNT + first - i) % COUNT;

			entrants[i].user_id = from;
			sodium_hex2bin(entrants[i].entrant, ENTRANT_SIZE, in_order[from],
				ENTRANT_HEX_SIZE - 1, NULL, NULL, NULL);
		}
		shuffle_order(seed, entrants, COUNT, hash);
		expect_hex(hash, sizeof hash,
			"0c55db94638403536088c28535b65ac5631e460aecc73eb22745983f1d515ec6");
		for (unsigned i = 0; i < COUNT; i++) {
			expect_hex(entrants[i].entrant, ENTRANT_SIZE, in_order[i]);
			cr_expect_eq(entrants[i].user_id, i);
		}
	}
}

Test(shuffle, of_nobody_is_nothing)
{
	uint8_t seed[SHUFFLE_SEED_SIZE], digest[SHUFFLE_HASH_SIZE];

	make_seed(seed);
	shuffle_order(seed, NULL, 0, digest);
	expect_hex(digest, sizeof digest,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* How many of the others stand in another order once one more has joined. */
static unsigned moved(const uint8_t seed[SHUFFLE_SEED_SIZE])
{
	static struct shuffle_entrant before[MANY], after[MANY + 1];
	uint8_t digest[SHUFFLE_HASH_SIZE];
	unsigned count = 0;

	for (unsigned i = 0; i <= MANY; i++) {
		crypto_generichash(
			after[i].entrant, ENTRANT_SIZE, (const uint8_t *)&i, sizeof i, NULL, 0);
		if (i < MANY)
			before[i] = after[i];
	}
	shuffle_order(seed, before, MANY, digest);
	shuffle_order(seed, after, MANY + 1, digest);
	for (unsigned i = 0; i < MANY; i++)
		count += memcmp(before[i].entrant, after[i].entrant, ENTRANT_SIZE) != 0;
	return count;
}

/* Who knows the seed and adds an entrant cannot tell before where anybody will stand: all are dealt anew. */
Test(shuffle, one_more_entrant_deals_all_anew)
{
	uint8_t seed[SHUFFLE_SEED_SIZE];

	make_seed(seed);
	cr_expect_gt(moved(seed), MANY * 9 / 10);
}

Test(shuffle, two_seeds_are_not_the_same)
{
	uint8_t one[SHUFFLE_SEED_SIZE], other[SHUFFLE_SEED_SIZE];

	shuffle_seed(one);
	shuffle_seed(other);
	cr_expect_neq(memcmp(one, other, sizeof one), 0);
}
