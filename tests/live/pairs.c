/* Reservations of several seats that overlap: all of a request's seats or none, and nobody deadlocks. Once by
 * all at the same moment, and as a storm, in which the same few seats are held, paid, given back and wanted by
 * everybody else, again and again: for STORM_SECONDS, where the environment says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tests/support/crowd.h"
#include "tests/support/deadlocks.h"
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { BUYERS = 1000, SEATS = 60, SEATS_EACH_MAX = 4, LIMIT_MS = 60000 };
enum {
	STORM_BUYERS = 500,
	STORM_SEATS = 20,
	STORM_BALANCE = 1000000,
	STORM_MS = 5000,
	KEY_SIZE = 32
};

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

/* redlock: over how many Redis, or 0. */
static struct world *open_world(const char *flag, const char *other_flag, unsigned redlock)
{
	return deadlocks_world_open(&(struct world_options){
		.instances = 2, .redlock = redlock, .flags = {flag, other_flag}});
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

static void same_two(const char *flag, const char *other_flag, unsigned redlock)
{
	struct world *world = open_world(flag, other_flag, redlock);
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
	same_two("--lock.mode=redis", NULL, 0);
}

Test(pairs, same_two_without_locks_in_redis)
{
	same_two("--lock.mode=none", NULL, 0);
}

Test(pairs, same_two_with_redlock)
{
	same_two(NULL, NULL, 3);
}

Test(pairs, same_two_optimistic_without_locks_in_redis)
{
	same_two("--lock.mode=none", "--seat.strategy=optimistic", 0);
}

/* From two to so many different seats in any order. */
static size_t pick_seats(
	const struct sale *sale, unsigned *random, size_t most, int64_t seat_ids[SEATS_EACH_MAX])
{
	size_t wanted = 2 + (size_t)rand_r(random) % (most - 1), count = 0;

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

static void overlap(const char *flag, const char *other_flag, unsigned redlock)
{
	struct world *world = open_world(flag, other_flag, redlock);
	unsigned seed = (unsigned)time(NULL), random = seed;
	struct crowd *crowd = crowd_new();

	printf("seed %u\n", seed);
	world_fill(world, BUYERS, 0, &(struct sale_options){.rows = 6, .seats_per_row = SEATS / 6});
	for (size_t i = 0; i < BUYERS; i++) {
		int64_t seat_ids[SEATS_EACH_MAX];
		size_t count = pick_seats(&world->sale, &random, 3, seat_ids);
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
	overlap("--lock.mode=redis", NULL, 0);
}

Test(pairs, overlapping_without_locks_in_redis)
{
	overlap("--lock.mode=none", NULL, 0);
}

Test(pairs, overlapping_with_redlock)
{
	overlap(NULL, NULL, 3);
}

Test(pairs, overlapping_optimistic_with_redis)
{
	overlap("--seat.strategy=optimistic", NULL, 0);
}

Test(pairs, overlapping_optimistic_without_locks_in_redis)
{
	overlap("--lock.mode=none", "--seat.strategy=optimistic", 0);
}

Test(pairs, overlapping_optimistic_with_redlock)
{
	overlap("--seat.strategy=optimistic", NULL, 3);
}

/* --- the storm --- */

enum step { STEP_HOLD, STEP_PAY, STEP_GIVE_BACK, STEPS };

struct buyer {
	enum step step; /* that comes next */
	int64_t reservation_id; /* where the step is of one */
};

struct storm {
	struct world *world;
	struct buyer buyers[STORM_BUYERS];
	unsigned random, rounds;
	unsigned done[STEPS], refused, unexpected;
	char first_unexpected[256];
};

static void add_step(struct storm *storm, size_t i, struct crowd *crowd)
{
	struct world *world = storm->world;
	const struct buyer *buyer = &storm->buyers[i];
	int64_t seat_ids[SEATS_EACH_MAX];
	char path[96] = "/v1/reservations", key[KEY_SIZE];
	struct call call = {
		.method = "POST", .path = path, .jwt = world->people.list[i].jwt, .key = key};

	snprintf(key, sizeof key, "storm-%u", storm->rounds);
	switch (buyer->step) {
	case STEP_HOLD: {
		size_t count = pick_seats(&world->sale, &storm->random, SEATS_EACH_MAX, seat_ids);
		call.body = hold_body(world, &world->sale, seat_ids, count);
		break;
	}
	case STEP_PAY:
		snprintf(path, sizeof path, "/v1/reservations/%lld/payment",
			(long long)buyer->reservation_id);
		break;
	default:
		snprintf(path, sizeof path, "/v1/reservations/%lld",
			(long long)buyer->reservation_id);
		call.method = "DELETE";
		call.key = NULL;
	}
	crowd_add(crowd, &world->instances[i % world->options.instances], &call);
}

/* Whoever holds seats pays or lets them go; whoever has paid gives them back, so that they stay wanted. */
static enum step next_step(struct storm *storm, enum step step)
{
	switch (step) {
	case STEP_HOLD: return rand_r(&storm->random) % 2 == 0 ? STEP_PAY : STEP_GIVE_BACK;
	case STEP_PAY: return STEP_GIVE_BACK;
	default: return STEP_HOLD;
	}
}

static void take_answer(struct storm *storm, struct buyer *buyer, struct answer *answer)
{
	static const int right[] = {201, 201, 200};
	int status = answer == NULL ? 0 : answer->status;

	if (status == right[buyer->step]) {
		storm->done[buyer->step]++;
		if (buyer->step == STEP_HOLD)
			buyer->reservation_id = answer_int(answer, "id");
		buyer->step = next_step(storm, buyer->step);
	} else if (buyer->step == STEP_HOLD && status == 409 &&
		   answer_is(answer, "code", "seat_unavailable")) {
		storm->refused++;
	} else if (storm->unexpected++ == 0) {
		snprintf(storm->first_unexpected, sizeof storm->first_unexpected, "%d %.200s",
			status, answer == NULL ? "the connection was lost" : answer->body);
	}
}

static void run_round(struct storm *storm)
{
	struct crowd *crowd = crowd_new();

	storm->rounds++;
	for (size_t i = 0; i < STORM_BUYERS; i++)
		add_step(storm, i, crowd);
	crowd_run(crowd, LIMIT_MS);
	for (size_t i = 0; i < STORM_BUYERS; i++)
		take_answer(storm, &storm->buyers[i], crowd_answer(crowd, i));
	crowd_free(crowd);
}

static unsigned storm_ms(void)
{
	const char *seconds = getenv("STORM_SECONDS");

	return seconds != NULL ? (unsigned)strtoul(seconds, NULL, 10) * 1000 : STORM_MS;
}

static void run_storm(const char *flag, const char *other_flag, unsigned redlock)
{
	struct storm *storm = must_calloc(1, sizeof *storm);
	struct world *world = storm->world = open_world(flag, other_flag, redlock);

	storm->random = (unsigned)time(NULL);
	printf("seed %u\n", storm->random);
	world_fill(world, STORM_BUYERS, STORM_BALANCE,
		&(struct sale_options){.seats_per_row = STORM_SEATS});
	uint64_t end_ms = now_ms() + storm_ms();
	while (now_ms() < end_ms)
		run_round(storm);
	printf("%u rounds of %d: %u held, %u refused, %u paid, %u given back\n", storm->rounds,
		STORM_BUYERS, storm->done[STEP_HOLD], storm->refused, storm->done[STEP_PAY],
		storm->done[STEP_GIVE_BACK]);
	fflush(stdout); /* a failure ends the process as it is */
	deadlocks_check(world);
	cr_assert(storm->unexpected == 0, "%u unexpected answers, the first: %s", storm->unexpected,
		storm->first_unexpected);
	for (int step = 0; step < STEPS; step++)
		cr_assert(storm->done[step] > 0);
	cr_assert(storm->refused > 0);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
	free(storm);
}

Test(pairs, storm_with_redis, .timeout = 300)
{
	run_storm("--lock.mode=redis", NULL, 0);
}

Test(pairs, storm_without_locks_in_redis, .timeout = 300)
{
	run_storm("--lock.mode=none", NULL, 0);
}

Test(pairs, storm_with_redlock, .timeout = 300)
{
	run_storm(NULL, NULL, 3);
}

Test(pairs, storm_optimistic_without_locks_in_redis, .timeout = 300)
{
	run_storm("--lock.mode=none", "--seat.strategy=optimistic", 0);
}
