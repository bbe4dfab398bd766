/* What faults are injected into: instances of the server, each behind a proxy of its own to each store, a Redis, a
 * PostgreSQL, a sale, and the people who buy. */
#ifndef ONSALE_TESTS_FAULTS_ARENA_H
#define ONSALE_TESTS_FAULTS_ARENA_H

#include "tests/faults/buyers.h"
#include "tests/faults/cluster.h"
#include "tests/faults/proxies.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { ARENA_HOLD_TTL_MS = 3000, ARENA_LOCKING_MS = 2500 };
enum { ARENA_VERDICT_SIZE = 16 * 1024 };

struct arena {
	struct cluster cluster;
	struct world *world;
	struct proxies proxies;
	struct people people;
	struct sale sale;
	struct buyers *buyers;
	struct deliveries deliveries; /* of the outbox; read at each verdict */
	unsigned capacity; /* of the sale at hand */
	char urls[WORLD_INSTANCES_MAX][PROXIES_STORES][512];
};

void arena_open(struct arena *arena, unsigned instances, unsigned people, unsigned seed);
void arena_close(struct arena *arena);

/* A new sale of so many rows of seats, which lets so many in at once and admits so many a second, and all begin
 * to buy. */
void arena_begin(struct arena *arena, unsigned rows, unsigned capacity, unsigned admit_per_second);

/* True where every instance says that nothing it needs is missing. */
bool arena_is_well(struct arena *arena);

/* Once nobody buys any more: what is wrong goes, a line each, into the text; true where nothing is. */
bool arena_check(struct arena *arena, struct violations *violations, char text[ARENA_VERDICT_SIZE]);

#endif
