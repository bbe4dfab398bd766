/* A thousand people, three instances, five hundred seats. One instance is killed in the middle. Another one stands
 * still, with a hold and a payment on their way from it to PostgreSQL, until its lock has run out, the hold that
 * was to be paid has lapsed, and both seats are somebody else's: what it wrote comes late, and is refused. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tests/faults/arena.h"
#include "tests/support/shoppers.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum {
	BUYERS = 1000,
	SEATS = 500,
	ROWS = 20,
	CAPACITY = 10,
	BALANCE = 100000,
	PRICE = 7000,
	PATIENCE_MS = 1500, /* after which a buyer asks elsewhere, under the same key */
	TRY_EVERY_MS = 100,
	STEP_LIMIT_MS = 10000,
	LIMIT_MS = 150000
};

enum { KILLED, FROZEN, LIVES, INSTANCES };
enum { LATE_HOLD, LATE_PAYMENT, LATEST_PAYMENT, LATE };

TestSuite(instances, .timeout = 240);

enum act { ACT_KILL, ACT_STALL, ACT_FREEZE, ACT_TAKE, ACT_THAW, ACT_END };

/* One person's seats are lost to another one's while the instance that serves the first stands still. */
struct drama {
	struct arena *arena;
	enum act act;
	const struct person *slow, *quick;
	int64_t reservation_id; /* the slow one's, of the second seat */
	int64_t taken[2]; /* the quick one's */
	unsigned tries;
	uint64_t frozen_ms, tried_ms;
	struct wire wires[LATE];
	const char *paths[LATE], *bodies[LATE];
};

static const char *const keys[LATE] = {"late-hold", "late-payment", "latest-payment"};

static const char *seat_body(struct drama *drama, size_t seat)
{
	struct arena *arena = drama->arena;

	return hold_body(arena->world, &arena->sale, &arena->sale.seat_ids[seat], 1);
}

static const char *payment_path(struct drama *drama, int64_t reservation_id)
{
	return textf(
		drama->arena->world, "/v1/reservations/%lld/payment", (long long)reservation_id);
}

static struct call quick_call(const struct drama *drama, const char *path, const char *key)
{
	return (struct call){.method = "POST", .path = path, .jwt = drama->quick->jwt, .key = key};
}

/* --- late requests --- */

/* The key is also the request's id, by which what was decided about it is found. */
static struct call late_call(struct drama *drama, size_t i)
{
	return (struct call){.method = "POST",
		.path = drama->paths[i],
		.jwt = drama->slow->jwt,
		.key = keys[i],
		.headers = textf(drama->arena->world, "X-Request-Id: %s\r\n", keys[i]),
		.body = drama->bodies[i]};
}

static void send_late(struct drama *drama, size_t i, const char *path, const char *body)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);

	drama->paths[i] = path;
	drama->bodies[i] = body;
	struct call call = late_call(drama, i);
	call_write(&call, &bytes);
	wire_open(&drama->wires[i], world_port(drama->arena->world, FROZEN), 0);
	cr_assert(wire_send(&drama->wires[i], bytes.data, bytes.len));
	buf_free(&bytes);
}

/* Decided by PostgreSQL, whatever became of its answer. */
static bool is_decided(struct drama *drama, size_t i)
{
	const char *params[] = {textf(drama->arena->world, "%%\"%s\"%%", keys[i])};

	return database_i64(drama->arena->world->db,
		       "SELECT count(*) FROM idempotency WHERE reply LIKE $1", 1, params) == 1;
}

static bool both_are_decided(void *context)
{
	return is_decided(context, LATE_HOLD) && is_decided(context, LATE_PAYMENT);
}

/* Whoever asks again, anywhere, hears what was decided then. */
static void expect_refused(struct drama *drama, size_t i, int status, const char *code)
{
	struct call call = late_call(drama, i);
	struct answer *again = expect_at(drama->arena->world, LIVES, &call, status, code),
		      own = {0};

	cr_assert(wire_answer(&drama->wires[i], &own, false, STEP_LIMIT_MS) == WIRE_ANSWER);
	cr_assert(own.status == 503 || strcmp(own.body, again->body) == 0, "%s", own.body);
	if (i != LATEST_PAYMENT)
		cr_assert(answer_header_is(again, "idempotent-replayed", "true") &&
				  answer_is(again, "request_id", keys[i]),
			"%s", again->body);
	printf("%s: its instance told %d, anybody else %d %s\n", keys[i], own.status, status, code);
	answer_clear(&own);
	wire_close(&drama->wires[i]);
}

/* --- the acts --- */

static void kill_one(struct drama *drama)
{
	instance_kill(&drama->arena->world->instances[KILLED]);
	drama->act = ACT_STALL;
}

/* What the instance says to PostgreSQL lies in the proxy from now on. */
static void stall_one(struct drama *drama)
{
	struct arena *arena = drama->arena;
	struct call hold = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = drama->slow->jwt,
		.key = "held-in-time",
		.body = seat_body(drama, 1)};

	drama->reservation_id = answer_int(expect_at(arena->world, LIVES, &hold, 201, NULL), "id");
	proxies_set(&arena->proxies, 1U << FROZEN, PROXIES_POSTGRESQL, PROXY_STALLS, 0);
	send_late(drama, LATE_PAYMENT, payment_path(drama, drama->reservation_id), NULL);
	send_late(drama, LATE_HOLD, "/v1/reservations", seat_body(drama, 0));
	drama->act = ACT_FREEZE;
}

/* The hold has its lock, and both are sent: nothing waits for a lane. The second seat has its marker. */
static bool are_on_their_way(const struct drama *drama)
{
	const struct world *world = drama->arena->world;
	const struct instance *instance = &world->instances[FROZEN];
	redisContext *connection = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(
		connection, "KEYS onsale:{%lld}:lock:*", (long long)drama->arena->sale.event_id);

	cr_assert(reply != NULL && reply->type == REDIS_REPLY_ARRAY);
	bool locked = reply->elements == 2;
	freeReplyObject(reply);
	redisFree(connection);
	return locked && instance_metric(instance, "onsale_in_flight") >= 3 &&
	       instance_metric(instance, "onsale_postgresql_backlog_seconds") == 0;
}

static void freeze_one(struct drama *drama)
{
	struct world *world = drama->arena->world;

	cr_assert(kill(world->instances[FROZEN].pid, SIGSTOP) == 0);
	drama->frozen_ms = now_ms();
	send_late(drama, LATEST_PAYMENT, payment_path(drama, drama->reservation_id), NULL);
	drama->act = ACT_TAKE;
}

/* True once the quick one has it, as soon as the slow one's lock or hold has run out. */
static bool take_seat(struct drama *drama, size_t seat)
{
	struct world *world = drama->arena->world;
	struct call hold = quick_call(
		drama, "/v1/reservations", textf(world, "take-%u", ++drama->tries));

	hold.body = seat_body(drama, seat);
	struct answer *answer = world_call_at(world, LIVES, &hold);
	if (answer->status != 201)
		return false;
	drama->taken[seat] = answer_int(answer, "id");
	struct call pay = quick_call(
		drama, payment_path(drama, drama->taken[seat]), textf(world, "pay-%zu", seat));
	expect_at(world, LIVES, &pay, 201, NULL);
	return true;
}

static void take_both(struct drama *drama)
{
	if (now_ms() < drama->tried_ms + TRY_EVERY_MS)
		return;
	drama->tried_ms = now_ms();
	for (size_t seat = 0; seat < 2; seat++)
		if (drama->taken[seat] == 0 && !take_seat(drama, seat))
			return;
	drama->act = ACT_THAW;
}

/* First what was on its way, then what the instance itself still does. */
static void thaw_one(struct drama *drama)
{
	struct world *world = drama->arena->world;
	uint64_t frozen_for_ms = now_ms() - drama->frozen_ms;

	cr_assert(frozen_for_ms > ARENA_LOCKING_MS);
	proxies_set(&drama->arena->proxies, 1U << FROZEN, PROXIES_POSTGRESQL, PROXY_PASSES, 0);
	cr_assert(wait_until(both_are_decided, drama, STEP_LIMIT_MS), "nothing came late");
	cr_assert(kill(world->instances[FROZEN].pid, SIGCONT) == 0);
	printf("frozen for %llu ms, both seats taken meanwhile after %u tries\n",
		(unsigned long long)frozen_for_ms, drama->tries);
	expect_refused(drama, LATE_HOLD, 409, "seat_unavailable");
	expect_refused(drama, LATE_PAYMENT, 410, "hold_expired");
	expect_refused(drama, LATEST_PAYMENT, 410, "hold_expired");
	drama->act = ACT_END;
}

static void play(struct shoppers *shoppers, void *context)
{
	struct drama *drama = context;
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	bool busy = counts->keyed_in_flight > 0;

	switch (drama->act) {
	case ACT_KILL:
		if (counts->paid >= SEATS / 5 && busy)
			kill_one(drama);
		break;
	case ACT_STALL:
		if (counts->paid >= 2 * SEATS / 5 && busy)
			stall_one(drama);
		break;
	case ACT_FREEZE:
		if (busy && are_on_their_way(drama))
			freeze_one(drama);
		break;
	case ACT_TAKE: take_both(drama); break;
	case ACT_THAW: thaw_one(drama); break;
	case ACT_END: break;
	}
}

/* --- the test --- */

/* Everybody has all his money, but the buyers, who have paid the price of a seat, once; and the quick one has both
 * seats that the slow one wanted. */
static void check_balances(struct drama *drama)
{
	PGconn *db = drama->arena->world->db;
	const char *all[] = {"100000"}, *less[] = {"93000"};
	const char *quick[] = {textf(drama->arena->world, "%lld", (long long)drama->quick->id)};
	static const char with[] = "SELECT count(*) FROM accounts WHERE balance = $1";

	cr_assert(database_i64(db, with, 1, all) == BUYERS - SEATS);
	cr_assert(database_i64(db, with, 1, less) == SEATS);
	cr_assert(database_i64(db, "SELECT count(*) FROM sold", 0, NULL) == SEATS + 2);
	cr_assert(
		database_i64(db,
			"SELECT count(*) FROM sold s JOIN reservations r ON r.id = s.reservation_id "
			"WHERE r.user_id = $1",
			1, quick) == 2);
}

/* As many lanes as it takes for all that is stalled to be sent. */
static void add_lanes(struct instance *instance)
{
	size_t count = 0;

	while (instance->flags[count] != NULL)
		count++;
	instance->flags[count] = "--db.lanes=16";
	instance_stop(instance);
	instance_start(instance);
}

static void open_sales(struct arena *arena)
{
	sale_open(arena->world, &arena->sale, &(struct sale_options){.seats_per_row = 2});
	world_fill(arena->world, BUYERS, BALANCE,
		&(struct sale_options){.queue = true,
			.capacity = CAPACITY,
			.pass_ttl_seconds = 10,
			.rows = ROWS,
			.seats_per_row = SEATS / ROWS,
			.price = PRICE});
}

static void check_line(struct arena *arena, struct shoppers *shoppers)
{
	struct admissions admissions;

	admissions_read(&admissions, &arena->world->redis, arena->world->sale.event_id);
	printf("%zu admissions\n", admissions.count);
	invariants_hold(&(struct invariants_input){.db = arena->world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = CAPACITY,
		.admit_per_second = arena->world->sale.admit_per_second});
	admissions_free(&admissions);
}

Test(instances, one_killed_one_frozen)
{
	static struct arena arena;
	unsigned seed = (unsigned)time(NULL);

	printf("seed %u\n", seed);
	arena_open(&arena, INSTANCES, 2, seed);
	add_lanes(&arena.world->instances[FROZEN]);
	open_sales(&arena);
	struct drama drama = {
		.arena = &arena, .slow = &arena.people.list[0], .quick = &arena.people.list[1]};
	struct shoppers *shoppers = shoppers_new(
		arena.world, &arena.world->sale, &arena.world->people, seed);
	shoppers_patience(shoppers, PATIENCE_MS);
	shoppers_history(shoppers)->redis_lost = true; /* to the one that stood still */
	shoppers_run(shoppers, LIMIT_MS, play, &drama);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	printf("%u paid, %u sold out, %u lost, %zu unknown, %u rejoined\n", counts->paid,
		counts->sold_out, counts->lost, history_unknowns(shoppers_history(shoppers)),
		counts->rejoined);
	cr_assert(drama.act == ACT_END, "it was over before act %d", drama.act);
	cr_assert(counts->paid == SEATS && counts->sold_out == BUYERS - SEATS);
	check_balances(&drama);
	check_line(&arena, shoppers);
	shoppers_free(shoppers);
	arena_close(&arena);
}
