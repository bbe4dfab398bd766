/* Requests made worse: bytes changed, dropped, doubled, put in, and pieces of one request put into another. All
 * that is random comes from a seed, so that it replays a run. */
#ifndef ONSALE_TESTS_WIRE_MUTATE_H
#define ONSALE_TESTS_WIRE_MUTATE_H

#include <stdint.h>
#include "proto/base/buf.h"

enum { MUTANT_MAX = 16 * 1024 };

/* The requests that mutants are made of. */
struct seeds {
	struct buf *list;
	size_t count, room;
	size_t good; /* how many, from the first, are picked as often as all others together */
};

/* Adds a copy; what is longer than MUTANT_MAX / 4 is cut. */
void seeds_add(struct seeds *seeds, const char *bytes, size_t len);

/* Adds each file of the folder. */
void seeds_add_folder(struct seeds *seeds, const char *folder);
void seeds_free(struct seeds *seeds);

/* The next number of a seed, which is not 0. */
uint64_t mutate_random(uint64_t *state);

/* Clears out and fills it with one to four requests, most of them made worse. */
void mutate(const struct seeds *seeds, uint64_t *state, struct buf *out);

#endif
