/* The contract's rows on reservations: hold, look, list, pay, cancel, refund, with each refusal. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { BALANCE = 5000, PRICE = 1000, LIMIT_MS = 10000 };
enum { BUYER, OTHER, PEOPLE }; /* who is who among the people */

TestSuite(contract_reservations, .timeout = 60);

static struct world *open_world(const struct sale_options *sale)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--queue.poll_min_ms=50",
						"--queue.poll_max_ms=300", "--queue.tick_ms=20"}});

	world_fill(world, PEOPLE, BALANCE, sale);
	return world;
}

static struct answer *hold_as(struct world *world, unsigned person, const char *body,
	const char *pass, int status, const char *code)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.key = textf(world, "key-%p", (const void *)body),
		.pass = pass,
		.body = body};

	return expect(world, &call, status, code);
}

static struct answer *hold(struct world *world, const char *body, int status, const char *code)
{
	return hold_as(world, BUYER, body, NULL, status, code);
}

/* A body of its own for each hold: its address makes the key. */
static const char *seats(struct world *world, size_t first, size_t count)
{
	return hold_body(world, &world->sale, &world->sale.seat_ids[first], count);
}

static struct answer *at_reservation(struct world *world, unsigned person, const char *method,
	int64_t id, int status, const char *code)
{
	struct call call = {.method = method,
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)id)};

	return expect(world, &call, status, code);
}

static struct answer *pay(struct world *world, unsigned person, int64_t id, const char *body,
	int status, const char *code)
{
	struct call call = {.method = "POST",
		.jwt = world->people.list[person].jwt,
		.key = textf(world, "pay-%u-%lld-%d", person, (long long)id, status),
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id),
		.body = body};

	return expect(world, &call, status, code);
}

/* Under its key a refusal comes again, to the byte. */
static void pay_in_vain(
	struct world *world, unsigned person, int64_t id, int status, const char *code)
{
	struct answer *first = pay(world, person, id, NULL, status, code);
	struct answer *again = pay(world, person, id, NULL, status, code);

	cr_assert_str_eq(again->body, first->body);
	cr_assert(!answer_header_is(first, "idempotent-replayed", "true") &&
		  answer_header_is(again, "idempotent-replayed", "true"));
}

static void check_hold(struct world *world, struct answer *answer, size_t seat_count)
{
	const json_t *list = json_object_get(answer_json(answer), "seats");

	cr_assert(answer_int(answer, "performance_id") == world->sale.performance_id);
	cr_assert(answer_int(answer, "total") == (int64_t)seat_count * PRICE);
	cr_assert(answer_is(answer, "currency", "KRW"));
	cr_assert(strlen(answer_text(answer, "hold_expires_at")) ==
		  strlen("2030-01-01T00:00:00.000Z"));
	cr_assert(json_array_size(list) == seat_count);
	for (size_t i = 0; i < seat_count; i++) {
		const json_t *seat = json_array_get(list, i);
		cr_assert(
			json_integer_value(json_object_get(seat, "id")) == world->sale.seat_ids[i]);
		cr_assert(json_integer_value(json_object_get(seat, "price")) == PRICE);
		cr_assert(json_is_string(json_object_get(seat, "section")) &&
			  json_is_string(json_object_get(seat, "row")) &&
			  json_is_integer(json_object_get(seat, "number")));
	}
}

Test(contract_reservations, hold_and_look)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	struct answer *held = hold(world, seats(world, 0, 3), 201, NULL);
	int64_t id = answer_int(held, "id");

	cr_assert(answer_is(held, "status", "held"));
	check_hold(world, held, 3);
	struct answer *seen = at_reservation(world, BUYER, "GET", id, 200, NULL);
	cr_assert(answer_is(seen, "status", "held") && answer_int(seen, "id") == id);
	check_hold(world, seen, 3);
	cr_assert_str_eq(
		answer_text(seen, "hold_expires_at"), answer_text(held, "hold_expires_at"));
	at_reservation(world, OTHER, "GET", id, 404, "reservation_not_found");
	at_reservation(world, BUYER, "GET", id + 1000, 404, "reservation_not_found");
	world_close(world);
}

Test(contract_reservations, taken_seats_are_named)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});

	hold(world, seats(world, 1, 2), 201, NULL);
	struct answer *answer = hold_as(
		world, OTHER, seats(world, 0, 3), NULL, 409, "seat_unavailable");
	const json_t *ids = json_object_get(answer_json(answer), "seat_ids");
	cr_assert(json_array_size(ids) == 2);
	for (size_t i = 0; i < 2; i++)
		cr_assert(
			json_integer_value(json_array_get(ids, i)) == world->sale.seat_ids[i + 1]);
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 201,
		NULL); /* nothing of the set was kept */
	world_close(world);
}

Test(contract_reservations, hold_with_bad_fields)
{
	struct world *world = open_world(&(struct sale_options){.seats_per_row = 12});
	long long performance = (long long)world->sale.performance_id;
	long long seat = (long long)world->sale.seat_ids[0];
	const char *const wrong[] = {"{}", textf(world, "{\"performance_id\":%lld}", performance),
		textf(world, "{\"seat_ids\":[%lld]}", seat),
		textf(world, "{\"performance_id\":%lld,\"seat_ids\":[]}", performance),
		textf(world, "{\"performance_id\":%lld,\"seat_ids\":[%lld,%lld]}", performance,
			seat, seat),
		textf(world, "{\"performance_id\":%lld,\"seat_ids\":[\"%lld\"]}", performance,
			seat),
		textf(world, "{\"performance_id\":%lld,\"seat_ids\":[0]}", performance),
		textf(world, "{\"performance_id\":%lld,\"seat_ids\":%lld}", performance, seat),
		textf(world, "{\"performance_id\":\"%lld\",\"seat_ids\":[%lld]}", performance,
			seat),
		seats(world, 0, 11)}; /* over the limit */

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct answer *answer = hold(world, wrong[i], 422, "validation_failed");
		cr_assert(json_array_size(json_object_get(answer_json(answer), "errors")) > 0);
	}
	cr_assert(database_i64(world->db, "SELECT count(*) FROM idempotency", 0, NULL) == 0);
	hold(world, seats(world, 0, 10), 201, NULL);
	world_close(world);
}

/* What the state of seats and money did not decide is judged afresh, with whatever body comes next. */
Test(contract_reservations, refusals_that_are_not_kept)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	struct call call = {.method = "POST", .path = "/v1/reservations", .key = "one"};
	const struct {
		const char *body, *code;
		int status;
	} rows[] = {
		{"{", "malformed_json", 400},
		{"{}", "validation_failed", 422},
		{"{\"performance_id\":999999,\"seat_ids\":[1]}", "performance_not_found", 404},
		{textf(world, "{\"performance_id\":%lld,\"seat_ids\":[999999]}",
			 (long long)world->sale.performance_id),
			"seat_not_found", 404},
	};

	call.body = seats(world, 0, 1);
	expect(world, &call, 401, "unauthorized");
	call.jwt = world->people.list[BUYER].jwt;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		call.body = rows[i].body;
		expect(world, &call, rows[i].status, rows[i].code);
	}
	call.body = seats(world, 0, 1);
	struct answer *answer = expect(world, &call, 201, NULL);
	cr_assert(!answer_header_is(answer, "idempotent-replayed", "true"));
	world_close(world);
}

Test(contract_reservations, hold_of_what_is_not_there)
{
	struct world *world = open_world(&(struct sale_options){0});
	struct sale other;
	long long seat = (long long)world->sale.seat_ids[0];

	sale_open(world, &other, &(struct sale_options){0});
	hold(world, textf(world, "{\"performance_id\":999999,\"seat_ids\":[%lld]}", seat), 404,
		"performance_not_found");
	hold(world, hold_body(world, &world->sale, other.seat_ids, 1), 404, "seat_not_found");
	int64_t mixed[] = {world->sale.seat_ids[0], 999999};
	hold(world, hold_body(world, &world->sale, mixed, 2), 404, "seat_not_found");
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 201, NULL); /* no lock was left behind */
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.key = "k",
		.body = seats(world, 1, 1)};
	expect(world, &call, 401, "unauthorized");
	sale_close(&other);
	world_close(world);
}

Test(contract_reservations, sale_not_open)
{
	struct world *world = open_world(
		&(struct sale_options){.sale_opens_at = "2100-01-01T00:00:00Z"});

	hold(world, seats(world, 0, 1), 403, "sale_not_open");
	world_close(world);
}

/* --- a quantity, of which the server chooses the seats --- */

static const char *some(struct world *world, const char *rest)
{
	return textf(
		world, "{\"performance_id\":%lld,%s}", (long long)world->sale.performance_id, rest);
}

static void check_refused_field(struct answer *answer, const char *field)
{
	const json_t *errors = json_object_get(answer_json(answer), "errors");

	cr_assert(json_array_size(errors) == 1, "%s", answer->body);
	cr_assert_str_eq(
		json_string_value(json_object_get(json_array_get(errors, 0), "field")), field);
}

Test(contract_reservations, quantity)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	const char *three = some(world, "\"quantity\":3");
	struct answer *held = hold(world, three, 201, NULL);

	check_hold(world, held, 3);
	struct answer *again = hold(world, three, 201, NULL);
	cr_assert_str_eq(again->body, held->body);
	cr_assert(answer_header_is(again, "idempotent-replayed", "true"));
	check_hold(
		world, at_reservation(world, BUYER, "GET", answer_int(held, "id"), 200, NULL), 3);
	struct answer *rest = hold_as(
		world, OTHER, some(world, "\"quantity\":7,\"section\":\"Floor\""), NULL, 201, NULL);
	cr_assert(answer_int(rest, "total") == 7 * PRICE);
	const char *one = some(world, "\"quantity\":1");
	struct answer *refused = hold(world, one, 409, "sold_out");
	pay(world, BUYER, answer_int(held, "id"), NULL, 201, NULL);
	at_reservation(world, OTHER, "DELETE", answer_int(rest, "id"), 200, NULL);
	again = hold(world, one, 409, "sold_out"); /* kept under the key */
	cr_assert_str_eq(again->body, refused->body);
	hold(world, some(world, "\"quantity\":7"), 201, NULL);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(contract_reservations, quantity_with_bad_fields)
{
	struct world *world = open_world(&(struct sale_options){.seats_per_row = 12});
	long long seat = (long long)world->sale.seat_ids[0];
	const struct {
		const char *rest, *field;
	} wrong[] = {
		{textf(world, "\"quantity\":1,\"seat_ids\":[%lld]", seat), "quantity"},
		{"\"note\":\"neither\"", "seat_ids"},
		{"\"quantity\":0", "quantity"},
		{"\"quantity\":11", "quantity"},
		{"\"quantity\":\"2\"", "quantity"},
		{textf(world, "\"seat_ids\":[%lld],\"section\":\"Floor\"", seat), "section"},
		{"\"quantity\":1,\"section\":\"\"", "section"},
		{"\"quantity\":1,\"section\":\"Balcony\"", "section"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		check_refused_field(
			hold(world, some(world, wrong[i].rest), 422, "validation_failed"),
			wrong[i].field);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM idempotency", 0, NULL) == 0);
	hold(world, some(world, "\"quantity\":10,\"section\":null"), 201, NULL);
	world_close(world);
}

/* Whoever wants one of the seats that were chosen, or all that are left of them, loses in Redis: PostgreSQL keeps
 * no refusal. */
Test(contract_reservations, chosen_seats_have_their_markers)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});

	hold(world, some(world, "\"quantity\":2"), 201, NULL);
	struct answer *answer = hold_as(
		world, OTHER, seats(world, 1, 2), NULL, 409, "seat_unavailable");
	const json_t *ids = json_object_get(answer_json(answer), "seat_ids");
	cr_assert(json_array_size(ids) == 1 &&
		  json_integer_value(json_array_get(ids, 0)) == world->sale.seat_ids[1]);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM idempotency", 0, NULL) == 1);
	world_close(world);
}

/* --- passes --- */

struct joiner {
	struct world *world;
	unsigned person;
	int64_t event_id;
	const char *pass;
};

static bool has_pass(void *context)
{
	struct joiner *joiner = context;
	struct call call = {.method = "POST",
		.jwt = joiner->world->people.list[joiner->person].jwt,
		.path = textf(joiner->world, "/v1/events/%lld/queue", (long long)joiner->event_id)};
	struct answer *answer = world_call(joiner->world, &call);

	if (answer->status / 100 != 2 || !answer_is(answer, "status", "admitted"))
		return false;
	joiner->pass = answer_text(answer, "pass");
	return true;
}

static const char *pass_of(struct world *world, unsigned person, const struct sale *sale)
{
	struct joiner joiner = {world, person, sale->event_id, NULL};

	cr_assert(wait_until(has_pass, &joiner, LIMIT_MS));
	return joiner.pass;
}

Test(contract_reservations, passes)
{
	struct world *world = open_world(&(struct sale_options){.queue = true, .price = PRICE});
	struct sale other;

	sale_open(world, &other, &(struct sale_options){.queue = true});
	const char *mine = pass_of(world, BUYER, &world->sale),
		   *his = pass_of(world, OTHER, &world->sale);
	char *forged = (char *)textf(world, "%s", mine);
	forged[8] = forged[8] == 'A' ? 'B' : 'A';
	hold(world, seats(world, 0, 1), 403, "queue_pass_required");
	hold_as(world, BUYER, seats(world, 0, 1), "nonsense", 403, "queue_pass_invalid");
	hold_as(world, BUYER, seats(world, 0, 1), forged, 403, "queue_pass_invalid");
	hold_as(world, BUYER, seats(world, 0, 1), his, 403, "queue_pass_invalid");
	hold_as(world, BUYER, seats(world, 0, 1), pass_of(world, BUYER, &other), 403,
		"queue_pass_invalid");
	int64_t id = answer_int(hold_as(world, BUYER, seats(world, 0, 1), mine, 201, NULL), "id");
	pay(world, BUYER, id, NULL, 201, NULL);
	hold_as(world, BUYER, seats(world, 1, 1), mine, 403,
		"queue_pass_invalid"); /* it ended with the pay */
	sale_close(&other);
	world_close(world);
}

struct expiring {
	struct world *world;
	const char *pass;
};

static bool pass_expired(void *context)
{
	struct expiring *expiring = context;
	struct world *world = expiring->world;
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[BUYER].jwt,
		.key = "late",
		.pass = expiring->pass,
		.body = textf(world, "{\"performance_id\":%lld,\"seat_ids\":[999999]}",
			(long long)world->sale.performance_id)};
	struct answer *answer = world_call(world, &call);

	return answer->status == 403 && answer_is(answer, "code", "queue_pass_expired");
}

/* A hold that was made with a pass needs none to be paid. */
Test(contract_reservations, expired_pass)
{
	struct world *world = open_world(
		&(struct sale_options){.queue = true, .pass_ttl_seconds = 1, .price = PRICE});
	const char *pass = pass_of(world, BUYER, &world->sale);
	int64_t id = answer_int(hold_as(world, BUYER, seats(world, 0, 1), pass, 201, NULL), "id");

	cr_assert(wait_until(pass_expired, &(struct expiring){world, pass}, LIMIT_MS));
	hold_as(world, BUYER, seats(world, 1, 1), pass, 403, "queue_pass_expired");
	pay(world, BUYER, id, NULL, 201, NULL);
	world_close(world);
}

Test(contract_reservations, quantity_needs_a_pass)
{
	struct world *world = open_world(&(struct sale_options){.queue = true, .price = PRICE});
	const char *two = some(world, "\"quantity\":2"),
		   *pass = pass_of(world, BUYER, &world->sale);

	hold_as(world, BUYER, two, NULL, 403, "queue_pass_required");
	hold_as(world, OTHER, two, pass, 403, "queue_pass_invalid");
	struct answer *held = hold_as(world, BUYER, two, pass, 201, NULL);
	pay(world, BUYER, answer_int(held, "id"), NULL, 201, NULL);
	struct answer *again = hold_as(world, BUYER, two, NULL, 201, NULL);
	cr_assert_str_eq(again->body, held->body); /* a known key needs none */
	hold_as(world, BUYER, some(world, "\"quantity\":1"), pass, 403, "queue_pass_invalid");
	world_close(world);
}

/* --- payment --- */

Test(contract_reservations, payment)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t id = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");

	pay(world, OTHER, id, NULL, 404, "reservation_not_found");
	pay(world, BUYER, id + 1000, NULL, 404, "reservation_not_found");
	pay(world, BUYER, id, "{\"use_points\":-1}", 422, "validation_failed");
	pay(world, BUYER, id, "{", 400, "malformed_json");
	struct answer *paid = pay(world, BUYER, id, NULL, 201, NULL);
	cr_assert(answer_int(paid, "payment_id") > 0 && answer_int(paid, "reservation_id") == id &&
		  answer_is(paid, "status", "paid"));
	cr_assert(answer_int(paid, "amount") == 2 * PRICE &&
		  answer_int(paid, "balance") == BALANCE - 2 * PRICE &&
		  answer_int(paid, "points_awarded") == 2 * PRICE / 100);
	pay_in_vain(world, BUYER, id, 409, "already_paid");
	cr_assert(answer_is(at_reservation(world, BUYER, "GET", id, 200, NULL), "status", "paid"));
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 409, "seat_unavailable");
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(contract_reservations, payment_with_points)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t first = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");
	int64_t second = answer_int(hold(world, seats(world, 2, 1), 201, NULL), "id");

	pay(world, BUYER, first, "{}", 201, NULL); /* brings 20 points */
	struct answer *paid = pay(world, BUYER, second, "{\"use_points\":500}", 201, NULL);
	cr_assert(answer_int(paid, "amount") == PRICE - 20 &&
		  answer_int(paid, "points_awarded") == 9);
	cr_assert(answer_int(paid, "balance") == BALANCE - 3 * PRICE + 20);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(contract_reservations, insufficient_balance)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t id = answer_int(hold(world, seats(world, 0, 6), 201, NULL), "id");

	pay(world, BUYER, id, NULL, 402, "insufficient_balance");
	cr_assert(answer_is(at_reservation(world, BUYER, "GET", id, 200, NULL), "status", "held"));
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* --- cancelling --- */

Test(contract_reservations, cancel)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t id = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");

	at_reservation(world, OTHER, "DELETE", id, 404, "reservation_not_found");
	at_reservation(world, BUYER, "DELETE", id + 1000, 404, "reservation_not_found");
	for (int i = 0; i < 2; i++) {
		struct answer *answer = at_reservation(world, BUYER, "DELETE", id, 200, NULL);
		cr_assert(answer_int(answer, "id") == id &&
			  answer_is(answer, "status", "cancelled") &&
			  answer_int(answer, "refunded") == 0 &&
			  answer_int(answer, "points_revoked") == 0);
	}
	cr_assert(answer_is(
		at_reservation(world, BUYER, "GET", id, 200, NULL), "status", "cancelled"));
	pay_in_vain(world, BUYER, id, 409, "reservation_cancelled");
	hold_as(world, OTHER, seats(world, 0, 2), NULL, 201, NULL); /* the seats are free at once */
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* --- refunds --- */

static void check_balance(struct world *world, int64_t balance, int64_t points)
{
	struct call call = {
		.method = "GET", .path = "/v1/me/balance", .jwt = world->people.list[BUYER].jwt};
	struct answer *answer = expect(world, &call, 200, NULL);

	cr_assert(
		answer_int(answer, "balance") == balance && answer_int(answer, "points") == points,
		"%s", answer->body);
}

/* Refunds twice, and gets the same reply to the byte. */
static void refund(struct world *world, int64_t id, int64_t refunded, int64_t points_revoked)
{
	const char *body = textf(world,
		"{\"id\":%lld,\"status\":\"cancelled\",\"refunded\":%lld,\"points_revoked\":%lld}",
		(long long)id, (long long)refunded, (long long)points_revoked);

	for (int i = 0; i < 2; i++)
		cr_assert_str_eq(at_reservation(world, BUYER, "DELETE", id, 200, NULL)->body, body);
}

Test(contract_reservations, refund)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t id = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");

	struct answer *paid = pay(world, BUYER, id, NULL, 201, NULL);
	check_balance(world, BALANCE - 2 * PRICE, 2 * PRICE / 100);
	at_reservation(world, OTHER, "DELETE", id, 404, "reservation_not_found");
	refund(world, id, 2 * PRICE, 2 * PRICE / 100);
	check_balance(world, BALANCE, 0);
	cr_assert(answer_is(
		at_reservation(world, BUYER, "GET", id, 200, NULL), "status", "cancelled"));
	pay(world, BUYER, id, NULL, 409, "reservation_cancelled");
	struct answer *again = pay(world, BUYER, id, NULL, 201, NULL);
	cr_assert_str_eq(again->body, paid->body);
	cr_assert(answer_header_is(again, "idempotent-replayed", "true"));
	hold_as(world, OTHER, seats(world, 0, 2), NULL, 201, NULL); /* the seats are free at once */
	refund(world, id, 2 * PRICE, 2 * PRICE / 100); /* also now that they are another's */
	check_balance(world, BALANCE, 0);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* The first one's reward pays for the second; the second's covers what is missing of it, as far as it goes. */
Test(contract_reservations, refund_of_a_spent_reward)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t first = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");
	int64_t second = answer_int(hold(world, seats(world, 2, 1), 201, NULL), "id");

	pay(world, BUYER, first, NULL, 201, NULL); /* brings 20 points */
	pay(world, BUYER, second, "{\"use_points\":20}", 201, NULL); /* brings 9 */
	check_balance(world, BALANCE - 3 * PRICE + 20, 9);
	refund(world, first, 2 * PRICE - 11, 9);
	check_balance(world, BALANCE - PRICE + 20 - 11, 0);
	refund(world, second, PRICE - 20, 9); /* the 20 come back */
	check_balance(world, BALANCE - 11, 11);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* Somebody was told by PostgreSQL that it is sold, and Redis was told so too: it is free again all the same. */
Test(contract_reservations, refund_of_a_seat_that_was_asked_for)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t id = answer_int(hold(world, seats(world, 0, 1), 201, NULL), "id");

	pay(world, BUYER, id, NULL, 201, NULL);
	redis_process_stop(&world->redis);
	redis_process_start(&world->redis);
	instance_wait_ready(&world->instances[0]);
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 409, "seat_unavailable");
	refund(world, id, PRICE, PRICE / 100);
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 201, NULL);
	world_close(world);
}

/* --- the list --- */

static struct answer *list(struct world *world, unsigned person, const char *query, int status)
{
	struct call call = {.method = "GET",
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/reservations%s", query)};

	return expect(world, &call, status, status == 200 ? NULL : "validation_failed");
}

/* The page has these reservations, each as it is shown alone. */
static void check_list(
	struct world *world, struct answer *page, const int64_t *ids, size_t count, int64_t next)
{
	const json_t *items = json_object_get(answer_json(page), "items");
	const json_t *next_id = json_object_get(answer_json(page), "next");

	cr_assert(json_array_size(items) == count, "%s", page->body);
	for (size_t i = 0; i < count; i++) {
		struct answer *alone = at_reservation(world, BUYER, "GET", ids[i], 200, NULL);
		cr_assert(json_equal(json_array_get(items, i), answer_json(alone)), "%s is not %s",
			page->body, alone->body);
	}
	cr_assert(next == 0 ? json_is_null(next_id) : json_integer_value(next_id) == next, "%s",
		page->body);
}

Test(contract_reservations, list)
{
	enum { COUNT = 5 };
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	int64_t ids[COUNT];

	check_list(world, list(world, BUYER, "", 200), NULL, 0, 0);
	for (size_t i = 0; i < COUNT; i++) {
		ids[COUNT - 1 - i] = answer_int(
			hold(world, seats(world, 2 * i, 1), 201, NULL), "id");
		hold_as(world, OTHER, seats(world, 2 * i + 1, 1), NULL, 201, NULL);
	}
	pay(world, BUYER, ids[0], NULL, 201, NULL);
	at_reservation(world, BUYER, "DELETE", ids[1], 200, NULL);
	check_list(world, list(world, BUYER, "", 200), ids, COUNT, 0);
	check_list(world, list(world, BUYER, "?limit=5", 200), ids, COUNT, 0);
	check_list(world, list(world, BUYER, "?limit=2", 200), ids, 2, ids[1]);
	check_list(world,
		list(world, BUYER, textf(world, "?limit=2&after=%lld", (long long)ids[1]), 200),
		ids + 2, 2, ids[3]);
	check_list(world,
		list(world, BUYER, textf(world, "?after=%lld&limit=200", (long long)ids[3]), 200),
		ids + 4, 1, 0);
	static const char *const wrong[] = {"?limit=0", "?limit=201", "?limit=-1", "?limit=x",
		"?limit=", "?limit=99999999999999999999", "?after=-1", "?after=x"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		list(world, BUYER, wrong[i], 422);
	world_close(world);
}

/* --- the limit of a person's seats --- */

Test(contract_reservations, seats_of_one_person)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--seat.per_user_max=4"}});
	struct sale other;

	world_fill(world, PEOPLE, BALANCE, &(struct sale_options){.price = PRICE});
	sale_open(world, &other, &(struct sale_options){0});
	hold(world, seats(world, 0, 5), 422, "validation_failed");
	int64_t paid = answer_int(hold(world, seats(world, 0, 2), 201, NULL), "id");
	pay(world, BUYER, paid, NULL, 201, NULL);
	int64_t held = answer_int(hold(world, seats(world, 2, 1), 201, NULL), "id");
	const char *two = seats(world, 8, 2);
	struct answer *refused = hold(world, two, 422, "validation_failed");
	const json_t *error = json_array_get(json_object_get(answer_json(refused), "errors"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(error, "field")), "seat_ids");
	hold(world, seats(world, 3, 1), 201, NULL); /* four are allowed */
	hold(world, seats(world, 4, 1), 422, "validation_failed");
	hold_as(world, OTHER, seats(world, 4, 1), NULL, 201, NULL); /* no lock was left behind */
	hold(world, hold_body(world, &other, other.seat_ids, 4), 201, NULL); /* of each one */
	hold(world, seats(world, 4, 1), 409, "seat_unavailable");
	check_refused_field(
		hold(world, some(world, "\"quantity\":1"), 422, "validation_failed"), "quantity");

	at_reservation(world, BUYER, "DELETE", held, 200, NULL);
	hold(world, seats(world, 5, 1), 201, NULL);
	at_reservation(world, BUYER, "DELETE", paid, 200, NULL);
	hold(world, seats(world, 6, 2), 201, NULL);
	hold(world, two, 422, "validation_failed"); /* judged afresh, and still too many */
	sale_close(&other);
	world_close(world);
}

Test(contract_reservations, no_limit_of_seats)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--seat.per_user_max=0"}});

	world_fill(world, PEOPLE, BALANCE, &(struct sale_options){.rows = 2});
	hold(world, seats(world, 0, 10), 201, NULL);
	hold(world, seats(world, 10, 10), 201, NULL);
	world_close(world);
}

/* --- holds that lapse --- */

struct lapsing {
	struct world *world;
	int64_t id;
};

static bool has_lapsed(void *context)
{
	const struct lapsing *lapsing = context;

	return answer_is(at_reservation(lapsing->world, BUYER, "GET", lapsing->id, 200, NULL),
		"status", "expired");
}

Test(contract_reservations, lapsed_hold)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--seat.hold_ttl_ms=300", "--seat.sweep_ms=60000"}});

	world_fill(world, PEOPLE, BALANCE, &(struct sale_options){.price = PRICE});
	struct lapsing lapsing = {
		world, answer_int(hold(world, seats(world, 0, 1), 201, NULL), "id")};
	cr_assert(wait_until(has_lapsed, &lapsing, LIMIT_MS));
	pay_in_vain(world, BUYER, lapsing.id, 410, "hold_expired");
	at_reservation(world, BUYER, "DELETE", lapsing.id, 410, "hold_expired");
	hold_as(world, OTHER, seats(world, 0, 1), NULL, 201, NULL);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(contract_reservations, need_a_log_in)
{
	struct world *world = open_world(&(struct sale_options){.price = PRICE});
	static const struct call calls[] = {
		{.method = "GET", .path = "/v1/reservations"},
		{.method = "GET", .path = "/v1/reservations/1"},
		{.method = "DELETE", .path = "/v1/reservations/1"},
		{.method = "POST", .path = "/v1/reservations/1/payment", .key = "k"},
	};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		expect(world, &calls[i], 401, "unauthorized");
	world_close(world);
}
