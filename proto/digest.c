/* The length prefix is 8 bytes, little-endian, whatever the machine: a digest kept in a database
 * must mean the same everywhere. */
#include "proto/digest.h"

#include <sodium.h>
#include "proto/base/check.h"

struct digest digest_of(const struct digest_part *parts, size_t count)
{
	crypto_generichash_state state;
	struct digest digest;
	CHECK(crypto_generichash_init(&state, NULL, 0, DIGEST_SIZE) == 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t prefix[8];
		for (unsigned byte = 0; byte < sizeof(prefix); byte++)
			prefix[byte] = (uint8_t)((uint64_t)parts[i].len >> (8 * byte));
		crypto_generichash_update(&state, prefix, sizeof(prefix));
		crypto_generichash_update(&state, parts[i].bytes, parts[i].len);
	}
	CHECK(crypto_generichash_final(&state, digest.bytes, DIGEST_SIZE) == 0);
	return digest;
}

void digest_hex(const struct digest *digest, char hex[DIGEST_HEX_SIZE])
{
	sodium_bin2hex(hex, DIGEST_HEX_SIZE, digest->bytes, DIGEST_SIZE);
}
