/* The contract's rows on the waiting line: join, poll, leave, its public picture. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 10000 };

static const struct world_options options = {
	.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=300", "--queue.tick_ms=20"}};

TestSuite(contract_line, .timeout = 60);

static struct answer *join_at(struct world *world, unsigned instance, unsigned person, int status)
{
	struct call call = {.method = "POST",
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};

	return expect_at(world, instance, &call, status, NULL);
}

static struct answer *join(struct world *world, unsigned person, int status)
{
	return join_at(world, 0, person, status);
}

static struct answer *with_token(
	struct world *world, const char *method, const char *token, int status, const char *code)
{
	struct call call = {.method = method, .path = "/v1/queue", .queue_token = token};

	return expect(world, &call, status, code);
}

static const char *token_of(struct answer *answer)
{
	return answer_text(answer, "token");
}

struct asker {
	struct world *world;
	const char *token, *status;
	struct answer *answer;
};

static bool has_status(void *context)
{
	struct asker *asker = context;

	asker->answer = with_token(asker->world, "GET", asker->token, 200, NULL);
	asker->token = token_of(asker->answer); /* the newest */
	return answer_is(asker->answer, "status", asker->status);
}

static struct answer *poll_until(struct world *world, const char *token, const char *status)
{
	struct asker asker = {world, token, status, NULL};

	cr_assert(wait_until(has_status, &asker, LIMIT_MS), "never %s: %s", status,
		asker.answer->body);
	return asker.answer;
}

static void check_waiting(struct answer *answer, int64_t event_id, int64_t position)
{
	cr_assert(answer_header_is(answer, "cache-control", "no-store"));
	cr_assert(answer_is(answer, "status", "waiting") &&
		  answer_int(answer, "event_id") == event_id);
	cr_assert(answer_int(answer, "position") == position &&
		  answer_int(answer, "ahead") == position - 1);
	int64_t poll_after_ms = answer_int(answer, "poll_after_ms");
	cr_assert(poll_after_ms >= 50 && poll_after_ms <= 300, "%s", answer->body);
	static const char *const members[] = {
		"waiting", "eta_seconds", "seats_available", "paused", "message"};
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		cr_assert(json_object_get(answer_json(answer), members[i]) != NULL, "no %s",
			members[i]);
	cr_assert(json_object_get(answer_json(answer), "pass") == NULL);
}

/* A line of one, with everybody in it. */
static struct world *open_line(unsigned people)
{
	struct world *world = world_open(&options);

	world_fill(world, people, 10000, &(struct sale_options){.queue = true, .capacity = 1});
	return world;
}

Test(contract_line, join_and_poll)
{
	struct world *world = open_line(3);
	const char *first = token_of(join(world, 0, 201));
	struct answer *admitted = poll_until(world, first, "admitted");

	cr_assert(answer_int(admitted, "position") == 0 && answer_int(admitted, "ahead") == 0);
	cr_assert(answer_int(admitted, "expires_in") > 0 &&
		  answer_int(admitted, "expires_in") <= 300);
	cr_assert(answer_text(admitted, "pass")[0] != '\0' &&
		  strlen(answer_text(admitted, "pass_expires_at")) ==
			  strlen("2030-01-01T00:00:00.000Z"));
	check_waiting(join(world, 1, 201), world->sale.event_id, 1);
	struct answer *third = join(world, 2, 201);
	check_waiting(third, world->sale.event_id, 2);
	check_waiting(
		with_token(world, "GET", token_of(third), 200, NULL), world->sale.event_id, 2);
	check_waiting(join(world, 2, 200), world->sale.event_id, 2); /* the place that he has */
	cr_assert_str_eq(answer_text(join(world, 0, 200), "pass"), answer_text(admitted, "pass"));
	world_close(world);
}

Test(contract_line, refusals)
{
	struct world *world = open_line(1);
	struct sale other;
	const char *jwt = world->people.list[0].jwt;

	sale_open(world, &other, &(struct sale_options){0});
	struct call call = {.method = "POST",
		.path = textf(world, "/v1/events/%lld/queue", (long long)other.event_id)};
	expect(world, &call, 401, "unauthorized");
	call.jwt = jwt;
	expect(world, &call, 409, "queue_disabled");
	call.path = "/v1/events/999999/queue";
	expect(world, &call, 404, "event_not_found");
	with_token(world, "GET", NULL, 401, "invalid_queue_token");
	with_token(world, "GET", "forged", 401, "invalid_queue_token");
	with_token(world, "DELETE", NULL, 401, "invalid_queue_token");
	with_token(world, "DELETE", jwt, 401, "invalid_queue_token");
	char *token = (char *)textf(world, "%s", token_of(join(world, 0, 201)));
	token[10] = token[10] == 'A' ? 'B' : 'A';
	with_token(world, "GET", token, 401, "invalid_queue_token");
	sale_close(&other);
	world_close(world);
}

Test(contract_line, leaving)
{
	struct world *world = open_line(3);
	const char *first = token_of(poll_until(world, token_of(join(world, 0, 201)), "admitted"));
	const char *second = token_of(join(world, 1, 201));
	const char *third = token_of(join(world, 2, 201));

	with_token(world, "DELETE", second, 204, NULL);
	with_token(world, "DELETE", second, 204, NULL);
	with_token(world, "GET", second, 410, "place_expired");
	check_waiting(with_token(world, "GET", third, 200, NULL), world->sale.event_id, 1);
	with_token(world, "DELETE", first, 204, NULL); /* an admitted slot, free at once */
	with_token(world, "GET", first, 410, "place_expired");
	poll_until(world, third, "admitted");
	check_waiting(join(world, 1, 201), world->sale.event_id, 1);
	with_token(world, "GET", second, 410, "place_expired"); /* of the place before */
	world_close(world);
}

static struct answer *pay_for_seat(
	struct world *world, unsigned person, size_t seat, const char *pass)
{
	struct call hold = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.key = "hold",
		.pass = pass,
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};
	struct call pay = {.method = "POST",
		.jwt = hold.jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment",
			(long long)answer_int(expect(world, &hold, 201, NULL), "id"))};

	return expect(world, &pay, 201, NULL);
}

Test(contract_line, paying_ends_the_pass)
{
	struct world *world = open_line(2);
	struct answer *admitted = poll_until(world, token_of(join(world, 0, 201)), "admitted");
	const char *second = token_of(join(world, 1, 201));

	pay_for_seat(world, 0, 0, answer_text(admitted, "pass"));
	poll_until(world, second, "admitted");
	with_token(world, "GET", token_of(admitted), 410, "place_expired");
	check_waiting(
		join(world, 0, 201), world->sale.event_id, 1); /* who wants more joins again */
	world_close(world);
}

static bool shows_no_seats(void *context)
{
	struct world *world = context;
	struct call call = {.method = "GET",
		.path = textf(
			world, "/v1/events/%lld/performances", (long long)world->sale.event_id)};
	const json_t *items = json_object_get(
		answer_json(expect(world, &call, 200, NULL)), "items");

	return json_integer_value(json_object_get(json_array_get(items, 0), "seats_available")) ==
	       0;
}

Test(contract_line, sold_out)
{
	struct world *world = world_open(&options);

	world_fill(world, 2, 10000,
		&(struct sale_options){.queue = true, .capacity = 1, .seats_per_row = 1});
	struct answer *admitted = poll_until(world, token_of(join(world, 0, 201)), "admitted");
	pay_for_seat(world, 0, 0, answer_text(admitted, "pass"));
	cr_assert(wait_until(shows_no_seats, world, LIMIT_MS));
	const char *second = token_of(join(world, 1, 201));
	struct answer *told = poll_until(world, second, "sold_out");
	cr_assert(answer_int(told, "seats_available") == 0 && answer_int(told, "position") == 1);
	world_close(world);
}

/* Held is not sold: nobody is admitted for nothing, nobody is sent away. */
Test(contract_line, all_held)
{
	struct world *world = world_open(&options);

	world_fill(world, 2, 10000,
		&(struct sale_options){.queue = true, .capacity = 2, .seats_per_row = 1});
	struct answer *admitted = poll_until(world, token_of(join(world, 0, 201)), "admitted");
	struct call hold = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[0].jwt,
		.key = "hold",
		.pass = answer_text(admitted, "pass"),
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};
	int64_t id = answer_int(expect(world, &hold, 201, NULL), "id");
	const char *second = token_of(join(world, 1, 201));
	check_waiting(with_token(world, "GET", second, 200, NULL), world->sale.event_id, 1);
	struct call cancel = {.method = "DELETE",
		.jwt = world->people.list[0].jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)id)};
	expect(world, &cancel, 200, NULL);
	with_token(world, "DELETE", token_of(admitted), 204, NULL);
	poll_until(world, second, "admitted");
	world_close(world);
}

Test(contract_line, before_the_sale_opens)
{
	struct world *world = world_open(&options);

	world_fill(world, 1, 0,
		&(struct sale_options){.queue = true, .sale_opens_at = "2100-01-01T00:00:00Z"});
	struct answer *answer = join(world, 0, 201);
	cr_assert(answer_is(answer, "status", "prequeue"));
	cr_assert(json_is_null(json_object_get(answer_json(answer), "position")));
	answer = with_token(world, "GET", token_of(answer), 200, NULL);
	cr_assert(answer_is(answer, "status", "prequeue"));
	world_close(world);
}

struct public_line {
	struct world *world;
	int64_t waiting, active;
};

static bool shows_line(void *context)
{
	const struct public_line *line = context;
	const struct sale *sale = &line->world->sale;
	struct call call = {.method = "GET",
		.path = textf(line->world, "/v1/events/%lld/queue", (long long)sale->event_id)};
	struct answer *answer = expect(line->world, &call, 200, NULL);
	const json_t *body = answer_json(answer);

	cr_assert(answer_header_is(answer, "cache-control", "public, max-age=1"));
	cr_assert(answer_int(answer, "event_id") == sale->event_id &&
		  answer_int(answer, "capacity") == sale->capacity &&
		  answer_int(answer, "admit_per_second") == sale->admit_per_second);
	cr_assert(json_is_true(json_object_get(body, "enabled")) &&
		  json_is_false(json_object_get(body, "paused")) &&
		  json_object_get(body, "message") != NULL);
	return answer_int(answer, "waiting") == line->waiting &&
	       answer_int(answer, "active") == line->active;
}

Test(contract_line, public_picture)
{
	struct world *world = open_line(3);

	for (unsigned i = 0; i < 3; i++)
		join(world, i, 201);
	cr_assert(wait_until(shows_line, &(struct public_line){world, 2, 1}, LIMIT_MS));
	expect(world, &(struct call){.method = "GET", .path = "/v1/events/999999/queue"}, 404,
		"event_not_found");
	world_close(world);
}

/* Whoever is not seen for abandon_after loses the place; the others move up in their order. */
Test(contract_line, abandoned)
{
	struct world *world = world_open(&options);

	world_fill(world, 3, 0,
		&(struct sale_options){.queue = true, .capacity = 1, .abandon_after_seconds = 1});
	const char *first = token_of(poll_until(world, token_of(join(world, 0, 201)), "admitted"));
	const char *second = token_of(join(world, 1, 201));
	struct asker third = {world, token_of(join(world, 2, 201)), "waiting", NULL};
	do
		cr_assert(has_status(&third));
	while (answer_int(third.answer, "position") > 1);
	with_token(world, "GET", second, 410, "place_expired");
	cr_assert(answer_is(with_token(world, "GET", first, 200, NULL), "status", "admitted"));
	world_close(world);
}

/* An admitted place that does not come for its pass gives the slot on. */
Test(contract_line, not_claimed)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=300", "--queue.tick_ms=20",
			"--queue.claim_within_ms=300"}});

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 1});
	const char *first = token_of(join(world, 0, 201));
	poll_until(world, token_of(join(world, 1, 201)), "admitted");
	with_token(world, "GET", first, 410, "place_expired");
	world_close(world);
}

Test(contract_line, one_place_on_all_instances)
{
	struct world *world = world_open(&(struct world_options){.instances = 2});

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 1});
	poll_until(world, token_of(join_at(world, 0, 0, 201)), "admitted");
	struct answer *here = join_at(world, 0, 1, 201), *there = join_at(world, 1, 1, 200);
	cr_assert(answer_int(here, "position") == 1 && answer_int(there, "position") == 1);
	world_close(world);
}

static struct answer *get(
	struct world *world, int64_t event_id, const char *rest, int status, const char *code)
{
	struct call call = {.method = "GET",
		.path = textf(world, "/v1/events/%lld%s", (long long)event_id, rest)};

	return expect(world, &call, status, code);
}

/* Before the opening; what comes after it is in shuffle.c. */
Test(contract_line, shuffle)
{
	struct world *world = world_open(&options);
	struct sale open;
	static const char *const paths[] = {"/shuffle", "/shuffle/entrants"};

	world_fill(world, 1, 0,
		&(struct sale_options){.queue = true, .sale_opens_at = "2100-01-01T00:00:00Z"});
	sale_open(world, &open, &(struct sale_options){.queue = true});
	struct answer *event = get(world, world->sale.event_id, "", 200, NULL);
	const json_t *shuffle = json_object_get(answer_json(event), "shuffle");
	cr_assert(json_string_length(json_object_get(shuffle, "commitment")) == 64);
	cr_assert(json_object_size(shuffle) == 1);
	event = get(world, open.event_id, "", 200, NULL);
	cr_assert(json_is_null(json_object_get(answer_json(event), "shuffle")));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		get(world, world->sale.event_id, paths[i], 409, "shuffle_pending");
		get(world, open.event_id, paths[i], 404, "shuffle_not_found");
		get(world, 999999, paths[i], 404, "event_not_found");
	}
	get(world, world->sale.event_id, "/shuffle/entrants?limit=0", 422, "validation_failed");
	get(world, world->sale.event_id, "/shuffle/entrants?limit=5001", 422, "validation_failed");
	get(world, world->sale.event_id, "/shuffle/entrants?after=x", 422, "validation_failed");
	cr_assert(strlen(answer_text(join(world, 0, 201), "entrant")) == 32);
	sale_close(&open);
	world_close(world);
}
