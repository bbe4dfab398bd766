/* What the contract promises while Redis or PostgreSQL is away, and that all is well again afterwards. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 15000 };

static const struct world_options options = {
	.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=300", "--queue.tick_ms=20"}};

TestSuite(contract_outage, .timeout = 90);

static const struct call ready_call = {.method = "GET", .path = "/readyz"};

static bool redis_is_missed(void *context)
{
	struct answer *answer = expect(context, &ready_call, 200, NULL);
	const json_t *degraded = json_object_get(answer_json(answer), "degraded");

	return json_array_size(degraded) == 1 &&
	       strcmp(json_string_value(json_array_get(degraded, 0)), "redis") == 0;
}

static bool postgresql_is_missed(void *context)
{
	struct answer *answer = world_call(context, &ready_call);

	return answer->status == 503 && strstr(answer->body, "\"postgresql\"") != NULL;
}

static struct call call_of(struct world *world, const char *method, const char *path)
{
	return (struct call){.method = method, .path = path, .jwt = world->people.list[0].jwt};
}

static struct call join_call(struct world *world, unsigned person)
{
	return (struct call){.method = "POST",
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
}

struct joined {
	struct world *world;
	struct answer *answer;
};

static bool is_admitted(void *context)
{
	struct joined *joined = context;
	struct call call = join_call(joined->world, 0);

	joined->answer = world_call(joined->world, &call);
	return joined->answer->status / 100 == 2 && answer_is(joined->answer, "status", "admitted");
}

/* With Redis away: a pass opens the door by its signature, and PostgreSQL alone guards the seats. */
static void buy_without_redis(struct world *world, const char *pass)
{
	struct call hold = call_of(world, "POST", "/v1/reservations");

	hold.key = "hold";
	hold.pass = pass;
	hold.body = hold_body(world, &world->sale, world->sale.seat_ids, 1);
	int64_t id = answer_int(expect(world, &hold, 201, NULL), "id");
	struct call other = hold;
	other.key = "again";
	expect(world, &other, 409, "seat_unavailable");
	other.pass = NULL;
	other.key = "without-pass";
	expect(world, &other, 403, "queue_pass_required");
	struct call pay = call_of(
		world, "POST", textf(world, "/v1/reservations/%lld/payment", (long long)id));
	pay.key = "pay";
	expect(world, &pay, 201, NULL);
}

Test(contract_outage, redis_away)
{
	struct world *world = world_open(&options);

	world_fill(world, 3, 5000, &(struct sale_options){.queue = true, .capacity = 1});
	struct joined first = {world, NULL};
	cr_assert(wait_until(is_admitted, &first, LIMIT_MS));
	struct call second_joins = join_call(world, 1), third_joins = join_call(world, 2);
	struct answer *second = expect(world, &second_joins, 201, NULL);
	redis_process_stop(&world->redis);
	cr_assert(wait_until(redis_is_missed, world, LIMIT_MS));

	expect(world, &third_joins, 503, "unavailable");
	struct call poll = {
		.method = "GET", .path = "/v1/queue", .queue_token = answer_text(second, "token")};
	struct answer *stale = expect(world, &poll, 200, NULL);
	cr_assert(answer_is(stale, "status", "waiting") &&
		  json_is_true(json_object_get(answer_json(stale), "stale")) &&
		  json_is_null(json_object_get(answer_json(stale), "position")));
	poll.queue_token = answer_text(first.answer, "token");
	poll.pass = answer_text(first.answer, "pass");
	cr_assert(answer_is(expect(world, &poll, 200, NULL), "status", "admitted"));
	poll.queue_token = "forged";
	expect(world, &poll, 401, "invalid_queue_token");
	buy_without_redis(world, answer_text(first.answer, "pass"));

	redis_process_start(&world->redis);
	instance_wait_ready(&world->instances[0]);
	poll.queue_token = answer_text(second, "token");
	poll.pass = NULL;
	expect(world, &poll, 200, NULL);
	cr_assert(expect(world, &second_joins, 200, NULL) != NULL); /* the place that was there */
	expect(world, &third_joins, 201, NULL);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

static bool can_hold(void *context)
{
	struct world *world = context;
	struct call call = call_of(world, "POST", "/v1/reservations");

	call.key = "in-the-outage";
	call.body = hold_body(world, &world->sale, world->sale.seat_ids, 1);
	struct answer *answer = world_call(world, &call);
	if (answer->status == 503)
		check_problem(answer, 503, "unavailable");
	return answer->status == 201;
}

static bool is_marked_stale(const struct answer *answer)
{
	char age[16];

	return answer_header(answer, "age", age, sizeof age) && strtol(age, NULL, 10) > 0 &&
	       strstr(answer->head, "\r\nCache-Status: onsale; hit; ttl=-") != NULL;
}

Test(contract_outage, postgresql_away)
{
	struct world *world = world_open(&options);

	world_fill(world, 1, 5000, &(struct sale_options){0});
	struct call poll = {.method = "GET", .path = "/livez"};
	struct call seats = {.method = "GET",
		.path = textf(world, "/v1/performances/%lld/seats/status",
			(long long)world->sale.performance_id)};
	struct answer *fresh = expect(world, &seats, 200, NULL);
	cr_assert(!is_marked_stale(fresh));
	world_set_database(world, false);
	cr_assert(wait_until(postgresql_is_missed, world, LIMIT_MS));
	expect(world, &poll, 200, NULL);
	cr_assert(!can_hold(world));
	expect(world, &seats, 200, NULL);
	struct call charge = call_of(world, "POST", "/v1/me/balance/charges");
	charge.key = "charge";
	charge.body = "{\"amount\":1}";
	expect(world, &charge, 503, "unavailable");
	struct call balance = call_of(world, "GET", "/v1/me/balance");
	expect(world, &balance, 503, "unavailable");
	expect(world, &(struct call){.method = "GET", .path = "/v1/events"}, 200, NULL);

	world_set_database(world, true);
	instance_wait_ready(&world->instances[0]);
	cr_assert(wait_until(can_hold, world, LIMIT_MS));
	cr_assert(!is_marked_stale(expect(world, &seats, 200, NULL)));
	expect(world, &balance, 200, NULL);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* The line keeps its order and admits nobody while PostgreSQL is away. */
Test(contract_outage, line_without_postgresql)
{
	struct world *world = world_open(&options);

	world_fill(world, 3, 0, &(struct sale_options){.queue = true, .capacity = 2});
	struct call third = join_call(world, 2); /* a new line asks PostgreSQL for its epoch */
	struct answer *answer = expect(world, &third, 201, NULL);
	struct call leave = {.method = "DELETE",
		.path = "/v1/queue",
		.queue_token = answer_text(answer, "token")};
	expect(world, &leave, 204, NULL);
	world_set_database(world, false);
	cr_assert(wait_until(postgresql_is_missed, world, LIMIT_MS));
	struct call first = join_call(world, 0), second = join_call(world, 1);
	answer = expect(world, &first, 201, NULL);
	cr_assert(answer_is(answer, "status", "waiting") && answer_int(answer, "position") == 1);
	answer = expect(world, &second, 201, NULL);
	cr_assert(answer_is(answer, "status", "waiting") && answer_int(answer, "position") == 2);
	world_set_database(world, true);
	struct joined joined = {world, NULL};
	cr_assert(wait_until(is_admitted, &joined, LIMIT_MS));
	world_close(world);
}

/* A server that finds no PostgreSQL at its start says so, and serves once it is there. */
Test(contract_outage, postgresql_away_at_the_start)
{
	struct world *world = world_open(NULL);

	instance_stop(&world->instances[0]);
	world_set_database(world, false);
	instance_launch(&world->instances[0]);
	expect(world, &(struct call){.method = "GET", .path = "/livez"}, 200, NULL);
	cr_assert(postgresql_is_missed(world));
	expect(world, &(struct call){.method = "GET", .path = "/v1/events"}, 503, "unavailable");
	world_set_database(world, true);
	instance_wait_ready(&world->instances[0]);
	expect(world, &(struct call){.method = "GET", .path = "/v1/events"}, 200, NULL);
	world_close(world);
}

struct looked {
	struct world *world;
	const struct call *seats;
};

/* The seat map is there all the same, and says how old it is. */
static bool is_stale(void *context)
{
	struct looked *looked = context;
	struct answer *answer = expect(looked->world, looked->seats, 200, NULL);

	return is_marked_stale(answer);
}

/* Seats that PostgreSQL lets nobody read keep no reader waiting, and there is no Redis to have them from. */
Test(contract_outage, stale_seat_maps)
{
	struct world *world = world_open(&(struct world_options){.no_redis = true});

	world_fill(world, 1, 5000, &(struct sale_options){0});
	struct call seats = {.method = "GET",
		.path = textf(world, "/v1/performances/%lld/seats",
			(long long)world->sale.performance_id)};
	expect(world, &seats, 200, NULL);
	database_run(world->db, "BEGIN; LOCK TABLE seats IN ACCESS EXCLUSIVE MODE");
	struct looked looked = {world, &seats};
	cr_assert(wait_until(is_stale, &looked, LIMIT_MS));
	for (int i = 0; i < 5; i++) {
		uint64_t begun_ms = now_ms();
		cr_assert(is_stale(&looked));
		cr_expect(now_ms() - begun_ms < 2000, "it took %d ms", (int)(now_ms() - begun_ms));
	}
	database_run(world->db, "COMMIT");
	cr_assert(wait_until(can_hold, world, LIMIT_MS));
	cr_expect(!is_stale(&looked));
	world_set_database(world, false);
	cr_assert(wait_until(is_stale, &looked, LIMIT_MS));
	world_set_database(world, true);
	world_close(world);
}
