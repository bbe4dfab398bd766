/* BLAKE2b digests (libsodium's crypto_generichash): of request bodies, and of what an idempotency key
 * stands for. Each part is preceded by its length, so that no two lists of parts collide. */
#ifndef ONSALE_PROTO_DIGEST_H
#define ONSALE_PROTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 16, DIGEST_HEX_SIZE = 2 * DIGEST_SIZE + 1 };

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

struct digest_part {
	const void *bytes;
	size_t len;
};

struct digest digest_of(const struct digest_part *parts, size_t count);
void digest_hex(const struct digest *digest, char hex[DIGEST_HEX_SIZE]);

#endif
