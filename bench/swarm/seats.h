/* The seats that are fought for: the first ones of a performance, in the order of its list. */
#ifndef ONSALE_BENCH_SWARM_SEATS_H
#define ONSALE_BENCH_SWARM_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/base/check.h"

struct seats {
	int64_t *ids;
	size_t count;
};

/* Asks the server (which may take a while) for the performance's list, and keeps its first pool_max (0: all).
 * False with the reason in `why`. */
bool seats_ask(struct seats *seats, const char *url, int64_t performance, size_t pool_max,
	char *why, size_t why_size) MUST_CHECK;

/* Where the server has no such list: consecutive ids. */
void seats_count_up(struct seats *seats, int64_t first, size_t pool);
void seats_free(struct seats *seats);

#endif
