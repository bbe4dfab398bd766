/* The contract's rows on push: what a stream says is what polling would have said, at once where it matters, and it
 * ends when what it tells of has ended. The pace of polls is slow here: what comes sooner was pushed. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "proto/jwt.h"
#include "tests/support/crowd.h"
#include "tests/support/events.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum {
	LIMIT_MS = 20000,
	AT_ONCE_MS = 5500,
	SILENT_LIMIT_MS = 19500, /* 15 s, and what a busy machine adds; polls come later still */
	NO_MORE_MS = 3000, /* in which a tick would have brought it many times */
	MESSAGE_MAX = 2001
};

/* Polls are told to come after 9 s. */
static const struct world_options slow_pace = {
	.flags = {"--queue.poll_min_ms=9000", "--queue.poll_max_ms=9000", "--queue.tick_ms=20"}};

static const struct world_options quick_pace = {
	.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=300", "--queue.tick_ms=20"}};

TestSuite(contract_push, .timeout = 90);

static const char events_path[] = "/v1/queue/events";

/* A line of one slot. */
static struct world *open_line(const struct world_options *options, unsigned people)
{
	struct world *world = world_open(options);

	world_fill(world, people, 10000, &(struct sale_options){.queue = true, .capacity = 1});
	return world;
}

static const char *join(struct world *world, unsigned person)
{
	struct call call = {.method = "POST",
		.jwt = world->people.list[person].jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};

	return answer_text(world_call(world, &call), "token");
}

static void leave(struct world *world, const char *token)
{
	struct call call = {.method = "DELETE", .path = "/v1/queue", .queue_token = token};

	expect(world, &call, 204, NULL);
}

static void open_place(struct world *world, struct events *events, const char *token)
{
	struct call call = {.method = "GET", .path = events_path, .queue_token = token};

	events_open(events, world_port(world, 0), &call, 0);
}

/* A stream whose first event has come. */
static void watch(struct world *world, struct events *events, const char *token)
{
	open_place(world, events, token);
	struct answer first = events_expect(events);
	answer_clear(&first);
}

/* Somebody who is admitted, so that everybody else waits. */
struct admitted {
	const char *token, *pass;
};

static struct admitted fill_slot(struct world *world, unsigned person)
{
	struct events events;

	open_place(world, &events, join(world, person));
	struct answer event = events_until(&events, "status", "admitted");
	struct admitted admitted = {textf(world, "%s", answer_text(&event, "token")),
		textf(world, "%s", answer_text(&event, "pass"))};
	answer_clear(&event);
	events_close(&events);
	return admitted;
}

static double metric(struct world *world, const char *name)
{
	return instance_metric(&world->instances[0], name);
}

struct wanted {
	struct world *world;
	const char *name;
	double value;
};

static bool metric_is(void *context)
{
	const struct wanted *wanted = context;

	return metric(wanted->world, wanted->name) == wanted->value;
}

static void wait_for_metric(struct world *world, const char *name, double value)
{
	struct wanted wanted = {world, name, value};

	cr_assert(
		wait_until(metric_is, &wanted, LIMIT_MS), "%s stays %g", name, metric(world, name));
}

/* --- what is said --- */

static void check_same(struct answer *event, struct answer *polled)
{
	static const char *const members[] = {"event_id", "status", "position", "ahead", "waiting",
		"seats_available", "paused", "message"};
	const json_t *said = answer_json(event), *poll = answer_json(polled);
	const char *name;
	json_t *value;

	cr_assert_eq(json_object_size(said), json_object_size(poll), "%s\n%s", event->body,
		polled->body);
	json_object_foreach((json_t *)poll, name, value)
		cr_assert(json_object_get(said, name) != NULL, "no %s: %s", name, event->body);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		cr_assert(json_equal(json_object_get(said, members[i]),
				  json_object_get(poll, members[i])),
			"%s: %s\n%s", members[i], event->body, polled->body);
}

Test(contract_push, it_says_what_polling_says)
{
	struct world *world = open_line(&quick_pace, 2);
	fill_slot(world, 0);
	const char *token = join(world, 1);
	const struct call calls[] = {{.method = "GET", .path = events_path, .queue_token = token},
		{.method = "GET", .path = textf(world, "%s?token=%s", events_path, token)},
		{.method = "GET",
			.path = textf(world, "%s?token=forged", events_path),
			.queue_token = token}};
	struct call poll = {.method = "GET", .path = "/v1/queue", .queue_token = token};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct events events;
		events_open(&events, world_port(world, 0), &calls[i], 0);
		for (int n = 0; n < 3; n++) {
			struct answer event = events_expect(&events);
			check_same(&event, expect(world, &poll, 200, NULL));
			answer_clear(&event);
		}
		cr_assert(events.chunked && events.retry_ms >= 1000 && events.retry_ms < 5000);
		cr_assert(answer_header_is(&events.head, "connection", "close"));
		events_close(&events);
	}
	world_close(world);
}

Test(contract_push, refusals)
{
	struct world *world = open_line(&quick_pace, 2);
	const char *token = join(world, 0), *jwt = world->admins.list[0].jwt;
	const char *live = textf(
		world, "/v1/admin/events/%lld/live", (long long)world->sale.event_id);

	expect(world, &(struct call){.method = "GET", .path = events_path}, 401,
		"invalid_queue_token");
	expect(world, &(struct call){.method = "GET", .path = events_path, .queue_token = "forged"},
		401, "invalid_queue_token");
	expect(world,
		&(struct call){
			.method = "GET", .path = textf(world, "%s?token=%s", events_path, jwt)},
		401, "invalid_queue_token");
	expect(world, &(struct call){.method = "POST", .path = events_path, .queue_token = token},
		405, "method_not_allowed");
	expect(world, &(struct call){.method = "GET", .path = live}, 401, "unauthorized");
	expect(world,
		&(struct call){.method = "GET", .path = live, .jwt = world->people.list[0].jwt},
		403, "forbidden");
	expect(world,
		&(struct call){.method = "GET", .path = "/v1/admin/events/999999/live", .jwt = jwt},
		404, "event_not_found");
	const struct call heads[] = {{.method = "HEAD", .path = events_path, .queue_token = token},
		{.method = "HEAD", .path = live, .jwt = jwt}};
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct answer *head = expect(world, &heads[i], 200, NULL);
		cr_assert(answer_header_is(head, "content-type", "text/event-stream") &&
			  answer_header_is(head, "cache-control", "no-store"));
	}
	leave(world, token);
	expect(world, &(struct call){.method = "GET", .path = events_path, .queue_token = token},
		410, "place_expired");
	cr_assert_eq(metric(world, "onsale_streams"), 0);
	world_close(world);
}

/* --- at once --- */

static uint64_t begun_ms;

static struct answer at_once(struct events *events, const char *member, const char *value)
{
	struct answer event = events_until(events, member, value);

	cr_assert(now_ms() - begun_ms < AT_ONCE_MS, "after %d ms", (int)(now_ms() - begun_ms));
	return event;
}

Test(contract_push, an_admission_is_pushed)
{
	struct world *world = open_line(&slow_pace, 3);
	const char *first = fill_slot(world, 0).token;
	struct events second, third;

	watch(world, &second, join(world, 1));
	watch(world, &third, join(world, 2));
	begun_ms = now_ms();
	leave(world, first);
	struct answer admitted = at_once(&second, "status", "admitted");
	cr_assert(answer_text(&admitted, "pass")[0] != '\0' &&
		  answer_int(&admitted, "expires_in") > 0);
	begun_ms = now_ms();
	leave(world, answer_text(&admitted, "token"));
	answer_clear(&admitted);
	admitted = at_once(&third, "status", "admitted");
	answer_clear(&admitted);
	events_expect_end(&second, "place_expired");
	events_close(&second);
	events_close(&third);
	world_close(world);
}

/* No picture shows them yet. */
Test(contract_push, whoever_has_just_come_is_admitted_at_once)
{
	struct world *world = world_open(&slow_pace);
	struct events events;

	world_fill(world, 20, 0,
		&(struct sale_options){.queue = true, .capacity = 20, .seats_per_row = 20});
	for (unsigned i = 0; i < 20; i++) {
		begun_ms = now_ms();
		open_place(world, &events, join(world, i));
		struct answer admitted = at_once(&events, "status", "admitted");
		answer_clear(&admitted);
		events_close(&events);
	}
	world_close(world);
}

static void buy(struct world *world, unsigned person, const char *pass)
{
	struct call hold = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.pass = pass,
		.key = "hold",
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};
	int64_t id = answer_int(expect(world, &hold, 201, NULL), "id");
	struct call pay = {.method = "POST",
		.jwt = hold.jwt,
		.key = "pay",
		.body = "{}",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};

	expect(world, &pay, 201, NULL);
}

Test(contract_push, what_changes_for_a_line_is_pushed)
{
	struct world *world = world_open(&slow_pace);
	struct events events;

	world_fill(world, 2, 10000,
		&(struct sale_options){.queue = true, .capacity = 1, .seats_per_row = 1});
	struct admitted first = fill_slot(world, 0);
	watch(world, &events, join(world, 1));
	begun_ms = now_ms();
	world_set_line(world, "{\"message\":\"The doors jam\"}");
	struct answer event = at_once(&events, "message", "The doors jam");
	cr_assert(answer_is(&event, "status", "waiting"));
	answer_clear(&event);
	world_set_line(world, "{\"paused\":true,\"message\":\"A rest\"}");
	event = at_once(&events, "message", "A rest");
	cr_assert(json_is_true(json_object_get(answer_json(&event), "paused")));
	answer_clear(&event);
	begun_ms = now_ms();
	buy(world, 0, first.pass);
	event = at_once(&events, "status", "sold_out");
	cr_assert(answer_int(&event, "seats_available") == 0);
	answer_clear(&event);
	events_close(&events);
	world_close(world);
}

Test(contract_push, the_opening_is_pushed)
{
	struct world *world = world_open(&slow_pace);
	struct events events;

	world_fill(world, 1, 0,
		&(struct sale_options){.queue = true, .sale_opens_at = SALE_OPENS_FAR_AHEAD});
	open_place(world, &events, join(world, 0));
	struct answer event = events_expect(&events);
	cr_assert(answer_is(&event, "status", "prequeue"), "%s", event.body);
	answer_clear(&event);
	begun_ms = now_ms();
	sale_opens_in(world, 1000);
	event = at_once(&events, "status", "admitted");
	cr_assert(now_ms() - begun_ms >= 900, "too early");
	answer_clear(&event);
	events_close(&events);
	world_close(world);
}

/* Requests that were answered, of all routes. */
static double answered(struct world *world)
{
	static const char name[] = "onsale_requests_total{";
	struct call call = {.method = "GET", .path = "/metrics"};
	const char *line = expect(world, &call, 200, NULL)->body;
	double sum = 0;

	for (; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, sizeof name - 1) == 0)
			sum += strtod(strstr(line, "} ") + 2, NULL);
	}
	cr_assert(sum > 0);
	return sum;
}

/* Thousands wait, none of them polls, and the doors open. */
Test(contract_push, each_of_many_is_told)
{
	enum { MANY = 2000, MANY_LIMIT_MS = 10000 };
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=30000", "--queue.poll_max_ms=30000"}});
	struct crowd *crowd = crowd_new();
	struct events *all = calloc(MANY, sizeof *all);
	struct rlimit files;

	cr_assert(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	world_fill(world, MANY, 0,
		&(struct sale_options){.queue = true,
			.capacity = MANY,
			.admit_per_second = MANY,
			.abandon_after_seconds = 100,
			.seats_per_row = 100,
			.rows = 20});
	world_set_line(world, "{\"paused\":true}");
	for (unsigned i = 0; i < MANY; i++)
		crowd_add(crowd, &world->instances[0],
			&(struct call){.method = "POST",
				.jwt = world->people.list[i].jwt,
				.path = textf(world, "/v1/events/%lld/queue",
					(long long)world->sale.event_id)});
	crowd_run(crowd, 2 * LIMIT_MS);
	for (unsigned i = 0; i < MANY; i++)
		watch(world, &all[i], answer_text(crowd_answer(crowd, i), "token"));
	cr_assert_eq(metric(world, "onsale_streams"), MANY);
	double requests = answered(world);
	begun_ms = now_ms();
	world_set_line(world, "{\"paused\":false}");
	for (unsigned i = 0; i < MANY; i++) {
		struct answer admitted = events_until(&all[i], "status", "admitted");
		answer_clear(&admitted);
	}
	cr_assert(now_ms() - begun_ms < MANY_LIMIT_MS, "%d ms", (int)(now_ms() - begun_ms));
	cr_assert_eq(answered(world), requests + 2, "somebody asked");
	for (unsigned i = 0; i < MANY; i++)
		events_close(&all[i]);
	wait_for_metric(world, "onsale_streams", 0);
	free(all);
	crowd_free(crowd);
	world_close(world);
}

/* --- whose place it is --- */

static int64_t stat(struct world *world, const char *name)
{
	struct call call = {.method = "GET",
		.jwt = world->admins.list[0].jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id)};

	return answer_int(expect(world, &call, 200, NULL), name);
}

static bool one_is_abandoned(void *context)
{
	return stat(context, "abandoned") == 1;
}

/* Of two who wait, one has a stream: the other is dropped, he is not, for as long as it is open. */
Test(contract_push, a_stream_keeps_the_place)
{
	struct world *world = world_open(&quick_pace);
	struct events events;

	world_fill(world, 3, 0,
		&(struct sale_options){.queue = true, .capacity = 1, .abandon_after_seconds = 2});
	fill_slot(world, 0);
	join(world, 1);
	watch(world, &events, join(world, 2));
	cr_assert(wait_until(one_is_abandoned, world, LIMIT_MS));
	struct answer event = events_until(&events, "status", "waiting");
	for (uint64_t end_ms = now_ms() + 3000; now_ms() < end_ms; event = events_expect(&events))
		answer_clear(&event);
	cr_assert(answer_is(&event, "status", "waiting") && answer_int(&event, "position") == 1);
	cr_assert_eq(stat(world, "abandoned"), 1);
	answer_clear(&event);
	events_close(&events);
	wait_for_metric(world, "onsale_streams", 0);
	wait_for_metric(world, "onsale_connections", 1);
	wait_for_metric(world, "onsale_in_flight", 1);
	world_close(world);
}

static bool nobody_waits(void *context)
{
	return stat(context, "waiting") == 0;
}

Test(contract_push, without_its_stream_a_place_is_dropped)
{
	struct world *world = world_open(&quick_pace);
	struct events events;

	world_fill(world, 2, 0,
		&(struct sale_options){.queue = true, .capacity = 1, .abandon_after_seconds = 1});
	fill_slot(world, 0);
	watch(world, &events, join(world, 1));
	events_reset(&events);
	wait_for_metric(world, "onsale_streams", 0);
	cr_assert(wait_until(nobody_waits, world, LIMIT_MS));
	world_close(world);
}

/* --- slow readers, and too many --- */

/* As long as a message can be, and different each time. */
static const char *long_message(struct world *world, unsigned n)
{
	char text[MESSAGE_MAX] = "";

	for (int i = 0; i < 490; i++)
		strcat(text, "\xe2\x98\x83");
	return textf(world, "%s %u", text, n);
}

static bool has_pushed(void *context)
{
	const struct wanted *wanted = context;

	return metric(wanted->world, wanted->name) > wanted->value;
}

/* The message is changed until no more of it is sent; the last one, and how many there were. */
static const char *fill_stream(struct world *world, unsigned *changes)
{
	struct wanted more = {world, "onsale_stream_events_total", 0};
	const char *message;

	*changes = 0;
	do {
		more.value = metric(world, more.name);
		message = long_message(world, ++*changes);
		world_set_line(world, textf(world, "{\"message\":\"%s\"}", message));
		cr_assert(*changes < 200, "it sends and sends");
	} while (wait_until(has_pushed, &more, NO_MORE_MS));
	for (int i = 0; i < 10; i++) {
		message = long_message(world, ++*changes);
		world_set_line(world, textf(world, "{\"message\":\"%s\"}", message));
	}
	return message;
}

/* What was not begun to be sent gives way to what is newer: whoever reads again gets the newest, and few others. */
Test(contract_push, a_slow_reader_skips)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=5000", "--queue.poll_max_ms=6000",
			"--queue.tick_ms=20", "--http.write_timeout_ms=60000"}});
	struct events events;

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 1});
	fill_slot(world, 0);
	const char *token = join(world, 1);
	struct call call = {.method = "GET", .path = events_path, .queue_token = token};
	events_open(&events, world_port(world, 0), &call, 4096);
	unsigned changes, read = 0;
	const char *last = fill_stream(world, &changes);
	struct answer event = {0};
	do {
		answer_clear(&event);
		event = events_expect(&events);
		read++;
	} while (!answer_is(&event, "message", last));
	cr_assert(read + 8 < changes, "%u of %u messages came", read, changes);
	answer_clear(&event);
	cr_assert_eq(metric(world, "onsale_streams"), 1);
	cr_assert_eq(metric(world, "onsale_streams_cut_total"), 0);
	events_close(&events);
	world_close(world);
}

Test(contract_push, whoever_never_reads_is_cut)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=5000", "--queue.poll_max_ms=6000",
			"--queue.tick_ms=20", "--http.write_timeout_ms=1000"}});
	struct events events;
	unsigned changes;

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 1});
	fill_slot(world, 0);
	struct call call = {.method = "GET", .path = events_path, .queue_token = join(world, 1)};
	events_open(&events, world_port(world, 0), &call, 4096);
	fill_stream(world, &changes);
	wait_for_metric(world, "onsale_streams_cut_total", 1);
	wait_for_metric(world, "onsale_streams", 0);
	events_close(&events);
	world_close(world);
}

/* Connections are left for those who hold and pay. */
Test(contract_push, streams_leave_some_connections)
{
	enum { CONNECTIONS = 16, STREAMS = 12 };
	struct world *world = world_open(
		&(struct world_options){.flags = {"--http.connections_max=16"}});
	struct events all[STREAMS], live;

	world_fill(world, 2, 0, &(struct sale_options){.queue = true, .capacity = 1});
	const char *token = join(world, 0);
	struct call call = {.method = "GET", .path = events_path, .queue_token = token};
	for (int i = 0; i < STREAMS; i++)
		watch(world, &all[i], token);
	expect(world, &call, 503, "busy");
	struct call watch_it = {.method = "GET",
		.jwt = world->admins.list[0].jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/live", (long long)world->sale.event_id)};
	events_open(&live, world_port(world, 0), &watch_it, 0);
	events_close(&live);
	events_close(&all[0]);
	wait_for_metric(world, "onsale_streams", STREAMS - 1);
	watch(world, &all[0], token);
	for (int i = 0; i < STREAMS; i++)
		events_close(&all[i]);
	world_close(world);
}

/* Whatever the pace: what is silent is cut on its way. */
Test(contract_push, no_stream_is_silent_for_long)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=60000", "--queue.poll_max_ms=60000"}});
	struct events events;

	world_fill(world, 2, 0,
		&(struct sale_options){.queue = true, .capacity = 1, .abandon_after_seconds = 200});
	join(world, 0);
	world_set_line(world, "{\"paused\":true}");
	watch(world, &events, join(world, 1));
	uint64_t begun = now_ms();
	struct answer event = events_expect(&events);
	cr_assert(now_ms() - begun < SILENT_LIMIT_MS, "%d ms", (int)(now_ms() - begun));
	cr_assert(answer_int(&event, "poll_after_ms") == 60000);
	answer_clear(&event);
	events_close(&events);
	world_close(world);
}

/* Requests that stay in work, as many as leave no room for polls: payments come first. */
static void crowd_out(struct world *world, struct wire *wires, unsigned count)
{
	PQclear(PQexec(world->db, "BEGIN"));
	PQclear(PQexec(world->db, "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"));
	for (unsigned i = 0; i < count; i++) {
		struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
		call_write(&(struct call){.method = "POST",
				   .path = "/v1/me/balance/charges",
				   .jwt = world->people.list[0].jwt,
				   .key = textf(world, "charge-%u", i),
				   .body = "{\"amount\":1}"},
			&bytes);
		wire_open(&wires[i], world_port(world, 0), 0);
		cr_assert(wire_send(&wires[i], bytes.data, bytes.len));
		buf_free(&bytes);
	}
	wait_for_metric(world, "onsale_in_flight", count + 1);
}

/* A stream's questions are shed as polls are; the stream stays, is heard of, and goes on afterwards. */
Test(contract_push, where_there_is_too_much_to_do_streams_wait)
{
	enum { CHARGES = 12 }; /* three quarters of the limit */
	struct world *world = world_open(&(struct world_options){
		.flags = {"--queue.poll_min_ms=50", "--queue.poll_max_ms=300",
			"--http.in_flight_max=16", "--db.backlog_max_ms=60000",
			"--db.deadline_ms=60000", "--db.lock_timeout_ms=60000",
			"--db.statement_timeout_ms=60000", "--db.batch_lock_timeout_ms=10000",
			"--lock.locking_ms=120000"}});
	struct wire wires[CHARGES];
	struct events events;
	struct answer event = {0};
	const char *name;

	world_fill(world, 2, 1000, &(struct sale_options){.queue = true, .capacity = 1});
	fill_slot(world, 0);
	watch(world, &events, join(world, 1));
	crowd_out(world, wires, CHARGES);
	uint64_t begun = now_ms();
	while (events.comments == 0) {
		cr_assert(now_ms() - begun < SILENT_LIMIT_MS);
		if (events_next(&events, &event, &name, 200) == EVENTS_EVENT)
			begun = now_ms();
		answer_clear(&event);
	}
	PQclear(PQexec(world->db, "ROLLBACK"));
	event = events_expect(&events);
	cr_assert(answer_is(&event, "status", "waiting"));
	answer_clear(&event);
	for (unsigned i = 0; i < CHARGES; i++)
		wire_close(&wires[i]);
	events_close(&events);
	world_close(world);
}

/* --- the server goes, or what it needs --- */

Test(contract_push, a_drain_ends_streams_in_good_order)
{
	struct world *world = open_line(&quick_pace, 2);
	struct events first, second, live;
	struct answer event = {0};
	const char *name;

	watch(world, &first, join(world, 0));
	watch(world, &second, join(world, 1));
	struct call call = {.method = "GET",
		.jwt = world->admins.list[0].jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/live", (long long)world->sale.event_id)};
	events_open(&live, world_port(world, 0), &call, 0);
	cr_assert(kill(world->instances[0].pid, SIGTERM) == 0);
	struct events *all[] = {&first, &second, &live};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		enum events_result result = EVENTS_EVENT;
		while (result == EVENTS_EVENT) {
			result = events_next(all[i], &event, &name, LIMIT_MS);
			answer_clear(&event);
		}
		cr_assert_eq(result, EVENTS_END);
		events_close(all[i]);
	}
	instance_stop(&world->instances[0]);
	world_close(world);
}

/* Nobody is told that he has lost anything; whoever was admitted is told so on. */
Test(contract_push, without_redis_it_is_stale)
{
	struct world *world = open_line(&quick_pace, 2);
	struct events admitted, waiting;

	open_place(world, &admitted, join(world, 0));
	struct answer event = events_until(&admitted, "status", "admitted");
	answer_clear(&event);
	watch(world, &waiting, join(world, 1));
	redis_process_stop(&world->redis);
	do {
		answer_clear(&event);
		event = events_expect(&waiting);
		cr_assert(answer_is(&event, "status", "waiting"), "%s", event.body);
	} while (!json_is_true(json_object_get(answer_json(&event), "stale")));
	cr_assert(json_is_null(json_object_get(answer_json(&event), "position")));
	do {
		answer_clear(&event);
		event = events_expect(&admitted);
		cr_assert(answer_is(&event, "status", "admitted"), "%s", event.body);
	} while (json_object_get(answer_json(&event), "stale") == NULL);
	cr_assert(answer_text(&event, "pass")[0] != '\0');
	redis_process_start(&world->redis);
	do {
		answer_clear(&event);
		event = events_expect(&waiting);
	} while (json_object_get(answer_json(&event), "stale") != NULL);
	cr_assert(answer_int(&event, "position") == 1);
	answer_clear(&event);
	events_close(&admitted);
	events_close(&waiting);
	world_close(world);
}

static bool is_back(struct answer *event, unsigned person)
{
	return answer_is(event, "status", person == 0 ? "admitted" : "waiting") &&
	       json_integer_value(json_object_get(answer_json(event), "position")) == person;
}

/* The first few events may be of before. */
static void expect_back(struct events *events, unsigned person)
{
	enum { OF_BEFORE = 15 };
	uint64_t end_ms = now_ms() + LIMIT_MS;
	struct answer event = {0};

	for (int n = 0; n < OF_BEFORE || !is_back(&event, person); n++) {
		cr_assert(now_ms() < end_ms, "%u: %s", person, event.body);
		answer_clear(&event);
		event = events_expect(events);
	}
	answer_clear(&event);
}

/* Streams have what brings a lost line back: numbers, and the pass. */
Test(contract_push, a_line_that_redis_lost_comes_back_by_its_streams)
{
	enum { PEOPLE = 4 };
	struct world *world = open_line(&quick_pace, PEOPLE);
	struct events all[PEOPLE];

	for (unsigned i = 0; i < PEOPLE; i++) {
		open_place(world, &all[i], join(world, i));
		struct answer event = events_until(
			&all[i], "status", i == 0 ? "admitted" : "waiting");
		answer_clear(&event);
	}
	redisContext *redis = redis_process_connect(&world->redis);
	freeReplyObject(redisCommand(redis, "FLUSHALL"));
	redisFree(redis);
	for (unsigned i = 0; i < PEOPLE; i++)
		expect_back(&all[i], i);
	for (unsigned i = 0; i < PEOPLE; i++)
		events_close(&all[i]);
	world_close(world);
}

/* --- an event as it sells --- */

static void open_live(
	struct world *world, unsigned instance, struct events *events, const char *jwt)
{
	struct call call = {.method = "GET",
		.jwt = jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/live", (long long)world->sale.event_id)};

	events_open(events, world_port(world, instance), &call, 0);
}

Test(contract_push, live_says_what_stats_say)
{
	struct world *world = open_line(&quick_pace, 2);
	struct admitted first = fill_slot(world, 0);
	struct events events;

	buy(world, 0, first.pass);
	stat(world, "sold");
	struct call call = {.method = "GET",
		.jwt = world->admins.list[0].jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id)};
	uint64_t begun = now_ms();
	open_live(world, 0, &events, call.jwt);
	for (int i = 0; i < 3; i++) {
		struct answer event = events_expect(&events);
		const json_t *polled = answer_json(expect(world, &call, 200, NULL));
		const char *name;
		json_t *value;
		cr_assert_eq(json_object_size(answer_json(&event)), json_object_size(polled));
		json_object_foreach((json_t *)polled, name, value)
			cr_assert(json_object_get(answer_json(&event), name) != NULL, "%s", name);
		cr_assert(answer_int(&event, "sold") == 1 &&
			  answer_int(&event, "revenue") == world->sale.price);
		answer_clear(&event);
	}
	uint64_t took_ms = now_ms() - begun;
	cr_assert(took_ms > 1500 && took_ms < 8000, "three events in %d ms", (int)took_ms);
	events_close(&events);
	wait_for_metric(world, "onsale_streams", 0);
	world_close(world);
}

/* On every instance. */
Test(contract_push, logging_out_ends_live_streams)
{
	struct world *world = world_open(&(struct world_options){.instances = 2});
	struct events here, there;
	struct call out = {.method = "DELETE", .path = "/v1/sessions/current"};

	world_fill(world, 0, 0, &(struct sale_options){0});
	out.jwt = world->admins.list[0].jwt;
	open_live(world, 0, &here, out.jwt);
	open_live(world, 1, &there, out.jwt);
	uint64_t begun = now_ms();
	expect(world, &out, 204, NULL);
	events_expect_end(&here, "unauthorized");
	cr_assert(now_ms() - begun < 2000, "%d ms here", (int)(now_ms() - begun));
	events_expect_end(&there, "unauthorized");
	cr_assert(now_ms() - begun < 4000, "%d ms there", (int)(now_ms() - begun));
	events_close(&here);
	events_close(&there);
	world_close(world);
}

Test(contract_push, an_expired_token_ends_live_streams)
{
	static const char secret[] = "only-the-tests-sign-tokens-with-this-secret";
	struct access_token_key *key = access_token_key_new(&(struct access_token_settings){
		.key_id = "1", .secret = secret, .issuer = "onsale", .audience = "onsale"});
	struct world *world = world_open(NULL);
	struct access_token token = {.admin = true};
	char text[ACCESS_TOKEN_TEXT_SIZE];
	struct events events;

	world_fill(world, 0, 0, &(struct sale_options){0});
	token.user_id = world->admins.list[0].id;
	token.expires_unix_s = time(NULL) + 3;
	access_token_sign(key, &token, time(NULL), text);
	open_live(world, 0, &events, text);
	events_expect_end(&events, "unauthorized");
	cr_assert(time(NULL) <= token.expires_unix_s + 2);
	access_token_key_free(key);
	events_close(&events);
	world_close(world);
}
