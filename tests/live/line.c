/* A thousand people, a line that lets ten in at a time, five hundred seats: who comes first is let in first,
 * and never more than ten; five hundred pay, the others are told that all is sold. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>
#include "tests/support/invariants.h"
#include "tests/support/shoppers.h"

enum {
	BUYERS = 1000,
	SEATS = 500,
	CAPACITY = 10,
	BALANCE = 100000,
	PRICE = 7000,
	LIMIT_MS = 120000
};

TestSuite(line, .timeout = 180);

/* Everybody has all his money, but the buyers, who have paid the price of a seat, once. */
static void check_balances(struct world *world)
{
	const char *all[] = {"100000"}, *less[] = {"93000"};
	static const char with[] =
		"SELECT count(*) FROM accounts a JOIN users u ON u.id = a.user_id "
		"WHERE u.role = 'buyer' AND a.balance = $1";

	cr_assert(database_i64(world->db, with, 1, all) == BUYERS - SEATS);
	cr_assert(database_i64(world->db, with, 1, less) == SEATS);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM sold", 0, NULL) == SEATS);
	cr_assert(database_i64(world->db, "SELECT sum(amount) FROM payments", 0, NULL) ==
		  SEATS * PRICE);
}

Test(line, a_thousand_for_five_hundred_seats)
{
	struct world *world = world_open(&(struct world_options){.instances = 2,
		.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=1000",
			"--queue.tick_ms=50", "--queue.polls_per_second=1500"}});
	struct admissions admissions;
	unsigned seed = (unsigned)time(NULL);

	printf("seed %u\n", seed);
	world_fill(world, BUYERS, BALANCE,
		&(struct sale_options){.queue = true,
			.capacity = CAPACITY,
			.rows = 20,
			.seats_per_row = SEATS / 20,
			.price = PRICE});
	struct shoppers *shoppers = shoppers_new(world, &world->sale, &world->people, seed);
	shoppers_run(shoppers, LIMIT_MS, NULL, NULL);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	admissions_read(&admissions, &world->redis, world->sale.event_id);
	printf("%u paid, %u were told sold out, %zu admissions (%u for nothing), %u holds came too late, "
	       "%u rejoined\n",
		counts->paid, counts->sold_out, admissions.count, counts->turned_away,
		counts->seats_lost, counts->rejoined);
	cr_assert(counts->paid == SEATS && counts->sold_out == BUYERS - SEATS);
	cr_assert(admissions.count >= SEATS);
	check_balances(world);
	invariants_hold(&(struct invariants_input){.db = world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = CAPACITY,
		.admit_per_second = world->sale.admit_per_second});
	admissions_free(&admissions);
	shoppers_free(shoppers);
	world_close(world);
}
