/* The same Idempotency-Key fifty times at once over two instances: one effect, fifty equal bodies, all but
 * one marked as replayed; and the same reply later, after the seat has changed hands and Redis was
 * restarted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { TIMES = 50, LIMIT_MS = 30000, BALANCE = 5000, PRICE = 1000 };
enum { HOLDER, LOSER, POOR, PEOPLE }; /* who is who among the people */

TestSuite(idempotency, .timeout = 120);

/* A request and its first reply. */
struct kept {
	struct call call;
	int status;
	const char *body;
};

static struct world *open_world(void)
{
	struct world *world = world_open(
		&(struct world_options){.instances = 2, .flags = {WORLD_PATIENCE}});

	world_fill(
		world, PEOPLE, BALANCE, &(struct sale_options){.seats_per_row = 4, .price = PRICE});
	return world;
}

/* Sends it fifty times at once: equal replies; first: one of them is the first ever, not a replay. */
static void send_fifty(struct world *world, struct kept *kept, bool first)
{
	struct crowd *crowd = crowd_new();

	for (unsigned i = 0; i < TIMES; i++)
		crowd_add(crowd, &world->instances[i % 2], &kept->call);
	crowd_run(crowd, LIMIT_MS);
	for (unsigned i = 0; i < TIMES; i++) {
		struct answer *answer = crowd_answer(crowd, i);
		cr_assert(answer != NULL, "%s: a reply was lost", kept->call.path);
		if (kept->body == NULL)
			kept->body = textf(world, "%s", answer->body);
		cr_assert(answer->status == kept->status, "%s: %d %s", kept->call.path,
			answer->status, answer->body);
		cr_assert(strcmp(answer->body, kept->body) == 0, "%s: '%s' is not '%s'",
			kept->call.path, answer->body, kept->body);
	}
	size_t replayed = crowd_replayed(crowd);
	cr_assert(replayed == (first ? TIMES - 1 : TIMES), "%s: %zu of %d were marked as replayed",
		kept->call.path, replayed, TIMES);
	crowd_free(crowd);
}

static struct kept hold_of(
	struct world *world, unsigned person, size_t seat, const char *key, int status)
{
	return (struct kept){.status = status,
		.call = {.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[person].jwt,
			.key = key,
			.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)}};
}

static struct kept payment_of(
	struct world *world, unsigned person, int64_t reservation_id, int status)
{
	return (struct kept){.status = status,
		.call = {.method = "POST",
			.jwt = world->people.list[person].jwt,
			.key = "pay",
			.path = textf(world, "/v1/reservations/%lld/payment",
				(long long)reservation_id)}};
}

static int64_t id_of(const struct kept *kept)
{
	json_t *body = json_loads(kept->body, 0, NULL);
	int64_t id = json_integer_value(json_object_get(body, "id"));

	json_decref(body);
	return id;
}

static void cancel(struct world *world, unsigned person, int64_t reservation_id)
{
	struct call call = {.method = "DELETE",
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)reservation_id)};

	expect(world, &call, 200, NULL);
}

static int64_t count(struct world *world, const char *sql)
{
	return database_i64(world->db, sql, 0, NULL);
}

static void restart_redis(struct world *world)
{
	redis_process_stop(&world->redis);
	redis_process_start(&world->redis);
	for (unsigned i = 0; i < 2; i++)
		instance_wait_ready(&world->instances[i]);
}

static void check_refused(struct world *world, struct kept *kept, const char *code)
{
	cr_assert(strstr(kept->body, textf(world, "\"code\":\"%s\"", code)) != NULL, "%s",
		kept->body);
}

Test(idempotency, hold)
{
	struct world *world = open_world();
	struct kept hold = hold_of(world, HOLDER, 0, "hold", 201);

	send_fifty(world, &hold, true);
	cr_assert(count(world, "SELECT count(*) FROM reservations") == 1);
	send_fifty(world, &hold, false);
	cancel(world, HOLDER, id_of(&hold));
	hold_seat(world, &world->sale, &world->people.list[LOSER], world->sale.seat_ids[0],
		"mine-now");
	send_fifty(world, &hold, false);
	restart_redis(world);
	send_fifty(world, &hold, false);
	cr_assert(count(world, "SELECT count(*) FROM reservations") == 2);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

static struct kept quantity_of(struct world *world, unsigned person, unsigned quantity, int status)
{
	return (struct kept){.status = status,
		.call = {.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[person].jwt,
			.key = "some",
			.body = textf(world, "{\"performance_id\":%lld,\"quantity\":%u}",
				(long long)world->sale.performance_id, quantity)}};
}

Test(idempotency, hold_of_a_quantity)
{
	struct world *world = open_world();
	struct kept hold = quantity_of(world, HOLDER, 2, 201),
		    refused = quantity_of(world, LOSER, 3, 409);

	send_fifty(world, &hold, true);
	cr_assert(count(world, "SELECT count(*) FROM seats WHERE status = 'held'") == 2);
	send_fifty(world, &refused, true);
	check_refused(world, &refused, "sold_out");
	cancel(world, HOLDER, id_of(&hold));
	restart_redis(world);
	send_fifty(world, &hold, false);
	send_fifty(world, &refused, false);
	cr_assert(count(world, "SELECT count(*) FROM reservations") == 1);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(idempotency, hold_that_fails)
{
	struct world *world = open_world();
	struct kept hold = hold_of(world, HOLDER, 0, "hold", 201);
	struct kept refused = hold_of(world, LOSER, 0, "too-late", 409);

	send_fifty(world, &hold, true);
	send_fifty(world, &refused, true);
	check_refused(world, &refused, "seat_unavailable");
	cancel(world, HOLDER, id_of(&hold));
	send_fifty(world, &refused, false);
	hold_seat(world, &world->sale, &world->people.list[LOSER], world->sale.seat_ids[0],
		"mine-now");
	send_fifty(world, &refused, false);
	restart_redis(world);
	send_fifty(world, &refused, false);
	cr_assert(count(world, "SELECT count(*) FROM reservations") == 2);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* The refusal that PostgreSQL decided, where no Redis was there to do it. */
Test(idempotency, hold_that_fails_without_redis)
{
	struct world *world = world_open(&(struct world_options){.instances = 2, .no_redis = true});

	world_fill(world, PEOPLE, BALANCE, &(struct sale_options){.seats_per_row = 4});
	int64_t id = hold_seat(
		world, &world->sale, &world->people.list[HOLDER], world->sale.seat_ids[0], "hold");
	struct kept refused = hold_of(world, LOSER, 0, "too-late", 409);
	send_fifty(world, &refused, true);
	cancel(world, HOLDER, id);
	send_fifty(world, &refused, false);
	cr_assert(count(world, "SELECT count(*) FROM idempotency") == 2);
	world_close(world);
}

Test(idempotency, pay)
{
	struct world *world = open_world();
	struct kept hold = hold_of(world, HOLDER, 0, "hold", 201);

	send_fifty(world, &hold, true);
	struct kept payment = payment_of(world, HOLDER, id_of(&hold), 201);
	send_fifty(world, &payment, true);
	send_fifty(world, &payment, false);
	restart_redis(world);
	send_fifty(world, &payment, false);
	cr_assert(count(world, "SELECT count(*) FROM payments") == 1);
	cr_assert(count(world, "SELECT count(*) FROM ledger WHERE kind = 'payment'") == 1);
	struct call other = payment.call;
	other.key = "another";
	expect(world, &other, 409, "already_paid");
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

static void charge(struct world *world, unsigned person, int64_t amount, const char *key)
{
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[person].jwt,
		.key = key,
		.body = textf(world, "{\"amount\":%lld}", (long long)amount)};

	expect(world, &call, 201, NULL);
}

/* Refused for want of money; the same key says so still when the money is there, and another one pays. */
Test(idempotency, pay_that_fails)
{
	struct world *world = open_world();
	struct sale dear;

	sale_open(world, &dear, &(struct sale_options){.seats_per_row = 1, .price = 1000 * PRICE});
	int64_t id = hold_seat(world, &dear, &world->people.list[POOR], dear.seat_ids[0], "hold");
	struct kept refused = payment_of(world, POOR, id, 402);
	send_fifty(world, &refused, true);
	check_refused(world, &refused, "insufficient_balance");
	cr_assert(count(world, "SELECT count(*) FROM payments") == 0);
	charge(world, POOR, 1000 * PRICE, "charge");
	send_fifty(world, &refused, false);
	restart_redis(world);
	send_fifty(world, &refused, false);
	struct call again = refused.call;
	again.key = "pay-again";
	expect(world, &again, 201, NULL);
	invariants_hold(&(struct invariants_input){.db = world->db});
	sale_close(&dear);
	world_close(world);
}

Test(idempotency, charge)
{
	struct world *world = open_world();
	struct kept charged = {.status = 201,
		.call = {.method = "POST",
			.path = "/v1/me/balance/charges",
			.jwt = world->people.list[HOLDER].jwt,
			.key = "\"quoted\"",
			.body = "{\"amount\": 700}"}};

	send_fifty(world, &charged, true);
	charged.call.key = "quoted"; /* bare, it is the same key */
	send_fifty(world, &charged, false);
	restart_redis(world);
	send_fifty(world, &charged, false);
	cr_assert(count(world, "SELECT count(*) FROM ledger WHERE kind = 'charge'") == 1);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* One call with its key's shape wrong, gone, or used for something else. */
static void check_key_rules(struct world *world, struct call call, const char *other_body)
{
	char long_key[258];

	memset(long_key, 'k', sizeof long_key - 1);
	long_key[sizeof long_key - 1] = '\0';
	call.key = NULL;
	expect(world, &call, 400, "idempotency_key_required");
	call.key = "";
	expect(world, &call, 400, "idempotency_key_required");
	call.key = long_key + 1; /* 256 characters */
	expect(world, &call, 400, "idempotency_key_required");
	call.key = long_key + 2;
	expect(world, &call, 201, NULL);
	call.body = other_body;
	expect_at(world, 1, &call, 422, "idempotency_key_reused");
	call.key = "another-key-is-another-request";
	struct answer *answer = world_call(world, &call);
	cr_assert(
		answer->status != 422 && !answer_header_is(answer, "idempotent-replayed", "true"));
}

Test(idempotency, rules_of_the_key)
{
	struct world *world = open_world();
	struct kept hold = hold_of(world, HOLDER, 0, "hold", 201);
	struct call charged = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[HOLDER].jwt,
		.body = "{\"amount\": 700}"};

	send_fifty(world, &hold, true);
	check_key_rules(world, charged, "{\"amount\": 701}");
	check_key_rules(world, hold_of(world, HOLDER, 1, NULL, 0).call,
		hold_body(world, &world->sale, &world->sale.seat_ids[2], 1));
	check_key_rules(
		world, payment_of(world, HOLDER, id_of(&hold), 0).call, "{\"use_points\": 0}");
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* A refusal's key with another body is refused too, whoever kept the refusal. */
Test(idempotency, reused_key_of_a_refusal)
{
	struct world *world = open_world();
	struct kept hold = hold_of(world, HOLDER, 0, "hold", 201);
	struct kept refused = hold_of(world, LOSER, 0, "too-late", 409);

	send_fifty(world, &hold, true);
	send_fifty(world, &refused, true);
	refused.call.body = hold_body(world, &world->sale, &world->sale.seat_ids[1], 1);
	expect(world, &refused.call, 422, "idempotency_key_reused");
	expect_at(world, 1, &refused.call, 422, "idempotency_key_reused");
	cr_assert(count(world, "SELECT count(*) FROM reservations") == 1);
	world_close(world);
}

/* Whose key, and on which path: both belong to its scope. */
Test(idempotency, scope_of_the_key)
{
	struct world *world = open_world();

	for (unsigned i = 0; i < PEOPLE; i++) {
		struct kept hold = hold_of(world, i, i, "same-key", 201);
		struct answer *answer = expect(world, &hold.call, 201, NULL);
		cr_assert(!answer_header_is(answer, "idempotent-replayed", "true"));
		charge(world, i, 100, "same-key");
	}
	cr_assert(count(world, "SELECT count(*) FROM reservations") == PEOPLE);
	cr_assert(count(world, "SELECT count(*) FROM ledger WHERE kind = 'charge'") == PEOPLE);
	world_close(world);
}
