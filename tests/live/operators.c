/* What operators see and change: the numbers of a sale, the audit of its books, which must catch what is wrong
 * with them, and a line's settings, in force on every instance within two seconds. */
#include <criterion/criterion.h>
#include <string.h>
#include "proto/base/clock.h"
#include "tests/support/admissions.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { PRICE = 1000, IN_FORCE_MS = 2000 };

TestSuite(operators, .timeout = 120);

static struct answer *operator_get(struct world *world, const char *path)
{
	struct call call = {.method = "GET", .path = path, .jwt = world->admins.list[0].jwt};

	return expect(world, &call, 200, NULL);
}

static void pay(struct world *world, const struct person *person, int64_t id, const char *key)
{
	struct call call = {.method = "POST",
		.jwt = person->jwt,
		.key = key,
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};

	expect(world, &call, 201, NULL);
}

/* Two seats paid by the first two people, one held by the second. */
static void sell(struct world *world)
{
	for (size_t i = 0; i < 3; i++) {
		const struct person *person = &world->people.list[i > 0];
		const char *key = textf(world, "seat-%zu", i);
		int64_t id = hold_seat(world, &world->sale, person, world->sale.seat_ids[i], key);
		if (i < 2)
			pay(world, person, id, key);
	}
}

/* --- the numbers --- */

Test(operators, stats_of_a_sale)
{
	struct world *world = world_open(NULL);

	world_fill(world, 2, 10 * PRICE, &(struct sale_options){.price = PRICE});
	const char *path = textf(
		world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id);
	struct answer *answer = operator_get(world, path);
	cr_assert(answer_int(answer, "held") == 0 && answer_int(answer, "sold") == 0 &&
		  answer_int(answer, "revenue") == 0);
	sell(world);
	answer = operator_get(world, path);
	cr_assert(answer_int(answer, "event_id") == world->sale.event_id);
	cr_assert(answer_int(answer, "held") == 1 && answer_int(answer, "sold") == 2 &&
			  answer_int(answer, "revenue") == 2 * PRICE,
		"%s", answer->body);
	database_run(world->db, "UPDATE reservations SET hold_expires_at = now() - interval '1 ms' "
				"WHERE status = 'held'");
	cr_assert(answer_int(operator_get(world, path), "held") == 0);
	world_close(world);
}

struct line_numbers {
	struct world *world;
	const char *path;
	int64_t waiting, active, joined, admitted, abandoned;
};

static bool has_numbers(void *context)
{
	const struct line_numbers *numbers = context;
	struct answer *answer = operator_get(numbers->world, numbers->path);

	return answer_int(answer, "waiting") == numbers->waiting &&
	       answer_int(answer, "active") == numbers->active &&
	       answer_int(answer, "joined") == numbers->joined &&
	       answer_int(answer, "admitted") == numbers->admitted &&
	       answer_int(answer, "abandoned") == numbers->abandoned;
}

/* Five people for two passes; the three who never poll are dropped. */
Test(operators, stats_of_a_line)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_max_ms=1000", "--queue.tick_ms=50"}});

	world_fill(world, 5, 0,
		&(struct sale_options){.queue = true, .capacity = 2, .abandon_after_seconds = 5});
	struct line_numbers numbers = {.world = world,
		.path = textf(
			world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id),
		.waiting = 3,
		.active = 2,
		.joined = 5,
		.admitted = 2};
	for (size_t i = 0; i < world->people.count; i++)
		expect(world,
			&(struct call){.method = "POST",
				.jwt = world->people.list[i].jwt,
				.path = textf(world, "/v1/events/%lld/queue",
					(long long)world->sale.event_id)},
			201, NULL);
	cr_assert(wait_until(has_numbers, &numbers, 5000));
	numbers.waiting = 0;
	numbers.abandoned = 3;
	cr_assert(wait_until(has_numbers, &numbers, 20000));
	world_close(world);
}

/* A member of the reply, by the names on the way to it; the test fails where one is missing. */
static const json_t *member(struct answer *answer, const char *path)
{
	const json_t *value = answer_json(answer);
	char names[128], *rest = names;

	cr_assert(strlen(path) < sizeof names);
	strcpy(names, path);
	for (const char *name; value != NULL && (name = strsep(&rest, ".")) != NULL;)
		value = json_object_get(value, name);
	cr_assert(value != NULL, "no %s in %s", path, answer->body);
	return value;
}

static int64_t number(struct answer *answer, const char *path)
{
	return json_integer_value(member(answer, path));
}

/* How many requests of a kind there were, however long they took. */
static int64_t timed(struct answer *answer, const char *path)
{
	const json_t *counts = member(answer, path);
	int64_t sum = 0;

	cr_assert_eq(json_array_size(counts),
		json_array_size(member(answer, "server.latency.bounds_ms")) + 1);
	for (size_t i = 0; i < json_array_size(counts); i++)
		sum += json_integer_value(json_array_get(counts, i));
	return sum;
}

/* The first seat, for one of the people. */
static struct call hold_call(struct world *world, unsigned person, const char *key)
{
	return (struct call){.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.key = key,
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};
}

/* What an instance tells of itself is what it was asked since the reply before. */
Test(operators, stats_of_an_instance)
{
	struct world *world = world_open(NULL);

	world_fill(world, 3, 10 * PRICE, &(struct sale_options){.price = PRICE});
	const char *path = textf(
		world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id);
	struct answer *before = operator_get(world, path);
	sell(world);
	struct call taken = hold_call(world, 2, "too-late");
	expect(world, &taken, 409, "seat_unavailable");
	struct answer *after = operator_get(world, path);

	cr_expect(number(after, "seats") == (int64_t)world->sale.seat_count);
	cr_expect_str_eq(json_string_value(member(after, "server.instance")),
		json_string_value(member(before, "server.instance")));
	cr_expect(timed(after, "server.latency.hold") - timed(before, "server.latency.hold") == 4);
	cr_expect(timed(after, "server.latency.pay") - timed(before, "server.latency.pay") == 2);
	cr_expect(timed(after, "server.latency.poll") == 0);
	cr_expect(timed(after, "server.latency.loop") > 0);
	cr_expect(number(after, "server.locks.attempts") >= 4);
	cr_expect(number(after, "server.locks.taken") == 1, "%s", after->body);
	cr_expect(number(after, "server.refusals.seat_unavailable") == 1);
	cr_expect(
		number(after, "server.requests.4xx") - number(before, "server.requests.4xx") == 1);
	cr_expect(number(after, "server.requests.2xx") - number(before, "server.requests.2xx") ==
		  6); /* the former stats' own reply, too */
	cr_expect(number(after, "server.requests.5xx") == 0 && number(after, "server.shed") == 0);
	cr_expect(
		number(after, "server.in_flight") >= 1 && number(after, "server.connections") >= 1);
	cr_expect(json_is_true(member(after, "server.redis.up")));
	cr_expect_str_eq(json_string_value(member(after, "server.redis.breaker")), "closed");
	cr_expect(number(after, "server.lanes.up") == number(after, "server.lanes.of"));
	world_close(world);
}

struct joiner {
	struct world *world;
	struct call join;
	const char *pass;
};

static bool has_pass(void *context)
{
	struct joiner *joiner = context;
	struct answer *answer = world_call(joiner->world, &joiner->join);

	if (!answer_is(answer, "status", "admitted"))
		return false;
	joiner->pass = answer_text(answer, "pass");
	return true;
}

static const char *pass_of(struct world *world, unsigned person)
{
	struct joiner joiner = {.world = world,
		.join = {.method = "POST",
			.jwt = world->people.list[person].jwt,
			.path = textf(
				world, "/v1/events/%lld/queue", (long long)world->sale.event_id)}};

	cr_assert(wait_until(has_pass, &joiner, 5000));
	return joiner.pass;
}

static bool has_holder(void *context)
{
	const struct line_numbers *numbers = context;

	return answer_int(operator_get(numbers->world, numbers->path), "holding") == 1;
}

/* Of two who were let in, one holds a seat; and the line's settings are those that were put. */
Test(operators, stats_of_those_let_in)
{
	struct world *world = world_open(&(struct world_options){.flags = {"--queue.tick_ms=50"}});

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 2});
	struct line_numbers numbers = {.world = world,
		.path = textf(
			world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id)};
	struct call hold = hold_call(world, 0, "mine");
	hold.pass = pass_of(world, 0);
	pass_of(world, 1);
	cr_expect(answer_int(operator_get(world, numbers.path), "holding") == 0);
	expect(world, &hold, 201, NULL);
	cr_assert(wait_until(has_holder, &numbers, 5000));
	world_set_line(world, "{\"capacity\": 7, \"admit_per_second\": 8, \"paused\": true, "
			      "\"message\": \"A \\\"word\\\"\"}");
	struct answer *answer = operator_get(world, numbers.path);
	cr_expect(number(answer, "line.capacity") == 7 &&
		  number(answer, "line.admit_per_second") == 8);
	cr_expect(json_is_true(member(answer, "line.paused")) &&
		  json_is_true(member(answer, "line.enabled")));
	cr_expect_str_eq(json_string_value(member(answer, "line.message")), "A \"word\"");
	world_close(world);
}

/* --- the audit --- */

static const char *const counters[] = {
	"double_sold", "negative_balances", "ledger_imbalance", "orphan_holds"};

/* Each raises one of the counters, to so much, and no other. */
static const struct damage {
	const char *counter;
	int64_t count;
	const char *sql, *repair;
} damages[] = {
	{"double_sold", 2,
		"UPDATE reservations SET seat_ids = (SELECT seat_ids FROM reservations ORDER BY id LIMIT 1), "
		"seat_versions = seat_ids WHERE id = 2",
		"UPDATE reservations SET seat_ids = seat_versions WHERE id = 2"},
	{"double_sold", 1, "DELETE FROM sold WHERE reservation_id = 1",
		"INSERT INTO sold SELECT id, 1, performance_id FROM seats WHERE reservation_id = 1"},
	{"double_sold", 1,
		"UPDATE seats SET status = 'sold', hold_expires_at = NULL WHERE status = 'held'",
		"UPDATE seats SET status = 'held', hold_expires_at = now() WHERE reservation_id = 3"},
	{"double_sold", 1, "UPDATE seats SET reservation_id = 3 WHERE reservation_id = 1",
		"UPDATE seats SET reservation_id = 1 WHERE status = 'sold' AND reservation_id = 3"},
	{"double_sold", 1,
		"UPDATE seats SET status = 'held', hold_expires_at = now() WHERE reservation_id = 1",
		"UPDATE seats SET status = 'sold', hold_expires_at = NULL WHERE reservation_id = 1"},
	{"double_sold", 1, "UPDATE reservations SET status = 'cancelled' WHERE id = 1",
		"UPDATE reservations SET status = 'paid' WHERE id = 1"},
	{"negative_balances", 1,
		"WITH l AS (INSERT INTO ledger (user_id, unit, kind, amount, balance_after) "
		"SELECT min(user_id), 'money', 'payment', -100000, 0 FROM accounts RETURNING *) "
		"UPDATE accounts SET balance = balance - 100000 FROM l WHERE accounts.user_id = l.user_id",
		"DELETE FROM ledger WHERE amount = -100000; "
		"UPDATE accounts SET balance = balance + 100000 WHERE balance < 0"},
	{"negative_balances", 1,
		"WITH l AS (INSERT INTO ledger (user_id, unit, kind, amount, balance_after) "
		"SELECT min(user_id), 'points', 'payment', -100000, 0 FROM accounts RETURNING *) "
		"UPDATE accounts SET points = points - 100000 FROM l WHERE accounts.user_id = l.user_id",
		"DELETE FROM ledger WHERE amount = -100000; "
		"UPDATE accounts SET points = points + 100000 WHERE points < 0"},
	{"ledger_imbalance", 3, "UPDATE accounts SET balance = balance + 1",
		"UPDATE accounts SET balance = balance - 1"},
	{"ledger_imbalance", 3, "UPDATE accounts SET points = points + 1",
		"UPDATE accounts SET points = points - 1"},
	{"ledger_imbalance", 1,
		"INSERT INTO ledger (user_id, unit, kind, amount, balance_after) "
		"VALUES (999999, 'money', 'charge', 1, 1)",
		"DELETE FROM ledger WHERE user_id = 999999"},
	{"orphan_holds", 1,
		"UPDATE reservations SET hold_expires_at = now() - interval '6 seconds' WHERE id = 3",
		"UPDATE reservations SET hold_expires_at = now() WHERE id = 3"},
};

/* All counters are 0, but the damaged one. */
static void check_counters(struct world *world, const struct damage *damage)
{
	struct answer *answer = operator_get(world, "/v1/admin/audit");

	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		bool damaged = damage != NULL && strcmp(counters[i], damage->counter) == 0;
		cr_assert(answer_int(answer, counters[i]) == (damaged ? damage->count : 0),
			"after %s: %s", damage != NULL ? damage->sql : "a sale", answer->body);
	}
}

Test(operators, audit_catches_what_is_wrong)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--seat.sweep_ms=60000", "--outbox.target=none"}});
	int64_t checked_ms = 0;

	world_fill(world, 2, 10 * PRICE, &(struct sale_options){.price = PRICE});
	sell(world);
	check_counters(world, NULL);
	struct answer *answer = operator_get(world, "/v1/admin/audit");
	cr_assert(answer_int(answer, "unpublished_events") == 5, "%s", answer->body);
	cr_assert(clock_parse(answer_text(answer, "checked_at"), &checked_ms));
	cr_assert(checked_ms > clock_unix_ms() - 60000 && checked_ms < clock_unix_ms() + 60000);
	database_run(world->db, "ALTER TABLE ledger DISABLE TRIGGER USER;"
				"ALTER TABLE ledger DROP CONSTRAINT ledger_balance_after_check;"
				"ALTER TABLE accounts DROP CONSTRAINT accounts_balance_check;"
				"ALTER TABLE accounts DROP CONSTRAINT accounts_points_check");
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		database_run(world->db, damages[i].sql);
		check_counters(world, &damages[i]);
		database_run(world->db, damages[i].repair);
		check_counters(world, NULL);
	}
	world_close(world);
}

/* --- a line's settings --- */

static bool is_paused_everywhere(void *context)
{
	struct world *world = context;
	bool everywhere = true;

	for (unsigned i = 0; i < world->options.instances; i++) {
		struct call call = {.method = "GET",
			.path = textf(
				world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
		struct answer *answer = expect_at(world, i, &call, 200, NULL);
		everywhere = everywhere &&
			     json_is_true(json_object_get(answer_json(answer), "paused")) &&
			     answer_is(answer, "message", "Back at nine");
	}
	return everywhere;
}

/* How many were admitted at or after one time and before another, by Redis's clock, which is this one. */
static size_t admitted_between(struct world *world, int64_t from_ms, int64_t to_ms)
{
	struct admissions admissions;
	size_t count = 0;

	admissions_read(&admissions, &world->redis, world->sale.event_id);
	for (size_t i = 0; i < admissions.count; i++)
		count += admissions.list[i].at_ms >= from_ms && admissions.list[i].at_ms < to_ms;
	admissions_free(&admissions);
	return count;
}

static bool is_past(void *context)
{
	clock_turn();
	return clock_unix_ms() >= *(const int64_t *)context;
}

/* The second that begins when the change must be in force. A tick that a busy machine has late comes before or after
 * it; the rate itself is the business of queue_admission.c. */
static size_t admitted_in_force(struct world *world, int64_t changed_ms)
{
	int64_t from_ms = changed_ms + IN_FORCE_MS, to_ms = from_ms + 1000;

	cr_assert(wait_until(is_past, &to_ms, 10000));
	return admitted_between(world, from_ms, to_ms);
}

static int64_t change(struct world *world, const char *body)
{
	world_set_line(world, body);
	clock_turn();
	return clock_unix_ms();
}

static void check_trail(struct world *world, const char *const *details, size_t count)
{
	PGresult *result = database_query(world->db,
		"SELECT admin_id, event_id, detail, created_at BETWEEN now() - interval '1 minute' "
		"AND now() FROM admin_audit WHERE action = 'queue.update' ORDER BY id",
		0, NULL);

	cr_assert(PQntuples(result) == (int)count);
	for (int i = 0; i < (int)count; i++) {
		cr_assert(strtoll(PQgetvalue(result, i, 0), NULL, 10) == world->admins.list[0].id &&
			  strtoll(PQgetvalue(result, i, 1), NULL, 10) == world->sale.event_id);
		cr_assert_str_eq(PQgetvalue(result, i, 2), details[i]);
		cr_assert_str_eq(PQgetvalue(result, i, 3), "t");
	}
	PQclear(result);
}

Test(operators, a_line_obeys_on_every_instance)
{
	static const char *const details[] = {"{\"paused\": true, \"message\": \"Back at nine\"}",
		"{\"paused\": false, \"message\": \"\"}", "{\"admit_per_second\": 100}",
		"{\"capacity\": 1}"};
	struct world *world = world_open(
		&(struct world_options){.instances = 2, .flags = {"--queue.tick_ms=20"}});

	world_fill(world, 700, 0,
		&(struct sale_options){.queue = true,
			.capacity = 1000,
			.admit_per_second = 20,
			.rows = 10,
			.seats_per_row = 100});
	world_set_line(world, details[0]);
	cr_assert(wait_until(is_paused_everywhere, world, IN_FORCE_MS));
	for (unsigned i = 0; i < world->people.count; i++)
		expect_at(world, i % 2,
			&(struct call){.method = "POST",
				.jwt = world->people.list[i].jwt,
				.path = textf(world, "/v1/events/%lld/queue",
					(long long)world->sale.event_id)},
			201, NULL);
	cr_assert(admitted_between(world, 0, INT64_MAX) == 0);

	size_t slow = admitted_in_force(world, change(world, details[1]));
	cr_assert(slow >= 15 && slow <= 25, "%zu admitted at 20 a second", slow);
	size_t fast = admitted_in_force(world, change(world, details[2]));
	cr_assert(fast >= 80 && fast <= 120, "%zu admitted at 100 a second", fast);
	size_t none = admitted_in_force(world, change(world, details[3]));
	cr_assert(none == 0, "%zu admitted above the capacity", none);
	cr_assert(admitted_between(world, 0, INT64_MAX) < world->people.count,
		"nobody was left to be admitted");
	check_trail(world, details, ARRAY_LEN(details));
	world_close(world);
}
