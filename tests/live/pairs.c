/* Reservations of several seats that overlap: all of a request's seats or none, and nobody deadlocks. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tests/support/crowd.h"
#include "tests/support/deadlocks.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { BUYERS = 1000, SEATS = 60, SEATS_EACH_MAX = 3, LIMIT_MS = 60000 };

TestSuite(pairs, .timeout = 120);

static void add_hold(struct world *world, size_t i, const int64_t *seat_ids, size_t seat_count,
	struct crowd *crowd)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[i].jwt,
		.key = "together",
		.body = hold_body(world, &world->sale, seat_ids, seat_count)};

	crowd_add(crowd, &world->instances[i % world->options.instances], &call);
}

static struct world *open_world(const char *mode)
{
	return deadlocks_world_open(&(struct world_options){.instances = 2, .flags = {mode}});
}

static void check_answers(struct world *world, struct crowd *crowd)
{
	size_t won = crowd_count(crowd, 201, NULL),
	       lost = crowd_count(crowd, 409, "seat_unavailable");

	printf("%zu held their seats, %zu were refused\n", won, lost);
	cr_assert(won >= 1 && won + lost == BUYERS, "%zu held, %zu refused, of %d", won, lost,
		BUYERS);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM reservations", 0, NULL) ==
		  (int64_t)won);
	invariants_hold(&(struct invariants_input){.db = world->db});
}

static void same_two(const char *mode)
{
	struct world *world = open_world(mode);
	struct crowd *crowd = crowd_new();

	world_fill(world, BUYERS, 0, &(struct sale_options){.seats_per_row = 2});
	for (size_t i = 0; i < BUYERS; i++) {
		int64_t swapped[] = {world->sale.seat_ids[i % 2], world->sale.seat_ids[1 - i % 2]};
		add_hold(world, i, swapped, 2, crowd);
	}
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 201, NULL) == 1);
	check_answers(world, crowd);
	cr_assert(database_i64(world->db,
			  "SELECT count(*) FROM seats WHERE status = 'held' AND reservation_id = "
			  "(SELECT id FROM reservations)",
			  0, NULL) == 2);
	deadlocks_check(world);
	crowd_free(crowd);
	world_close(world);
}

Test(pairs, same_two_with_redis)
{
	same_two("--lock.mode=redis");
}

Test(pairs, same_two_without_locks_in_redis)
{
	same_two("--lock.mode=none");
}

/* Two or three different seats in any order. */
static size_t pick_seats(
	const struct sale *sale, unsigned *random, int64_t seat_ids[SEATS_EACH_MAX])
{
	size_t wanted = 2 + (size_t)rand_r(random) % 2, count = 0;

	while (count < wanted) {
		int64_t seat_id = sale->seat_ids[(size_t)rand_r(random) % sale->seat_count];
		size_t i = 0;
		while (i < count && seat_ids[i] != seat_id)
			i++;
		if (i == count)
			seat_ids[count++] = seat_id;
	}
	return count;
}

static void overlap(const char *mode)
{
	struct world *world = open_world(mode);
	unsigned seed = (unsigned)time(NULL), random = seed;
	struct crowd *crowd = crowd_new();

	printf("seed %u\n", seed);
	world_fill(world, BUYERS, 0, &(struct sale_options){.rows = 6, .seats_per_row = SEATS / 6});
	for (size_t i = 0; i < BUYERS; i++) {
		int64_t seat_ids[SEATS_EACH_MAX];
		size_t count = pick_seats(&world->sale, &random, seat_ids);
		add_hold(world, i, seat_ids, count, crowd);
	}
	crowd_run(crowd, LIMIT_MS);
	check_answers(world, crowd);
	deadlocks_check(world);
	crowd_free(crowd);
	world_close(world);
}

Test(pairs, overlapping_with_redis)
{
	overlap("--lock.mode=redis");
}

Test(pairs, overlapping_without_locks_in_redis)
{
	overlap("--lock.mode=none");
}
