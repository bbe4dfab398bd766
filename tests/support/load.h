/* A mixed load: all that a night has in it, over and over by the same people on the same
 * seats, so that what the servers hold grows only where they forget to give it back. */
#ifndef ONSALE_TESTS_SUPPORT_LOAD_H
#define ONSALE_TESTS_SUPPORT_LOAD_H

#include "tests/support/world.h"

struct load;

struct load_counts {
	uint64_t requests, ok, refused, failed,
		lost; /* by status: 2xx and 3xx, 4xx, 5xx, no reply */
	uint64_t held, paid, refunded, cancelled;
};

/* On a world with at least one instance; makes its own people and its own sale. */
struct load *load_new(struct world *world);
void load_free(struct load *load);

/* One round, some 250 requests: everybody joins, polls until admitted, holds, and pays or cancels; who has
 * paid is refunded, who got nothing leaves. Between the steps: maps, lists, log-ins, sign-ups, bad requests,
 * connections that are reset. Ends with all of its connections closed. limit_ms: of each step. */
void load_round(struct load *load, unsigned limit_ms);

const struct load_counts *load_counts(const struct load *load);

#endif
