/* What /metrics says is what happened; and what Prometheus and Grafana are told to ask for is there. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "proto/base/check.h"
#include "tests/support/events.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 15000, BALANCE = 50000 };

TestSuite(metrics, .timeout = 90);

static double metric(const struct world *world, const char *name)
{
	return instance_metric(&world->instances[0], name);
}

static struct call call_of(struct world *world, const char *method, const char *path)
{
	return (struct call){.method = method, .path = path, .jwt = world->people.list[0].jwt};
}

struct awaited {
	const struct world *world;
	const char *name;
	double least; /* … or most */
};

static bool has_come(void *context)
{
	const struct awaited *awaited = context;

	return metric(awaited->world, awaited->name) >= awaited->least;
}

static bool has_fallen(void *context)
{
	const struct awaited *awaited = context;

	return metric(awaited->world, awaited->name) <= awaited->least;
}

static void await_metric(const struct world *world, const char *name, double least)
{
	struct awaited awaited = {world, name, least};

	cr_assert(wait_until(has_come, &awaited, LIMIT_MS), "%s is %g", name, metric(world, name));
}

/* --- requests --- */

static void say_nonsense(const struct world *world)
{
	struct answer answer = {0};
	struct wire wire;

	wire_open(&wire, world_port(world, 0), 0);
	cr_assert(wire_send_text(&wire, "NONSENSE\r\n\r\n"));
	cr_assert(wire_answer(&wire, &answer, false, LIMIT_MS) == WIRE_ANSWER);
	cr_assert(answer.status == 400);
	answer_clear(&answer);
	wire_close(&wire);
}

Test(metrics, requests_by_route_method_and_status)
{
	struct world *world = world_open(&(struct world_options){0});

	expect(world, &(struct call){.method = "GET", .path = "/v1/events"}, 200, NULL);
	expect(world, &(struct call){.method = "GET", .path = "/v1/events?limit=1"}, 200, NULL);
	expect(world, &(struct call){.method = "GET", .path = "/v1/events/77"}, 404,
		"event_not_found");
	expect(world, &(struct call){.method = "GET", .path = "/v1/events/78"}, 404,
		"event_not_found");
	expect(world, &(struct call){.method = "GET", .path = "/v1/me"}, 401, "unauthorized");
	expect(world, &(struct call){.method = "GET", .path = "/no/such"}, 404, "not_found");
	expect(world, &(struct call){.method = "PUT", .path = "/v1/events"}, 405,
		"method_not_allowed");
	expect(world, &(struct call){.method = "OPTIONS", .path = "/v1/events"}, 204, NULL);
	expect(world, &(struct call){.method = "GET", .path = "/"}, 200, NULL);
	say_nonsense(world);
	static const struct {
		const char *name;
		double value;
	} counts[] = {
		{"onsale_requests_total{route=\"/v1/events\",method=\"GET\",status=\"200\"}", 2},
		{"onsale_requests_total{route=\"/v1/events/{}\",method=\"GET\",status=\"404\"}", 2},
		{"onsale_requests_total{route=\"/v1/me\",method=\"GET\",status=\"401\"}", 1},
		{"onsale_requests_total{route=\"unknown\",method=\"other\",status=\"404\"}", 1},
		{"onsale_requests_total{route=\"unknown\",method=\"other\",status=\"405\"}", 1},
		{"onsale_requests_total{route=\"any\",method=\"OPTIONS\",status=\"204\"}", 1},
		{"onsale_requests_total{route=\"invalid\",method=\"invalid\",status=\"400\"}", 1},
		{"onsale_requests_total{route=\"file\",method=\"GET\",status=\"200\"}", 1},
		{"onsale_request_duration_seconds_count{route=\"/v1/events\",method=\"GET\"}", 2},
		{"onsale_request_duration_seconds_bucket{route=\"/v1/events\",method=\"GET\","
		 "le=\"+Inf\"}",
			2},
		{"onsale_refusals_total{code=\"event_not_found\"}", 2},
		{"onsale_refusals_total{code=\"not_found\"}", 1},
		{"onsale_refusals_total{code=\"bad_request\"}", 1},
		{"onsale_refusals_total{code=\"busy\"}", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		cr_expect_eq(metric(world, counts[i].name), counts[i].value, "%s is %g",
			counts[i].name, metric(world, counts[i].name));
	world_close(world);
}

/* --- selling --- */

static int64_t hold(
	struct world *world, unsigned person, const char *key, int status, const char *code)
{
	struct call call = call_of(world, "POST", "/v1/reservations");

	call.jwt = world->people.list[person].jwt;
	call.key = key;
	call.body = hold_body(world, &world->sale, world->sale.seat_ids, 1);
	struct answer *answer = expect(world, &call, status, code);
	return status == 201 ? answer_int(answer, "id") : 0;
}

static void pay(struct world *world, int64_t id)
{
	struct call call = call_of(
		world, "POST", textf(world, "/v1/reservations/%lld/payment", (long long)id));

	call.key = "pay";
	expect(world, &call, 201, NULL);
}

static void cancel(struct world *world, int64_t id)
{
	struct call call = call_of(
		world, "DELETE", textf(world, "/v1/reservations/%lld", (long long)id));

	cr_assert(world_call(world, &call)->status / 100 == 2);
}

static void look_at_seats(struct world *world)
{
	struct call call = call_of(world, "GET",
		textf(world, "/v1/performances/%lld/seats/status",
			(long long)world->sale.performance_id));

	expect(world, &call, 200, NULL);
}

static double map_readers(const struct world *world)
{
	double misses = metric(world, "onsale_seat_map_requests_total{result=\"miss\"}");

	cr_expect_geq(misses, 1);
	return misses + metric(world, "onsale_seat_map_requests_total{result=\"hit\"}");
}

Test(metrics, sales_locks_and_stores)
{
	struct world *world = world_open(&(struct world_options){0});

	world_fill(world, 2, BALANCE, &(struct sale_options){0});
	int64_t first = hold(world, 0, "first", 201, NULL);
	hold(world, 1, "late", 409, "seat_unavailable");
	hold(world, 1, "late", 409, "seat_unavailable"); /* as it was said before */
	pay(world, first);
	cancel(world, first);
	cancel(world, hold(world, 0, "second", 201, NULL));
	double readers = map_readers(world);
	look_at_seats(world);
	look_at_seats(world);
	static const struct {
		const char *name;
		double value;
	} counts[] = {
		{"onsale_holds_total", 2},
		{"onsale_payments_total", 1},
		{"onsale_refunds_total", 1},
		{"onsale_holds_cancelled_total", 1},
		{"onsale_replays_total", 1},
		{"onsale_refusals_total{code=\"seat_unavailable\"}", 2},
		{"onsale_lock_attempts_total", 4},
		{"onsale_lock_results_total{result=\"ours\"}", 2},
		{"onsale_lock_results_total{result=\"taken\"}", 1},
		{"onsale_lock_results_total{result=\"replay\"}", 1},
		{"onsale_lock_results_total{result=\"away\"}", 0},
		{"onsale_lock_wait_seconds_count", 4},
		{"onsale_lock_queue", 0},
		{"onsale_transaction_timeouts_total{cause=\"lock\"}", 0},
		{"onsale_redis_up", 1},
		{"onsale_redis_breaker_state", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		cr_expect_eq(metric(world, counts[i].name), counts[i].value, "%s is %g",
			counts[i].name, metric(world, counts[i].name));
	cr_expect_eq(map_readers(world), readers + 2);
	cr_expect_geq(metric(world, "onsale_redis_round_trip_seconds_count"), 4);
	cr_expect_geq(metric(world, "onsale_postgresql_batch_size_count"), 5);
	cr_expect_geq(metric(world, "onsale_postgresql_lane_wait_seconds_count"), 5);
	cr_expect_gt(metric(world, "onsale_request_stage_seconds_total{route=\"/v1/reservations\","
				   "method=\"POST\",stage=\"postgresql\"}"),
		0);
	world_close(world);
}

Test(metrics, what_waits_for_a_lock_too_long)
{
	static const struct world_options options = {
		.flags = {"--db.batch_lock_timeout_ms=50", "--db.lock_timeout_ms=100"}};
	struct world *world = world_open(&options);
	PGconn *locker = database_connect(world->database_url);

	world_fill(world, 1, BALANCE, &(struct sale_options){0});
	database_run(locker, "BEGIN; SELECT FROM seats FOR UPDATE");
	hold(world, 0, "first", 503, "busy");
	database_run(locker, "COMMIT");
	cr_expect_eq(metric(world, "onsale_postgresql_batch_lock_timeouts_total"), 1);
	cr_expect_eq(metric(world, "onsale_transaction_timeouts_total{cause=\"lock\"}"), 1);
	cr_expect_eq(metric(world, "onsale_transaction_timeouts_total{cause=\"statement\"}"), 0);
	cr_expect_eq(metric(world, "onsale_transaction_timeouts_total{cause=\"deadline\"}"), 0);
	PQfinish(locker);
	world_close(world);
}

Test(metrics, the_breaker)
{
	struct world *world = world_open(&(struct world_options){0});

	redis_process_stop(&world->redis);
	await_metric(world, "onsale_redis_breaker_openings_total", 1);
	cr_expect_eq(metric(world, "onsale_redis_up"), 0);
	cr_expect_geq(metric(world, "onsale_redis_breaker_state"), 1);
	redis_process_start(&world->redis);
	await_metric(world, "onsale_redis_up", 1);
	cr_expect_eq(metric(world, "onsale_redis_breaker_state"), 0);
	world_close(world);
}

/* --- the line --- */

Test(metrics, lines_by_event)
{
	enum { PEOPLE = 12 };
	struct world *world = world_open(&(struct world_options){.flags = {"--queue.tick_ms=20"}});

	world_fill(world, PEOPLE, 0,
		&(struct sale_options){.queue = true,
			.capacity = 100,
			.admit_per_second = 4,
			.rows = 2,
			.abandon_after_seconds = 60});
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct call join = call_of(world, "POST",
			textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id));
		join.jwt = world->people.list[i].jwt;
		expect(world, &join, 201, NULL);
	}
	const char *event = textf(world, "event=\"%lld\"", (long long)world->sale.event_id);
	cr_expect_eq(metric(world, "onsale_joins_total"), PEOPLE);
	await_metric(world, textf(world, "onsale_line_admitted_total{%s}", event), PEOPLE);
	cr_expect_eq(metric(world, textf(world, "onsale_line_waiting{%s}", event)), 0);
	cr_expect_eq(metric(world, textf(world, "onsale_line_passes{%s}", event)), PEOPLE);
	cr_expect_eq(metric(world, textf(world, "onsale_seats_available{%s}", event)), 20);
	/* Somebody in it was watched from the first rate on until admitted. */
	cr_expect_geq(metric(world, "onsale_eta_checks_total{result=\"within\"}") +
			      metric(world, "onsale_eta_checks_total{result=\"outside\"}"),
		1);
	cr_expect_eq(metric(world, "onsale_eta_error_seconds_count"),
		metric(world, "onsale_eta_checks_total{result=\"within\"}") +
			metric(world, "onsale_eta_checks_total{result=\"outside\"}"));
	world_close(world);
}

/* What a stream asks in its client's place is no request of his: only its opening is. */
Test(metrics, a_stream_is_one_request)
{
	struct world *world = world_open(&(struct world_options){0});
	struct events events;

	world_fill(world, 1, 0, &(struct sale_options){.queue = true});
	struct call join = call_of(world, "POST",
		textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id));
	struct answer *joined = expect(world, &join, 201, NULL);
	events_open(&events, world_port(world, 0),
		&(struct call){.method = "GET",
			.path = "/v1/queue/events",
			.queue_token = answer_text(joined, "token")},
		0);
	struct answer event = events_until(&events, "status", "admitted");
	answer_clear(&event);
	cr_expect_geq(metric(world, "onsale_stream_events_total"), 1);
	cr_expect_eq(metric(world, "onsale_streams"), 1);
	cr_expect_eq(metric(world, "onsale_requests_total{route=\"/v1/queue/events\","
				   "method=\"GET\",status=\"200\"}"),
		1);
	events_close(&events);
	struct awaited closed = {world, "onsale_streams", 0};
	cr_expect(wait_until(has_fallen, &closed, LIMIT_MS));
	cr_expect_eq(metric(world, "onsale_request_duration_seconds_count{"
				   "route=\"/v1/queue/events\",method=\"GET\"}"),
		1);
	cr_expect_eq(metric(world, "onsale_in_flight"), 1, "but for the one that asks");
	world_close(world);
}

/* --- the loop and the process --- */

static double late(const struct world *world)
{
	return metric(world, "onsale_loop_lag_seconds_bucket{le=\"+Inf\"}") -
	       metric(world, "onsale_loop_lag_seconds_bucket{le=\"0.1\"}");
}

static bool time_has_gone_by(void *context)
{
	return now_ms() >= *(uint64_t *)context;
}

struct stall {
	const struct world *world;
	double least;
};

static bool stall_is_told(void *context)
{
	const struct stall *stall = context;

	return late(stall->world) >= stall->least;
}

/* Stopped for 400 ms, it is late for the fifteen times that a timer was due in the first 300 of them. */
Test(metrics, a_stall_is_many_samples_of_lag)
{
	struct world *world = world_open(&(struct world_options){0});
	pid_t pid = world->instances[0].pid;
	double before = late(world);

	cr_assert(kill(pid, SIGSTOP) == 0);
	uint64_t end_ms = now_ms() + 400;
	cr_expect(wait_until(time_has_gone_by, &end_ms, LIMIT_MS));
	cr_assert(kill(pid, SIGCONT) == 0);
	struct stall stall = {world, before + 13};
	cr_expect(wait_until(stall_is_told, &stall, LIMIT_MS), "%g more samples above 100 ms",
		late(world) - before);
	world_close(world);
}

static unsigned files_of(pid_t pid)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	cr_assert(folder != NULL);
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

Test(metrics, the_process)
{
	struct world *world = world_open(&(struct world_options){0});
	double files = files_of(world->instances[0].pid);
	double now_s = (double)time(NULL);

	/* A connection more, that asks. */
	cr_expect_float_eq(metric(world, "process_open_fds"), files + 1, 1);
	cr_expect_gt(metric(world, "process_resident_memory_bytes"), 1e6);
	cr_expect_gt(metric(world, "process_cpu_seconds_total"), 0);
	cr_expect_float_eq(metric(world, "process_start_time_seconds"), now_s, 30);
	double computed = metric(world, "onsale_loop_computed_seconds_total");
	cr_expect(computed > 0 && computed <= metric(world, "process_cpu_seconds_total"));
	world_close(world);
}

/* --- the audit --- */

static bool anybody_says(void *context)
{
	const struct awaited *awaited = context;

	for (unsigned i = 0; i < 2; i++) {
		struct call call = {.method = "GET", .path = "/metrics"};
		struct answer answer = {0};
		const char *name = textf(
			(struct world *)awaited->world, "\n%s %g\n", awaited->name, awaited->least);

		cr_assert(wire_call(world_port(awaited->world, i), &call, &answer));
		bool said = strstr(answer.body, name) != NULL;
		answer_clear(&answer);
		if (said)
			return true;
	}
	return false;
}

Test(metrics, one_of_the_instances_audits)
{
	static const struct world_options options = {
		.instances = 2, .flags = {"--audit.interval_seconds=1"}};
	struct world *world = world_open(&options);
	struct awaited found = {world, "onsale_audit_findings{kind=\"ledger_imbalance\"}", 0};

	world_fill(world, 1, BALANCE, &(struct sale_options){0});
	cr_expect(wait_until(anybody_says, &found, LIMIT_MS), "no audit");
	database_run(world->db, "UPDATE accounts SET balance = balance + 1 WHERE user_id = "
				"(SELECT max(user_id) FROM accounts)");
	found.least = 1;
	cr_expect(wait_until(anybody_says, &found, LIMIT_MS), "the wrong balance was not found");
	world_close(world);
}
