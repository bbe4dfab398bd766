/* Redis is emptied, goes back in time, or stands still, while people wait in the line and hold passes: nobody
 * loses what they have, and whatever was used up stays so. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 30000, CROWD_LIMIT_MS = 60000 };

TestSuite(recovery, .timeout = 240);

/* --- people --- */

/* A person's token, pass and reservation, the newest of each. */
struct visitor {
	const struct person *person;
	char token[256], pass[256];
	int64_t position, reservation_id;
	int status; /* of the last reply */
};

static void take_reply(struct visitor *visitor, struct answer *answer)
{
	visitor->status = answer->status;
	visitor->position = 0;
	if (answer->status / 100 != 2)
		return;
	cr_assert(strlen(answer_text(answer, "token")) < sizeof visitor->token);
	strcpy(visitor->token, answer_text(answer, "token"));
	visitor->position = json_integer_value(json_object_get(answer_json(answer), "position"));
	if (answer_is(answer, "status", "admitted"))
		strcpy(visitor->pass, answer_text(answer, "pass"));
}

static struct call join_call(struct world *world, const struct visitor *visitor)
{
	return (struct call){.method = "POST",
		.jwt = visitor->person->jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
}

static struct call poll_call(const struct visitor *visitor)
{
	return (struct call){.method = "GET", .path = "/v1/queue", .queue_token = visitor->token};
}

static void join(struct world *world, struct visitor *visitor)
{
	struct call call = join_call(world, visitor);

	take_reply(visitor, expect(world, &call, 201, NULL));
}

/* Polls with the token, and with the pass where one is given. */
static struct answer *poll(struct world *world, struct visitor *visitor, const char *pass)
{
	struct call call = poll_call(visitor);

	call.pass = pass;
	struct answer *answer = world_call(world, &call);
	take_reply(visitor, answer);
	return answer;
}

static struct call hold_call(
	struct world *world, const struct visitor *visitor, unsigned seat, const char *key)
{
	return (struct call){.method = "POST",
		.path = "/v1/reservations",
		.jwt = visitor->person->jwt,
		.pass = visitor->pass,
		.key = key,
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};
}

static void hold(struct world *world, struct visitor *visitor, unsigned seat)
{
	struct call call = hold_call(world, visitor, seat, "hold");

	visitor->reservation_id = answer_int(expect(world, &call, 201, NULL), "id");
}

static void pay(struct world *world, struct visitor *visitor)
{
	struct call call = {.method = "POST",
		.path = textf(
			world, "/v1/reservations/%lld/payment", (long long)visitor->reservation_id),
		.jwt = visitor->person->jwt,
		.key = "pay"};

	expect(world, &call, 201, NULL);
}

struct wanted {
	struct world *world;
	struct visitor *visitor;
	const char *status;
};

static bool has_status(void *context)
{
	struct wanted *wanted = context;

	return answer_is(poll(wanted->world, wanted->visitor, NULL), "status", wanted->status) &&
	       (wanted->visitor->position > 0 || strcmp(wanted->status, "waiting") != 0);
}

static void wait_for(struct world *world, struct visitor *visitor, const char *status)
{
	struct wanted wanted = {world, visitor, status};

	cr_assert(wait_until(has_status, &wanted, LIMIT_MS));
}

/* Everybody asks at once; many more than a crowd go in several. */
static void ask_all(struct world *world, struct visitor *visitors, unsigned count, bool joins)
{
	for (unsigned done = 0, size; done < count; done += size) {
		struct crowd *crowd = crowd_new();

		size = count - done < CROWD_MAX ? count - done : CROWD_MAX;
		for (unsigned i = 0; i < size; i++) {
			struct call call = joins ? join_call(world, &visitors[done + i])
						 : poll_call(&visitors[done + i]);
			crowd_add(crowd, &world->instances[i % world->options.instances], &call);
		}
		crowd_run(crowd, CROWD_LIMIT_MS);
		for (unsigned i = 0; i < size; i++) {
			struct answer *answer = crowd_answer(crowd, i);
			cr_assert(answer != NULL);
			take_reply(&visitors[done + i], answer);
		}
		crowd_free(crowd);
	}
}

static struct visitor *visitors_new(const struct world *world)
{
	struct visitor *visitors = must_calloc(world->people.count, sizeof *visitors);

	for (size_t i = 0; i < world->people.count; i++)
		visitors[i].person = &world->people.list[i];
	return visitors;
}

static void redis_run(struct world *world, const char *command)
{
	redisContext *redis = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(redis, command);

	cr_assert(reply != NULL && reply->type != REDIS_REPLY_ERROR, "%s", command);
	freeReplyObject(reply);
	redisFree(redis);
}

/* --- emptied, with a long line --- */

static int by_position(const void *left, const void *right)
{
	int64_t a = ((const struct visitor *)left)->position,
		b = ((const struct visitor *)right)->position;

	return (a > b) - (a < b);
}

struct behind {
	struct world *world;
	struct visitor *visitor;
	int64_t others;
};

static bool stands_behind(void *context)
{
	struct behind *behind = context;

	poll(behind->world, behind->visitor, NULL);
	return behind->visitor->position > behind->others;
}

static unsigned count_inversions(const struct visitor *visitors, unsigned count)
{
	unsigned inversions = 0;

	for (unsigned i = 1; i < count; i++)
		inversions += visitors[i].position <= visitors[i - 1].position;
	return inversions;
}

/* Ten thousand take a busy machine as long as it needs: nobody is admitted or dropped meanwhile, and a Redis that is
 * slow is not taken for one that is away. */
Test(recovery, an_emptied_line_comes_back_in_order)
{
	enum { PEOPLE = 10000, NEWCOMERS = 100 };
	struct world *world = world_open(&(struct world_options){.instances = 2,
		.flags = {"--redis.deadline_ms=10000", "--db.deadline_ms=30000",
			"--lock.locking_ms=60000"}});

	world_fill(world, PEOPLE + NEWCOMERS, 0,
		&(struct sale_options){.queue = true, .abandon_after_seconds = 600});
	world_set_line(world, "{\"paused\":true}");
	struct visitor *visitors = visitors_new(world);
	ask_all(world, visitors, PEOPLE, true);
	ask_all(world, visitors, PEOPLE, false);
	qsort(visitors, PEOPLE, sizeof *visitors, by_position);
	cr_assert(count_inversions(visitors, PEOPLE) == 0);

	redis_run(world, "FLUSHALL");
	ask_all(world, visitors, PEOPLE, false); /* one poll interval */
	ask_all(world, visitors + PEOPLE, NEWCOMERS, true);
	ask_all(world, visitors, PEOPLE, false); /* and another */
	unsigned back = 0;
	for (unsigned i = 0; i < PEOPLE; i++)
		back += visitors[i].status == 200 && visitors[i].position > 0;
	/* Who came back while others were told where they stand has moved those behind him: now nobody does. */
	ask_all(world, visitors, PEOPLE, false);
	unsigned inversions = count_inversions(visitors, PEOPLE);
	printf("%u of %d back within two poll intervals, %u inversions\n", back, PEOPLE,
		inversions);
	cr_expect(back == PEOPLE && inversions == 0 && visitors[0].position == 1 &&
		  visitors[PEOPLE - 1].position == PEOPLE);
	for (unsigned i = PEOPLE; i < PEOPLE + NEWCOMERS; i++) {
		struct behind behind = {world, &visitors[i], PEOPLE};

		cr_expect(wait_until(stands_behind, &behind, LIMIT_MS), "a newcomer stands at %lld",
			(long long)visitors[i].position);
	}
	free(visitors);
	world_close(world);
}

/* --- emptied, with passes --- */

Test(recovery, passes_outlive_an_emptied_redis)
{
	enum { AGAIN, FRESH, BOUGHT, HOLDS, TOKEN_ONLY, WAITS, PEOPLE };
	struct world *world = world_open(
		&(struct world_options){.flags = {"--queue.poll_min_ms=50",
						"--queue.poll_max_ms=2000", "--queue.tick_ms=20"}});

	world_fill(world, PEOPLE, 5000, &(struct sale_options){.queue = true, .capacity = 5});
	struct visitor *visitors = visitors_new(world);
	for (unsigned i = 0; i < PEOPLE; i++) {
		join(world, &visitors[i]);
		if (i != WAITS)
			wait_for(world, &visitors[i], "admitted");
	}
	hold(world, &visitors[HOLDS], 0);
	hold(world, &visitors[AGAIN], 5);
	pay(world, &visitors[AGAIN]);
	join(world, &visitors[AGAIN]); /* behind, while all that may are in */
	struct visitor before = visitors[BOUGHT];
	hold(world, &visitors[BOUGHT], 1);
	redis_run(world,
		"FLUSHALL"); /* before it is paid: Redis cannot be told that the pass ended */
	pay(world, &visitors[BOUGHT]);
	redis_run(world, "FLUSHALL");

	cr_expect(poll(world, &before, NULL)->status == 410, "what bought is used up");
	cr_expect(poll(world, &before, before.pass)->status == 410, "with its pass, too");
	cr_expect(
		answer_is(poll(world, &visitors[AGAIN], visitors[AGAIN].pass), "status", "waiting"),
		"who joined again after buying has a place, whatever pass is shown");
	struct call leave = {
		.method = "DELETE", .path = "/v1/queue", .queue_token = visitors[AGAIN].token};
	expect(world, &leave, 204, NULL);
	struct call again = hold_call(world, &before, 2, "again");
	expect(world, &again, 403, "queue_pass_invalid");
	poll(world, &visitors[WAITS], NULL);
	hold(world, &visitors[FRESH], 3);
	pay(world, &visitors[FRESH]);
	cr_expect(answer_is(
		poll(world, &visitors[HOLDS], visitors[HOLDS].pass), "status", "admitted"));
	cr_expect(answer_is(poll(world, &visitors[HOLDS], NULL), "status", "admitted"),
		"it is known again");
	pay(world, &visitors[HOLDS]);
	/* A token alone is a place in line, in front of whoever came later; the pass then takes it in again. */
	cr_expect(answer_is(poll(world, &visitors[TOKEN_ONLY], NULL), "status", "waiting"));
	cr_expect(visitors[TOKEN_ONLY].position == 1);
	hold(world, &visitors[TOKEN_ONLY], 4);
	cr_expect(answer_is(poll(world, &visitors[TOKEN_ONLY], NULL), "status", "admitted"));
	pay(world, &visitors[TOKEN_ONLY]);
	cr_expect(poll(world, &visitors[TOKEN_ONLY], NULL)->status == 410);
	wait_for(world, &visitors[WAITS], "admitted");
	invariants_hold(&(struct invariants_input){.db = world->db});
	free(visitors);
	world_close(world);
}

/* --- back in time --- */

static void copy(struct world *world, const char *from, const char *to)
{
	const char *argv[] = {"cp", "-a", "-T", textf(world, "%s/%s", world->folder, from),
		textf(world, "%s/%s", world->folder, to), NULL};

	cr_assert(process_run(argv, NULL, NULL, NULL) == 0);
}

static void remove_folder(struct world *world, const char *name)
{
	const char *argv[] = {"rm", "-r", textf(world, "%s/%s", world->folder, name), NULL};

	cr_assert(process_run(argv, NULL, NULL, NULL) == 0);
}

/* Redis comes back from an older file: numbers that it has forgotten were given, and are not given again. */
Test(recovery, an_older_file_keeps_the_order)
{
	enum {
		KEPT = 20,
		FORGOTTEN = 20,
		NEWCOMERS = 5,
		PEOPLE = 1 + KEPT + FORGOTTEN + NEWCOMERS
	};
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=3000"}});

	world_fill(world, PEOPLE, 0, &(struct sale_options){.queue = true, .capacity = 1});
	struct visitor *all = visitors_new(world), *visitors = all + 1;
	join(world, &all[0]);
	wait_for(world, &all[0], "admitted");
	for (unsigned i = 0; i < KEPT; i++)
		join(world, &visitors[i]);
	copy(world, "appendonlydir", "older");
	for (unsigned i = KEPT; i < KEPT + FORGOTTEN; i++)
		join(world, &visitors[i]);
	process_kill(world->redis.pid);
	world->redis.pid = 0;
	remove_folder(world, "appendonlydir");
	copy(world, "older", "appendonlydir");
	redis_process_start(&world->redis);
	for (unsigned i = 0; i < world->options.instances; i++)
		instance_wait_ready(&world->instances[i]);

	ask_all(world, visitors + KEPT + FORGOTTEN, NEWCOMERS,
		true); /* before anybody shows a number */
	for (unsigned i = 0; i < PEOPLE - 1; i++)
		cr_assert(poll(world, &visitors[i], NULL)->status == 200);
	for (unsigned i = 0; i < PEOPLE - 1; i++)
		poll(world, &visitors[i], NULL);
	for (unsigned i = 0; i < KEPT + FORGOTTEN; i++)
		cr_expect(visitors[i].position == i + 1, "%u stands at %lld", i + 1,
			(long long)visitors[i].position);
	for (unsigned i = KEPT + FORGOTTEN; i < PEOPLE - 1; i++) {
		struct behind behind = {world, &visitors[i], KEPT + FORGOTTEN};

		cr_expect(wait_until(stands_behind, &behind, LIMIT_MS),
			"the next tick knows who came back in front");
	}
	free(all);
	world_close(world);
}

/* --- frozen --- */

struct frozen {
	struct world *world;
	struct visitor *visitor;
	uint64_t until_ms;
	unsigned stale;
};

/* A poll now and then, until the time is over: each says that it knows nothing new. */
static bool frozen_long_enough(void *context)
{
	struct frozen *frozen = context;
	struct answer *answer = poll(frozen->world, frozen->visitor, NULL);

	cr_assert(answer->status == 200);
	frozen->stale += json_is_true(json_object_get(answer_json(answer), "stale"));
	return now_ms() >= frozen->until_ms;
}

static int64_t last_tick(struct world *world)
{
	redisContext *redis = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(
		redis, "HGET onsale:{%lld}:meta last_tick", (long long)world->sale.event_id);

	cr_assert(reply != NULL && reply->type == REDIS_REPLY_STRING);
	int64_t at_ms = strtoll(reply->str, NULL, 10);
	freeReplyObject(reply);
	redisFree(redis);
	return at_ms;
}

struct ticked {
	struct world *world;
	int64_t since;
};

static bool has_ticked(void *context)
{
	struct ticked *ticked = context;

	return last_tick(ticked->world) > ticked->since;
}

/* FREEZE_SECONDS= of a freeze with a line that keeps its default patience; else twice a short one. */
Test(recovery, a_freeze_drops_nobody)
{
	enum { PEOPLE = 6, ABANDON_AFTER_S = 3 };
	const char *said = getenv("FREEZE_SECONDS");
	uint64_t freeze_ms = (said != NULL ? strtoull(said, NULL, 10) : 2 * ABANDON_AFTER_S) * 1000;
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=1000",
			"--redis.deadline_ms=200"}});

	world_fill(world, PEOPLE, 0,
		&(struct sale_options){.queue = true,
			.capacity = 1,
			.abandon_after_seconds = said != NULL ? 0 : ABANDON_AFTER_S});
	struct visitor *visitors = visitors_new(world);
	for (unsigned i = 0; i < PEOPLE; i++) {
		join(world, &visitors[i]);
		if (i == 0)
			wait_for(world, &visitors[i], "admitted");
	}
	struct frozen frozen = {world, &visitors[1], now_ms() + freeze_ms, 0};
	kill(world->redis.pid, SIGSTOP);
	cr_assert(wait_until(frozen_long_enough, &frozen, (unsigned)freeze_ms + LIMIT_MS));
	cr_assert(frozen.stale > 0);
	kill(world->redis.pid, SIGCONT);
	struct ticked ticked = {world, last_tick(world)};
	wait_for(world, &visitors[1], "waiting");
	cr_assert(wait_until(has_ticked, &ticked, LIMIT_MS)); /* and so has judged who is gone */
	printf("%" PRIu64 " s frozen, %u polls stale\n", freeze_ms / 1000, frozen.stale);
	for (unsigned i = 1; i < PEOPLE; i++) {
		cr_expect(poll(world, &visitors[i], NULL)->status == 200);
		cr_expect(visitors[i].position == i, "%u stands at %lld", i,
			(long long)visitors[i].position);
	}
	struct call stats = {.method = "GET",
		.jwt = world->admins.list[0].jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id)};
	cr_expect(answer_int(expect(world, &stats, 200, NULL), "abandoned") == 0);
	free(visitors);
	world_close(world);
}
