/* One seat, a thousand buyers at once, two instances: one of them gets it, whatever guards are there; and
 * with every guard off the same crowd buys it several times, which the checker sees. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "proto/base/embed.h"
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

EMBED(unguarded_hold, "tests/live/unguarded_hold.sql");
EMBED(unguarded_pay, "tests/live/unguarded_pay.sql");

/* All are there in one moment (tests/support/crowd.h); in work at once are those that were read before the first
 * answers were there. */
enum { BUYERS = 1000, IN_FLIGHT_MIN = BUYERS / 4, LIMIT_MS = 60000, BALANCE = 100000 };

TestSuite(one_seat, .timeout = 120);

/* All want the seat at once; the instances take turns. */
static void run_crowd(struct world *world, struct crowd *crowd)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.key = "the-only-seat",
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};

	for (size_t i = 0; i < world->people.count; i++) {
		call.jwt = world->people.list[i].jwt;
		crowd_add(crowd, &world->instances[i % world->options.instances], &call);
	}
	crowd_run(crowd, LIMIT_MS);
}

static double in_flight_peak(const struct world *world)
{
	double peak = 0;

	for (unsigned i = 0; i < world->options.instances; i++)
		peak += instance_metric(&world->instances[i], "onsale_in_flight_peak");
	return peak;
}

static void check_refusals(struct crowd *crowd, int64_t seat_id)
{
	for (size_t i = 0; i < crowd_size(crowd); i++) {
		struct answer *answer = crowd_answer(crowd, i);
		if (answer->status == 201)
			continue;
		check_problem(answer, 409, "seat_unavailable");
		const json_t *ids = json_object_get(answer_json(answer), "seat_ids");
		cr_assert(json_array_size(ids) == 1 &&
				  json_integer_value(json_array_get(ids, 0)) == seat_id,
			"%s", answer->body);
	}
}

static void one_gets_it(const struct world_options *options)
{
	static const char *const more[] = {WORLD_PATIENCE, "--lock.redlock_deadline_ms=1000"};
	struct world_options patient = *options;

	world_options_add(&patient, more, ARRAY_LEN(more));
	struct world *world = world_open(&patient);
	struct crowd *crowd = crowd_new();

	world_fill(world, BUYERS, BALANCE, &(struct sale_options){.seats_per_row = 1});
	run_crowd(world, crowd);
	size_t won = crowd_count(crowd, 201, NULL),
	       lost = crowd_count(crowd, 409, "seat_unavailable");
	double peak = in_flight_peak(world);
	printf("one seat: %zu of %d got it, %zu were refused; in flight at once: %.0f\n", won,
		BUYERS, lost, peak);
	cr_assert(won == 1 && lost == BUYERS - 1, "%zu got the seat, %zu were refused", won, lost);
	cr_assert(peak >= IN_FLIGHT_MIN, "only %.0f requests were in flight at once", peak);
	check_refusals(crowd, world->sale.seat_ids[0]);
	invariants_hold(&(struct invariants_input){.db = world->db});
	cr_assert(database_i64(world->db, "SELECT count(*) FROM reservations", 0, NULL) == 1);
	crowd_free(crowd);
	world_close(world);
}

Test(one_seat, with_redis)
{
	one_gets_it(&(struct world_options){.instances = 2});
}

Test(one_seat, without_redis)
{
	one_gets_it(&(struct world_options){.instances = 2, .no_redis = true});
}

Test(one_seat, without_locks_in_redis)
{
	one_gets_it(&(struct world_options){.instances = 2, .flags = {"--lock.mode=none"}});
}

Test(one_seat, with_redlock)
{
	one_gets_it(&(struct world_options){.instances = 2, .redlock = 3});
}

Test(one_seat, optimistic_with_redis)
{
	one_gets_it(
		&(struct world_options){.instances = 2, .flags = {"--seat.strategy=optimistic"}});
}

Test(one_seat, optimistic_without_locks_in_redis)
{
	one_gets_it(&(struct world_options){
		.instances = 2, .flags = {"--lock.mode=none", "--seat.strategy=optimistic"}});
}

Test(one_seat, optimistic_with_redlock)
{
	one_gets_it(&(struct world_options){
		.instances = 2, .redlock = 3, .flags = {"--seat.strategy=optimistic"}});
}

/* Each who holds the seat pays for it. */
static size_t pay_all(struct world *world, struct crowd *holds, struct crowd *payments)
{
	for (size_t i = 0; i < crowd_size(holds); i++) {
		struct answer *answer = crowd_answer(holds, i);
		if (answer->status != 201)
			continue;
		struct call call = {.method = "POST",
			.jwt = world->people.list[i].jwt,
			.key = "pay",
			.path = textf(world, "/v1/reservations/%lld/payment",
				(long long)answer_int(answer, "id"))};
		crowd_add(payments, &world->instances[0], &call);
	}
	crowd_run(payments, LIMIT_MS);
	return crowd_count(payments, 201, NULL);
}

Test(one_seat, control_without_guards)
{
	struct world *world = world_open(&(struct world_options){.instances = 2,
		.no_redis = true,
		.unmigrated = true,
		.flags = {"--lock.mode=none", "--db.batch_max=1", "--db.lanes=8"}});
	struct crowd *holds = crowd_new(), *payments = crowd_new();
	struct violations violations;

	world_migrate(world);
	database_run(world->db, unguarded_hold);
	database_run(world->db, unguarded_pay);
	world_start(world);
	world_fill(world, BUYERS, BALANCE, &(struct sale_options){.seats_per_row = 1});
	run_crowd(world, holds);
	size_t won = crowd_count(holds, 201, NULL), sold = pay_all(world, holds, payments);
	printf("one seat without guards: %zu of %d held it, %zu paid for it\n", won, BUYERS, sold);
	cr_assert(
		won > 1 && sold > 1, "%zu held the seat, %zu paid: no guard was needed", won, sold);
	invariants_check(&(struct invariants_input){.db = world->db}, &violations);
	cr_assert(violations.of[1] > 0, "the double sale went unseen\n%s", violations.text);
	crowd_free(payments);
	crowd_free(holds);
	world_close(world);
}
