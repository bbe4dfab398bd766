/* The checking side; the working side is the client's. */
#include "proto/proof.h"

#include <sodium.h>
#include <string.h>

static void add(crypto_hash_sha256_state *state, const char *text)
{
	crypto_hash_sha256_update(state, (const unsigned char *)text, strlen(text));
}

static void add_lower(crypto_hash_sha256_state *state, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char letter = (unsigned char)*text;

		if (letter >= 'A' && letter <= 'Z')
			letter = (unsigned char)(letter - 'A' + 'a');
		crypto_hash_sha256_update(state, &letter, 1);
	}
}

static bool begins_with_zeroes(const unsigned char *bytes, unsigned bits)
{
	for (; bits >= 8; bits -= 8)
		if (*bytes++ != 0)
			return false;
	return bits == 0 || *bytes >> (8 - bits) == 0;
}

bool proof_holds(const char *challenge, const char *email, const char *nonce, unsigned bits)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	add(&state, challenge);
	add(&state, ":");
	add_lower(&state, email);
	add(&state, ":");
	add(&state, nonce);
	crypto_hash_sha256_final(&state, hash);
	return begins_with_zeroes(hash, bits);
}
