/* The limit of a person's seats in a performance, asked for more than it allows in one moment: fifty holds of
 * the same person under keys of their own, each of a seat that nobody else wants, over two instances. */
#include <criterion/criterion.h>
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { HOLDS = 50, LIMIT_MS = 30000, SEATS_MAX = 10 };

TestSuite(seat_limit, .timeout = 120);

static void add_hold(
	struct world *world, struct crowd *crowd, const struct person *person, size_t seat)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = person->jwt,
		.key = textf(world, "key-%zu", seat),
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};

	crowd_add(crowd, &world->instances[seat % world->options.instances], &call);
}

static void at_once(const char *mode)
{
	enum { PEOPLE = 3 };
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {mode, "--seat.per_user_max=10", WORLD_PATIENCE}});
	struct crowd *crowd = crowd_new();

	world_fill(
		world, PEOPLE, 0, &(struct sale_options){.rows = PEOPLE, .seats_per_row = HOLDS});
	for (size_t i = 0; i < (size_t)PEOPLE * HOLDS; i++)
		add_hold(world, crowd, &world->people.list[i / HOLDS], i);
	crowd_run(crowd, LIMIT_MS);
	size_t held = crowd_count(crowd, 201, NULL),
	       refused = crowd_count(crowd, 422, "validation_failed");
	cr_assert(held == (size_t)PEOPLE * SEATS_MAX, "%zu held, %zu refused", held, refused);
	cr_assert(held + refused == (size_t)PEOPLE * HOLDS);
	cr_assert(
		database_i64(world->db,
			"SELECT count(*) FROM (SELECT user_id FROM reservations WHERE status = 'held' "
			"GROUP BY user_id HAVING sum(seat_count) = 10) u",
			0, NULL) == PEOPLE);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM idempotency", 0, NULL) ==
		  (int64_t)held);
	invariants_hold(&(struct invariants_input){.db = world->db});
	crowd_free(crowd);
	world_close(world);
}

Test(seat_limit, at_once_with_redis)
{
	at_once("--lock.mode=redis");
}

Test(seat_limit, at_once_without_locks_in_redis)
{
	at_once("--lock.mode=none");
}

/* No two share a transaction. */
Test(seat_limit, at_once_one_by_one)
{
	at_once("--db.batch_max=1");
}
