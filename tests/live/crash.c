/* The server is killed in the middle of a sale and started again, twenty times, each time with at least one
 * request whose outcome its client does not know: those that come back under their key learn it, and nothing
 * is lost, doubled or left over. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tests/support/invariants.h"
#include "tests/support/shoppers.h"

enum {
	BUYERS = 1000,
	SEATS = 500,
	CAPACITY = 10,
	BALANCE = 100000,
	PRICE = 7000,
	KILLS = 20,
	ANSWERED_BETWEEN_MAX = 40, /* so that the kills spread over the sale */
	LIMIT_MS = 240000
};

TestSuite(crash, .timeout = 300);

struct killing {
	struct instance *instance;
	unsigned random;
	unsigned kills; /* those that left an outcome unknown */
	unsigned wasted; /* those that did not */
	unsigned answered_before; /* when the server was last started */
	unsigned wait_for_answers; /* since then */
	size_t unknown_before;
	bool killed; /* and not started yet: the clients are about to notice */
};

static void aim(struct killing *killing, struct shoppers *shoppers)
{
	killing->answered_before = shoppers_counts(shoppers)->keyed_answered;
	killing->wait_for_answers = (unsigned)rand_r(&killing->random) % ANSWERED_BETWEEN_MAX;
	killing->unknown_before = history_unknowns(shoppers_history(shoppers));
}

/* The moment is random, but one at which somebody holds or pays. */
static void kill_or_start(struct shoppers *shoppers, void *context)
{
	struct killing *killing = context;
	const struct shoppers_counts *counts = shoppers_counts(shoppers);

	if (killing->killed) {
		if (history_unknowns(shoppers_history(shoppers)) > killing->unknown_before)
			killing->kills++;
		else
			killing->wasted++;
		killing->killed = false;
		instance_start(killing->instance);
		aim(killing, shoppers);
	} else if (killing->kills < KILLS && counts->keyed_in_flight > 0 &&
		   counts->keyed_answered - killing->answered_before >= killing->wait_for_answers) {
		instance_kill(killing->instance);
		killing->killed = true;
	}
}

Test(crash, killed_twenty_times)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=1000",
			"--queue.tick_ms=50", "--queue.polls_per_second=1500",
			"--queue.claim_within_ms=3000"}});
	struct admissions admissions;
	unsigned seed = (unsigned)time(NULL);
	struct killing killing = {.instance = &world->instances[0], .random = seed};

	printf("seed %u\n", seed);
	world_fill(world, BUYERS, BALANCE,
		&(struct sale_options){.queue = true,
			.capacity = CAPACITY,
			.pass_ttl_seconds = 10,
			.rows = 20,
			.seats_per_row = SEATS / 20,
			.price = PRICE});
	struct shoppers *shoppers = shoppers_new(world, &world->sale, &world->people, seed);
	shoppers_run(shoppers, LIMIT_MS, kill_or_start, &killing);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	printf("%u kills with an unknown outcome, %u without; %zu unknown in all; %u paid, %u sold out, "
	       "%u rejoined\n",
		killing.kills, killing.wasted, history_unknowns(shoppers_history(shoppers)),
		counts->paid, counts->sold_out, counts->rejoined);
	cr_assert(killing.kills == KILLS, "only %u kills left an outcome unknown", killing.kills);
	cr_assert(counts->paid == SEATS && counts->sold_out == BUYERS - SEATS);
	admissions_read(&admissions, &world->redis, world->sale.event_id);
	invariants_hold(&(struct invariants_input){.db = world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = CAPACITY,
		.admit_per_second = world->sale.admit_per_second});
	admissions_free(&admissions);
	shoppers_free(shoppers);
	world_close(world);
}
