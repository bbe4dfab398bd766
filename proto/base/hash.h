/* uthash, whose tables draw on the reserve as all does that must have memory; its own way is to exit. */
#ifndef ONSALE_PROTO_BASE_HASH_H
#define ONSALE_PROTO_BASE_HASH_H

#include <stdlib.h>
#include "proto/base/check.h"

#define uthash_malloc(size) must_malloc(size)
#define uthash_free(memory, size) free(memory)

#include <uthash.h>

#endif
