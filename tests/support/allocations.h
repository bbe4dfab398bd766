/* Makes allocations of a running server fail: it loads tests/preload/allocations.c, and both map a file of the
 * world's folder. On the plain build, since a sanitizer's allocator is another one. */
#ifndef ONSALE_TESTS_SUPPORT_ALLOCATIONS_H
#define ONSALE_TESTS_SUPPORT_ALLOCATIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ALLOCATIONS_ENV "ONSALE_TEST_ALLOCATIONS"

/* In the memory that is shared; all zero: none fails. */
struct allocations {
	_Atomic uint64_t asked, failed; /* so far */
	_Atomic uint64_t first; /* the number of the first that may fail */
	_Atomic uint64_t one_in; /* of those so many fails, at random; 0: none */
	_Atomic int64_t left; /* … until so many have */
};

struct world;
struct world_options;

/* A world whose instances are the plain build with allocations that can be made to fail. */
struct world *allocations_world(
	const struct world_options *options, struct allocations **allocations);

/* Unmaps it and closes the world. */
void allocations_close(struct world *world, struct allocations *allocations);

/* From `after` allocations on one in so many fails, until `count` have failed. */
void allocations_fail(
	struct allocations *allocations, uint64_t after, uint64_t one_in, int64_t count);
void allocations_succeed(struct allocations *allocations);

#endif
