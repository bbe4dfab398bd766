/* The relay of the outbox, through the stream in Redis: each event at least once, those of a reservation in order,
 * whatever is away, late, killed or asleep meanwhile. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "db/outbox_stream.h"
#include "proto/base/check.h"
#include "tests/support/deliveries.h"
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 20000, RESERVATIONS = 40 };

TestSuite(outbox, .timeout = 120);

/* So many events of each of RESERVATIONS reservations, the first of which is `first`, in one transaction. */
static const char *const write_events =
	"WITH events AS (INSERT INTO outbox (reservation_id, kind, payload) "
	"SELECT %d + r, 'reservation.held', json_build_object('reservation_id', %d + r) "
	"FROM generate_series(1, %d) AS n, generate_series(0, %d) AS r RETURNING id) "
	"INSERT INTO outbox_pending (event_ids) "
	"SELECT array_agg(id) FROM events GROUP BY id >> 4 ORDER BY min(id)";

enum { SOME = 1000, OTHERS = 2000 };

static void add_events(struct world *world, PGconn *db, int first, int of_each)
{
	database_run(db, textf(world, write_events, first, first, of_each, RESERVATIONS - 1));
}

static struct deliveries read_deliveries(struct world *world)
{
	struct deliveries deliveries = {0};

	deliveries_read(&deliveries, world->db, &world->redis);
	return deliveries;
}

static size_t delivered(struct world *world)
{
	struct deliveries deliveries = read_deliveries(world);
	size_t count = deliveries.count;

	deliveries_free(&deliveries);
	return count;
}

/* Everything is delivered, in order; returns how many entries there are. */
static size_t all_told(struct world *world)
{
	cr_assert(deliveries_await(world->db, LIMIT_MS), "events were not published in time");
	struct deliveries deliveries = read_deliveries(world);
	struct violations violations;
	size_t count = deliveries.count;

	invariants_check(&(struct invariants_input){.db = world->db, .deliveries = &deliveries},
		&violations);
	cr_assert(violations.of[8] == 0, "%s", violations.text);
	deliveries_free(&deliveries);
	return count;
}

static void redis_run(struct world *world, const char *command)
{
	redisContext *redis = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(redis, command);

	cr_assert(reply != NULL && reply->type != REDIS_REPLY_ERROR, "%s", command);
	freeReplyObject(reply);
	redisFree(redis);
}

static double published(const struct world *world)
{
	double sum = 0;

	for (unsigned i = 0; i < world->options.instances; i++)
		sum += instance_metric(&world->instances[i], "onsale_outbox_published_total");
	return sum;
}

struct wanted {
	struct world *world;
	const char *metric;
	double least;
	size_t entries;
};

static bool have_published(void *context)
{
	const struct wanted *wanted = context;

	return published(wanted->world) >= wanted->least;
}

/* Whoever reads PostgreSQL may know of a mark before the relay that made it. */
static bool nothing_waits(void *context)
{
	const struct world *world = context;

	return instance_metric(&world->instances[0], "onsale_outbox_lag_seconds") == 0;
}

static bool has_metric(void *context)
{
	const struct wanted *wanted = context;

	return instance_metric(&wanted->world->instances[0], wanted->metric) >= wanted->least;
}

static void await_metric(struct world *world, const char *metric, double least)
{
	struct wanted wanted = {.world = world, .metric = metric, .least = least};

	cr_assert(wait_until(has_metric, &wanted, LIMIT_MS), "%s does not reach %g", metric, least);
}

static bool has_entries(void *context)
{
	const struct wanted *wanted = context;

	return delivered(wanted->world) >= wanted->entries;
}

static void await_entries(struct world *world, size_t entries)
{
	struct wanted wanted = {.world = world, .entries = entries};

	cr_assert(wait_until(has_entries, &wanted, LIMIT_MS), "%zu entries instead of %zu",
		delivered(world), entries);
}

static int64_t hold(struct world *world, unsigned seat)
{
	return hold_seat(world, &world->sale, &world->people.list[0], world->sale.seat_ids[seat],
		textf(world, "hold-%u", seat));
}

static void pay(struct world *world, int64_t reservation_id)
{
	struct call call = {.method = "POST",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)reservation_id),
		.jwt = world->people.list[0].jwt,
		.key = textf(world, "pay-%lld", (long long)reservation_id)};

	expect(world, &call, 201, NULL);
}

static void cancel(struct world *world, int64_t reservation_id)
{
	struct call call = {.method = "DELETE",
		.path = textf(world, "/v1/reservations/%lld", (long long)reservation_id),
		.jwt = world->people.list[0].jwt};

	expect(world, &call, 200, NULL);
}

static bool is_swept(void *context)
{
	const struct world *world = context;

	return database_i64(world->db, "SELECT count(*) FROM revocations", 0, NULL) == 0;
}

/* --- all well --- */

static const char *field(const redisReply *entry, const char *name)
{
	const redisReply *fields = entry->element[1];

	cr_assert(fields->elements == 10);
	for (size_t i = 0; i < fields->elements; i += 2)
		if (strcmp(fields->element[i]->str, name) == 0)
			return fields->element[i + 1]->str;
	cr_assert_fail("no %s", name);
	return "";
}

/* An entry and the row say the same, to the byte. */
static void check_entry(struct world *world, const redisReply *entry)
{
	const char *params[] = {field(entry, "id"), field(entry, "reservation_id"),
		field(entry, "kind"), field(entry, "payload"), field(entry, "created_at")};

	cr_assert(database_i64(world->db,
			  "SELECT count(*) FROM outbox WHERE id = $1::bigint "
			  "AND reservation_id = $2::bigint AND kind = $3 AND payload::text = $4 "
			  "AND rfc3339(created_at) = $5",
			  (int)ARRAY_LEN(params), params) == 1,
		"event %s of %s: %s", params[0], params[1], params[3]);
}

static void check_entries(struct world *world, size_t count)
{
	redisContext *redis = redis_process_connect(&world->redis);
	redisReply *entries = redisCommand(redis, "XRANGE %s - +", OUTBOX_STREAM);

	cr_assert(entries != NULL && entries->type == REDIS_REPLY_ARRAY &&
		  entries->elements == count);
	for (size_t i = 0; i < count; i++)
		check_entry(world, entries->element[i]);
	freeReplyObject(entries);
	redisFree(redis);
}

Test(outbox, tells_what_happened_to_reservations)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 100000, &(struct sale_options){0});
	int64_t paid = hold(world, 0), cancelled = hold(world, 1), refunded = hold(world, 2);
	pay(world, paid);
	cancel(world, cancelled);
	pay(world, refunded);
	cancel(world, refunded);
	cr_expect(all_told(world) == 7);
	check_entries(world, 7);
	await_metric(world, "onsale_outbox_published_total", 7);
	cr_expect(instance_metric(&world->instances[0], "onsale_outbox_lag_seconds") == 0);
	cr_expect(instance_metric(&world->instances[0], "onsale_outbox_failures_total") == 0);
	world_close(world);
}

/* What happened while nobody was to be told does not wait, and is not told to whoever is later. */
Test(outbox, where_nobody_is_told_nothing_waits)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--outbox.target=none", "--seat.sweep_ms=100"}});

	world_fill(world, 1, 100000, &(struct sale_options){0});
	int64_t paid = hold(world, 0);
	pay(world, paid);
	add_events(world, world->db, SOME, 100);
	cr_assert(deliveries_await(world->db, LIMIT_MS), "events wait for nobody");
	cr_expect(database_i64(world->db, "SELECT count(*) FROM outbox", 0, NULL) ==
		  2 + 100 * RESERVATIONS);
	instance_stop(&world->instances[0]);
	cr_expect(delivered(world) == 0);
	world->instances[0].flags[0] = "--outbox.target=redis";
	instance_start(&world->instances[0]);
	cancel(world, paid);
	await_entries(world, 1);
	check_entries(world, 1);
	cr_assert(deliveries_await(world->db, LIMIT_MS));
	cr_expect(delivered(world) == 1);
	world_close(world);
}

/* Without a Redis of its own an instance leaves them to those that have one. */
Test(outbox, without_redis_events_wait)
{
	struct world *world = world_open(
		&(struct world_options){.no_redis = true, .flags = {"--seat.sweep_ms=100"}});

	add_events(world, world->db, SOME, 1);
	database_run(world->db, "INSERT INTO revocations (token, user_id, expires_at)"
				" VALUES ('swept', 1, now() - interval '1 hour')");
	cr_assert(wait_until(is_swept, world, LIMIT_MS));
	cr_expect(database_i64(world->db, "SELECT sum(cardinality(event_ids)) FROM outbox_pending",
			  0, NULL) == RESERVATIONS);
	world_close(world);
}

/* The lease lets one at a time work: nothing comes twice. */
Test(outbox, of_several_relays_one_works)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 3, .flags = {"--outbox.batch_max=50", "--outbox.interval_ms=10"}});

	for (int i = 0; i < 20; i++)
		add_events(world, world->db, SOME, 5);
	size_t entries = all_told(world);
	cr_expect(entries == 20 * 5 * RESERVATIONS, "%zu entries", entries);
	struct wanted all = {.world = world, .least = (double)entries};
	cr_expect(wait_until(have_published, &all, LIMIT_MS));
	cr_expect(published(world) == (double)entries);
	world_close(world);
}

/* --- late, doubled, killed --- */

Test(outbox, an_event_that_becomes_visible_late_is_told)
{
	struct world *world = world_open(NULL);
	PGconn *slow = database_connect(world->database_url);

	database_run(slow, "BEGIN");
	add_events(world, slow, OTHERS, 1); /* takes its ids, and does not commit */
	add_events(world, world->db, SOME, 2);
	await_entries(world, (size_t)2 * RESERVATIONS);
	cr_expect(all_told(world) == (size_t)2 * RESERVATIONS);
	database_run(slow, "COMMIT");
	cr_expect(all_told(world) == (size_t)3 * RESERVATIONS);
	PQfinish(slow);
	world_close(world);
}

/* Nobody can mark events: they are in the stream, and count as not published. */
static PGconn *keep_from_marking(struct world *world)
{
	PGconn *blocker = database_connect(world->database_url);

	database_run(blocker, "BEGIN; SELECT FROM outbox_pending FOR UPDATE");
	return blocker;
}

/* What waits for the rows goes on in PostgreSQL without its client, unless it is ended, too. */
static bool nobody_waits(void *context)
{
	const struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
		       "WHERE datname = current_database() AND wait_event_type = 'Lock'",
		       0, NULL) == 0;
}

static void let_mark(PGconn *blocker)
{
	database_run(blocker, "ROLLBACK");
	PQfinish(blocker);
}

Test(outbox, killed_between_delivery_and_mark_it_tells_again)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--outbox.target=none", /* until all events are locked … */
			"--seat.sweep_ms=60000"}}); /* … and none has been dropped */

	add_events(world, world->db, SOME, 3);
	PGconn *blocker = keep_from_marking(world);
	instance_stop(&world->instances[0]);
	world->instances[0].flags[0] = "--outbox.target=redis";
	instance_start(&world->instances[0]);
	await_entries(world, (size_t)3 * RESERVATIONS);
	instance_kill(&world->instances[0]);
	cr_assert(wait_until(nobody_waits, world, LIMIT_MS));
	let_mark(blocker);
	instance_start(&world->instances[0]);
	size_t entries = all_told(world);
	cr_expect(entries == (size_t)6 * RESERVATIONS, "%zu entries", entries);
	world_close(world);
}

/* The lease is never in force, and while `gate` is locked nobody can mark. */
static const char *const no_lease_and_a_gate =
	"CREATE FUNCTION no_lease() RETURNS trigger LANGUAGE plpgsql AS "
	"$$ BEGIN NEW.expires_at := '-infinity'; RETURN NEW; END $$;"
	"CREATE TRIGGER no_lease BEFORE UPDATE ON outbox_lease "
	"FOR EACH ROW EXECUTE FUNCTION no_lease();"
	"CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS "
	"$$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;"
	"CREATE TRIGGER gate BEFORE DELETE ON outbox_pending FOR EACH STATEMENT EXECUTE FUNCTION gate()";

/* Two relays work at once: while the one cannot mark a first event, the other tells it again, and the second. */
Test(outbox, relays_that_work_at_once_keep_the_order)
{
	struct world *world = world_open(
		&(struct world_options){.instances = 2, .flags = {"--outbox.interval_ms=10"}});
	size_t before = 0;

	database_run(world->db, no_lease_and_a_gate);
	for (int i = 0; i < 3; i++) {
		database_run(world->db, "SELECT pg_advisory_lock(1)");
		add_events(world, world->db, SOME, 1);
		await_entries(world, before + RESERVATIONS);
		add_events(world, world->db, SOME, 1);
		await_entries(world, before + (size_t)3 * RESERVATIONS);
		database_run(world->db, "SELECT pg_advisory_unlock(1)");
		before = all_told(world);
	}
	printf("%zu entries of %d events\n", before, 6 * RESERVATIONS);
	world_close(world);
}

static bool is_at_work(void *context)
{
	struct world *world = context;

	return delivered(world) > 0;
}

/* A relay sleeps in the middle of its work, for longer than its lease; another goes on, and it wakes. */
Test(outbox, a_relay_that_slept_keeps_the_order)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {"--outbox.batch_max=1", "--outbox.interval_ms=10"}});

	for (unsigned sleeper = 0; sleeper < 2; sleeper++) {
		add_events(world, world->db, SOME, 2);
		cr_assert(wait_until(is_at_work, world, LIMIT_MS));
		kill(world->instances[sleeper].pid, SIGSTOP);
		add_events(world, world->db, SOME, 2);
		cr_assert(deliveries_await(world->db, LIMIT_MS), "nobody went on");
		kill(world->instances[sleeper].pid, SIGCONT);
	}
	instance_wait_ready(&world->instances[0]);
	instance_wait_ready(&world->instances[1]);
	size_t entries = all_told(world);
	cr_expect(entries >= (size_t)8 * RESERVATIONS);
	world_close(world);
}

/* --- stores away --- */

Test(outbox, redis_away_and_back)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 100000, &(struct sale_options){0});
	int64_t first = hold(world, 0);
	cr_expect(all_told(world) == 1);
	redis_process_stop(&world->redis);
	int64_t second = hold(world, 1);
	pay(world, first);
	await_metric(world, "onsale_outbox_lag_seconds", 0.5);
	pay(world, second);
	redis_process_start(&world->redis);
	cr_expect(all_told(world) == 4);
	cr_expect(wait_until(nothing_waits, world, LIMIT_MS));
	world_close(world);
}

Test(outbox, redis_full_for_a_while)
{
	struct world *world = world_open(NULL);

	redis_run(world, "CONFIG SET maxmemory 1");
	add_events(world, world->db, SOME, 3);
	await_metric(world, "onsale_outbox_failures_total", 2);
	cr_expect(instance_logged(&world->instances[0], "events wait: Redis"));
	redis_run(world, "CONFIG SET maxmemory 0");
	cr_expect(all_told(world) == (size_t)3 * RESERVATIONS);
	await_metric(world, "onsale_outbox_published_total", 3 * RESERVATIONS);
	cr_expect(instance_logged(&world->instances[0], "events are told again"));
	world_close(world);
}

/* What Redis has lost it is not told again; what happens from then on it is. */
Test(outbox, redis_emptied)
{
	struct world *world = world_open(NULL);

	add_events(world, world->db, SOME, 3);
	cr_expect(all_told(world) == (size_t)3 * RESERVATIONS);
	redis_run(world, "FLUSHALL");
	add_events(world, world->db, SOME, 2);
	cr_assert(deliveries_await(world->db, LIMIT_MS));
	cr_expect(delivered(world) == (size_t)2 * RESERVATIONS);
	redis_run(world, "FLUSHALL");
	/* An operator may have it told again. */
	database_run(world->db,
		"INSERT INTO outbox_pending (event_ids) "
		"SELECT array_agg(id) FROM outbox GROUP BY id >> 7 ORDER BY min(id)");
	cr_expect(all_told(world) == (size_t)5 * RESERVATIONS);
	world_close(world);
}

Test(outbox, postgresql_away_and_back)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {"--outbox.batch_max=20", "--outbox.interval_ms=10"}});

	for (int i = 0; i < 3; i++) {
		add_events(world, world->db, SOME, 10);
		world_set_database(world, false);
		world_set_database(world, true);
		add_events(world, world->db, SOME, 10);
	}
	size_t entries = all_told(world);
	printf("%zu entries of %d events\n", entries, 60 * RESERVATIONS);
	world_close(world);
}

/* --- bounds --- */

Test(outbox, the_stream_does_not_grow_for_ever)
{
	enum { LENGTH = 200, SLACK = 150 }; /* whole nodes go, of 100 entries */
	struct world *world = world_open(&(struct world_options){
		.flags = {"--outbox.stream_length=200", "--outbox.interval_ms=10"}});

	add_events(world, world->db, SOME, 100);
	cr_assert(deliveries_await(world->db, LIMIT_MS));
	size_t entries = delivered(world);
	cr_expect(entries >= LENGTH && entries <= LENGTH + SLACK, "%zu entries", entries);
	await_metric(world, "onsale_outbox_published_total", 100 * RESERVATIONS);
	world_close(world);
}
