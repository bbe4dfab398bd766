/* The relay of the outbox, through Kafka: as to Redis, each event at least once, those of a reservation in order. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "db/outbox_stream.h"
#include "proto/base/check.h"
#include "tests/support/invariants.h"
#include "tests/support/kafka.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

#define TOPIC "onsale.reservations"

enum { LIMIT_MS = 40000, RESERVATIONS = 40, FIRST = 1000 };

TestSuite(outbox_kafka, .timeout = 180);

struct setting {
	struct world *world;
	struct kafka_brokers *brokers;
	char flag[256];
};

static void setting_open(struct setting *setting, unsigned instances)
{
	setting->brokers = kafka_brokers_open();
	snprintf(setting->flag, sizeof setting->flag, "--outbox.kafka_brokers=%s",
		kafka_brokers_address(setting->brokers));
	setting->world = world_open(&(struct world_options){.instances = instances,
		.flags = {"--outbox.target=kafka", setting->flag, "--outbox.interval_ms=20"}});
}

static void setting_close(struct setting *setting)
{
	world_close(setting->world);
	kafka_brokers_close(setting->brokers);
}

/* So many events of each of RESERVATIONS reservations. */
static void add_events(struct setting *setting, int of_each)
{
	database_run(setting->world->db,
		textf(setting->world,
			"WITH events AS (INSERT INTO outbox (reservation_id, kind, payload) "
			"SELECT %d + r, 'reservation.held', json_build_object('reservation_id', %d + r) "
			"FROM generate_series(1, %d) AS n, generate_series(1, %d) AS r RETURNING id) "
			"INSERT INTO outbox_pending (event_ids) "
			"SELECT array_agg(id) FROM events GROUP BY id >> 7 ORDER BY min(id)",
			FIRST, FIRST, of_each, RESERVATIONS));
}

/* Everything is delivered, in order; returns how many messages there are. */
static size_t all_told(struct setting *setting)
{
	struct deliveries deliveries = {0};
	struct violations violations;

	cr_assert(deliveries_await(setting->world->db, LIMIT_MS), "not published in time");
	kafka_deliveries_read(&deliveries, setting->world->db, setting->brokers, TOPIC);
	invariants_check(
		&(struct invariants_input){.db = setting->world->db, .deliveries = &deliveries},
		&violations);
	size_t count = deliveries.count;
	cr_assert(violations.of[8] == 0, "%s", violations.text);
	deliveries_free(&deliveries);
	return count;
}

struct wanted {
	const struct instance *instance;
	const char *metric, *logged;
	double least;
};

static bool is_so(void *context)
{
	const struct wanted *wanted = context;

	if (wanted->logged != NULL)
		return instance_logged(wanted->instance, wanted->logged);
	return instance_metric(wanted->instance, wanted->metric) >= wanted->least;
}

static void await(struct wanted wanted)
{
	cr_assert(wait_until(is_so, &wanted, LIMIT_MS), "no %s",
		wanted.logged != NULL ? wanted.logged : wanted.metric);
}

/* --- all well --- */

static void hold_and_cancel(struct world *world)
{
	const struct person *person = &world->people.list[0];
	int64_t id = hold_seat(world, &world->sale, person, world->sale.seat_ids[0], "hold");
	struct call call = {.method = "DELETE",
		.path = textf(world, "/v1/reservations/%lld", (long long)id),
		.jwt = person->jwt};

	expect(world, &call, 200, NULL);
}

/* A row as the message that it must be. */
static const char *row_of(struct world *world, const char *kind)
{
	const char *params[] = {kind};
	PGresult *result = database_query(world->db,
		"SELECT format(E'%s\\t' || 'id=%s,kind=%s,created_at=%s' || E'\\t%s\\n', reservation_id, "
		"id, kind, rfc3339(created_at), payload) FROM outbox WHERE kind = $1",
		1, params);
	const char *row = textf(world, "%s", PQgetvalue(result, 0, 0));

	PQclear(result);
	return row;
}

Test(outbox_kafka, tells_what_happened_to_reservations)
{
	struct setting setting;
	struct buf lines = BUF_INIT(1 << 20);

	setting_open(&setting, 1);
	world_fill(setting.world, 1, 100000, &(struct sale_options){0});
	hold_and_cancel(setting.world);
	cr_expect(all_told(&setting) == 2);
	kafka_brokers_read(setting.brokers, TOPIC, &lines);
	cr_expect_str_eq(
		lines.data, textf(setting.world, "%s%s", row_of(setting.world, "reservation.held"),
				    row_of(setting.world, "reservation.cancelled")));
	await((struct wanted){
		&setting.world->instances[0], "onsale_outbox_published_total", NULL, 2});
	redisContext *redis = redis_process_connect(&setting.world->redis);
	redisReply *reply = redisCommand(redis, "EXISTS %s", OUTBOX_STREAM);
	cr_expect(reply != NULL && reply->integer == 0, "Redis is not told");
	freeReplyObject(reply);
	redisFree(redis);
	buf_free(&lines);
	setting_close(&setting);
}

Test(outbox_kafka, without_redis)
{
	struct setting setting;

	setting.brokers = kafka_brokers_open();
	snprintf(setting.flag, sizeof setting.flag, "--outbox.kafka_brokers=%s",
		kafka_brokers_address(setting.brokers));
	setting.world = world_open(&(struct world_options){.instances = 2,
		.no_redis = true,
		.flags = {"--outbox.target=kafka", setting.flag}});
	add_events(&setting, 50);
	size_t messages = all_told(&setting);
	cr_expect(messages == (size_t)50 * RESERVATIONS, "%zu messages", messages);
	setting_close(&setting);
}

/* --- brokers that are away or refuse --- */

Test(outbox_kafka, away_and_back)
{
	struct setting setting;

	setting_open(&setting, 2);
	add_events(&setting, 2);
	cr_expect(all_told(&setting) == (size_t)2 * RESERVATIONS);
	kafka_brokers_set(setting.brokers, false);
	add_events(&setting, 2);
	await((struct wanted){&setting.world->instances[0], "onsale_outbox_lag_seconds", NULL, 1});
	add_events(&setting, 2);
	kafka_brokers_set(setting.brokers, true);
	size_t messages = all_told(&setting);
	printf("%zu messages of %d events\n", messages, 6 * RESERVATIONS);
	cr_expect(messages >= (size_t)6 * RESERVATIONS);
	setting_close(&setting);
}

Test(outbox_kafka, leaders_that_move_lose_nothing)
{
	struct setting setting;

	setting_open(&setting, 1);
	for (int i = 0; i < 5; i++) {
		kafka_brokers_refuse(setting.brokers, 3, false);
		add_events(&setting, 5);
	}
	size_t messages = all_told(&setting);
	cr_expect(messages == (size_t)25 * RESERVATIONS, "%zu messages", messages);
	setting_close(&setting);
}

/* A refusal for good would leave a gap that later messages pass by: that producer is given up, another one begins
 * with the same events. */
Test(outbox_kafka, a_producer_that_is_given_up_is_replaced)
{
	struct setting setting;

	setting_open(&setting, 1);
	add_events(&setting, 2);
	cr_expect(all_told(&setting) == (size_t)2 * RESERVATIONS);
	for (int i = 0; i < 3; i++) {
		kafka_brokers_refuse(setting.brokers, 1, true);
		add_events(&setting, 5);
		cr_assert(deliveries_await(setting.world->db, LIMIT_MS));
	}
	size_t messages = all_told(&setting);
	printf("%zu messages of %d events\n", messages, 17 * RESERVATIONS);
	cr_expect(instance_logged(&setting.world->instances[0], "the producer is given up"));
	cr_expect(instance_logged(&setting.world->instances[0], "events wait: Kafka"));
	cr_expect(instance_logged(&setting.world->instances[0], "events are told again"));
	setting_close(&setting);
}

/* --- the relay --- */

Test(outbox_kafka, a_relay_that_slept_keeps_the_order)
{
	struct setting setting;

	setting_open(&setting, 2);
	for (unsigned sleeper = 0; sleeper < 2; sleeper++) {
		struct instance *instance = &setting.world->instances[sleeper];
		add_events(&setting, 20);
		kill(instance->pid, SIGSTOP);
		add_events(&setting, 20);
		cr_assert(deliveries_await(setting.world->db, LIMIT_MS), "nobody went on");
		kill(instance->pid, SIGCONT);
		instance_wait_ready(instance);
	}
	size_t messages = all_told(&setting);
	printf("%zu messages of %d events\n", messages, 80 * RESERVATIONS);
	setting_close(&setting);
}

/* Told to stop or killed with messages on their way: what was not noted as told comes again. */
Test(outbox_kafka, ended_while_brokers_are_away)
{
	struct setting setting;
	struct instance *instance;

	setting_open(&setting, 1);
	instance = &setting.world->instances[0];
	for (int i = 0; i < 2; i++) {
		kafka_brokers_set(setting.brokers, false);
		add_events(&setting, 3);
		await((struct wanted){instance, "onsale_outbox_lag_seconds", NULL, 0.3});
		if (i == 0)
			instance_stop(instance);
		else
			instance_kill(instance);
		kafka_brokers_set(setting.brokers, true);
		instance_start(instance);
		cr_assert(deliveries_await(setting.world->db, LIMIT_MS));
	}
	cr_expect(all_told(&setting) >= (size_t)6 * RESERVATIONS);
	setting_close(&setting);
}
