/* Single allocations fail, all over the server, in its libraries and in the C library, and not only where an address
 * space ends (tests/live/memory.c): requests get 503 or 500, or lose their connection; the server lives, and all is as
 * ever afterwards. Where every one fails there is an end to the reserve, and so to the server: what was acknowledged
 * is there when it is started again. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "tests/support/allocations.h"
#include "tests/support/invariants.h"
#include "tests/support/load.h"
#include "tests/support/shoppers.h"
#include "tests/support/wait.h"

enum { ROUNDS = 25, FAILURES = 6, ONE_IN = 10, STEP_LIMIT_MS = 20000, BACK_LIMIT_MS = 10000 };
enum { PEOPLE = 200, SEATS = 120, PRICE = 1000, ENDS = 5, LIMIT_MS = 60000 };

TestSuite(allocation, .timeout = 180);

/* --- some fail --- */

/* The reserve is whole again: until then new work is refused. A request that is made while it is waited for turns
 * the server's loop. */
static bool serves(void *context)
{
	struct world *world = context;
	struct answer *answer = world_call(
		world, &(struct call){.method = "GET", .path = "/v1/events"});

	return answer->status == 200;
}

struct last {
	struct load *load;
	uint64_t paid_before;
};

/* Seats whose payment was refused are held until their hold lapses. */
static bool pays(void *context)
{
	struct last *last = context;

	load_round(last->load, STEP_LIMIT_MS);
	return load_counts(last->load)->paid > last->paid_before;
}

/* How many allocations a round takes, when none fails. */
static uint64_t measure(struct load *load, struct allocations *allocations)
{
	load_round(load, STEP_LIMIT_MS);
	uint64_t before = atomic_load(&allocations->asked);
	load_round(load, STEP_LIMIT_MS);
	return atomic_load(&allocations->asked) - before;
}

/* A few in each round, beginning anywhere in it. */
static void fail_some(struct world *world, struct load *load, struct allocations *allocations)
{
	uint64_t a_round = measure(load, allocations);

	for (uint64_t i = 0; i < ROUNDS; i++) {
		allocations_fail(allocations, a_round * i / ROUNDS, ONE_IN, FAILURES);
		load_round(load, STEP_LIMIT_MS);
		allocations_succeed(allocations);
		cr_assert(wait_until(serves, world, BACK_LIMIT_MS), "round %" PRIu64, i);
	}
}

Test(allocation, some_fail)
{
	struct allocations *allocations;
	struct world *world = allocations_world(
		&(struct world_options){.flags = {"--seat.hold_ttl_ms=2000"}}, &allocations);
	struct load *load = load_new(world);

	fail_some(world, load, allocations);
	struct load_counts troubled = *load_counts(load);
	unsigned failed = (unsigned)atomic_load(&allocations->failed);
	printf("%u of %" PRIu64 " allocations failed; of %" PRIu64 " requests %" PRIu64
	       " got 500 or 503, %" PRIu64 " lost their connection\n",
		failed, atomic_load(&allocations->asked), troubled.requests, troubled.failed,
		troubled.lost);
	cr_expect(failed >= ROUNDS && troubled.failed > 0);
	cr_expect(wait_until(pays, &(struct last){load, troubled.paid}, BACK_LIMIT_MS));
	const struct load_counts *counts = load_counts(load);
	cr_expect(counts->failed == troubled.failed && counts->lost == troubled.lost);
	cr_expect(world->instances[0].starts == 1);
	invariants_hold(&(struct invariants_input){.db = world->db});
	load_free(load);
	allocations_close(world, allocations);
}

/* --- what Redis says --- */

enum { MESSAGES = 60 };

struct messages {
	struct allocations *allocations;
	redisContext *redis;
};

/* Nobody has a seat map of it: the server reads the message, and that is all. */
static bool say_until_failed(void *context)
{
	struct messages *messages = context;
	redisReply *reply = redisCommand(
		messages->redis, "PUBLISH onsale:seats 999999999:somebody");

	cr_assert(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	return atomic_load(&messages->allocations->left) <= 0;
}

Test(allocation, messages)
{
	struct messages messages;
	struct world *world = allocations_world(&(struct world_options){0}, &messages.allocations);

	messages.redis = redis_process_connect(&world->redis);
	for (unsigned i = 0; i < MESSAGES; i++) {
		allocations_fail(messages.allocations, i, 3, 2);
		cr_assert(wait_until(say_until_failed, &messages, BACK_LIMIT_MS), "%u", i);
		allocations_succeed(messages.allocations);
		cr_assert(wait_until(serves, world, BACK_LIMIT_MS), "%u", i);
	}
	cr_expect(atomic_load(&messages.allocations->failed) >= 2 * MESSAGES);
	cr_expect(world->instances[0].starts == 1);
	redisFree(messages.redis);
	allocations_close(world, messages.allocations);
}

/* --- all fail --- */

struct night {
	struct world *world;
	struct allocations *allocations;
	unsigned ended;
};

static bool has_ended(void *context)
{
	struct instance *instance = context;
	int status;

	if (waitpid(instance->pid, &status, WNOHANG) != instance->pid)
		return false;
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d", status);
	instance->pid = 0;
	return true;
}

/* Several times, in the midst of it. */
static void end_it(struct shoppers *shoppers, void *context)
{
	struct night *night = context;
	struct instance *instance = &night->world->instances[0];

	if (night->ended == ENDS ||
		shoppers_counts(shoppers)->paid < SEATS * (night->ended + 1) / (ENDS + 2))
		return;
	allocations_fail(night->allocations, 0, 1, INT64_MAX);
	cr_assert(wait_until(has_ended, instance, BACK_LIMIT_MS), "it goes on without memory");
	allocations_succeed(night->allocations);
	/* Whichever allocation was the first that could not be done without. */
	cr_expect(instance_logged(instance, "check failed: "));
	instance_start(instance);
	night->ended++;
}

Test(allocation, all_fail)
{
	struct night night = {0};
	struct world *world = allocations_world(&(struct world_options){0}, &night.allocations);

	night.world = world;
	world_fill(world, PEOPLE, 2 * PRICE,
		&(struct sale_options){
			.queue = true, .capacity = 20, .seats_per_row = SEATS, .price = PRICE});
	struct shoppers *shoppers = shoppers_new(world, &world->sale, &world->people, 1);
	shoppers_run(shoppers, LIMIT_MS, end_it, &night);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	printf("%u paid, %u refused with 503, %u connections lost; the server ended %u times, "
	       "after %" PRIu64 " allocations that failed\n",
		counts->paid, counts->shed, counts->lost, night.ended,
		(uint64_t)atomic_load(&night.allocations->failed));
	cr_expect(night.ended == ENDS && counts->paid == SEATS && counts->lost > 0);
	struct admissions admissions;
	admissions_read(&admissions, &world->redis, world->sale.event_id);
	invariants_hold(&(struct invariants_input){.db = world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = world->sale.capacity,
		.admit_per_second = world->sale.admit_per_second});
	admissions_free(&admissions);
	shoppers_free(shoppers);
	allocations_close(world, night.allocations);
}
