/* The server's log: which requests have a line, and what it says; that it goes to its file, which a rotation
 * replaces; and that nobody waits for whoever reads it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/base/clock.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"

enum { BALANCE = 5000, LIMIT_MS = 20000, READ_SIZE = 64 * 1024 };

TestSuite(log, .timeout = 90);

static const struct world_options each = {
	.flags = {"--log.poll_sample=1", "--http.trusted_proxies=127.0.0.0/8"}};

/* --- lines --- */

struct wanted {
	const struct instance *instance;
	char text[96], *line;
};

static bool is_there(void *context)
{
	struct wanted *wanted = context;

	wanted->line = instance_log_line(wanted->instance, wanted->text);
	return wanted->line != NULL;
}

/* The line of the request with this id, once it is there. */
static json_t *line_of(struct world *world, const char *id)
{
	struct wanted wanted = {.instance = &world->instances[0]};

	snprintf(wanted.text, sizeof wanted.text, "\"request_id\":\"%s\"", id);
	cr_assert(wait_until(is_there, &wanted, LIMIT_MS), "no line of %s", id);
	json_t *line = json_loads(wanted.line, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(line != NULL, "%s", wanted.line);
	free(wanted.line);
	return line;
}

static json_int_t number(const json_t *line, const char *name)
{
	const json_t *value = json_object_get(line, name);

	cr_assert(json_is_integer(value), "%s", name);
	return json_integer_value(value);
}

static void check_text(const json_t *line, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(line, name));

	if (wanted == NULL)
		cr_assert(text == NULL, "%s: %s", name, text);
	else
		cr_assert(text != NULL && strcmp(text, wanted) == 0, "%s: %s", name,
			text != NULL ? text : "none");
}

struct said {
	const char *id, *method, *route;
	int status;
	const char *problem, *remote; /* NULL: none; 127.0.0.1 */
	int64_t user_id; /* 0: not known */
	bool traced, replayed, stores;
};

static void check_line(struct world *world, const struct said *said)
{
	json_t *line = line_of(world, said->id);
	const char *time = json_string_value(json_object_get(line, "time"));
	json_int_t stores_us = number(line, "redis_us") + number(line, "postgresql_us");
	int64_t unix_ms;

	cr_assert(time != NULL && clock_parse(time, &unix_ms));
	check_text(line, "level", said->status > 500 ? "warn" : "info");
	check_text(line, "method", said->method);
	check_text(line, "route", said->route);
	cr_assert_eq(number(line, "status"), said->status, "%s", said->id);
	check_text(line, "problem", said->problem);
	check_text(line, "remote", said->remote != NULL ? said->remote : "127.0.0.1");
	check_text(line, "trace_id", said->traced ? TRACE_ID : NULL);
	check_text(line, "span_id", said->traced ? SPAN_ID : NULL);
	cr_assert_eq(json_is_true(json_object_get(line, "replayed")), said->replayed);
	cr_assert(json_object_get(line, "client_gone") == NULL);
	if (said->user_id != 0)
		cr_assert_eq(number(line, "user_id"), said->user_id);
	else
		cr_assert(json_object_get(line, "user_id") == NULL);
	cr_assert_eq(number(line, "us"),
		stores_us + number(line, "parse_us") + number(line, "reply_us"), "%s", said->id);
	cr_assert(!said->stores || stores_us > 0, "%s waited for no store", said->id);
	json_decref(line);
}

static const char *id_header(struct world *world, const char *id)
{
	return textf(world, "X-Request-Id: %s\r\n", id);
}

/* A hold, the same again, and one that comes too late. */
static void hold_and_repeat(struct world *world)
{
	const struct person *ann = &world->people.list[0], *ben = &world->people.list[1];
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = ann->jwt,
		.key = "a",
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1),
		.headers = "X-Request-Id: hold-1\r\n"
			   "Traceparent: 00-" TRACE_ID "-" SPAN_ID "-01\r\n"
			   "X-Forwarded-For: 198.51.100.7\r\n"};

	expect(world, &call, 201, NULL);
	call.headers = "X-Request-Id: hold-2\r\nTraceparent: 00-" TRACE_ID "-" SPAN_ID "-1\r\n";
	expect(world, &call, 201, NULL);
	call.jwt = ben->jwt;
	call.headers = id_header(world, "hold-3");
	expect(world, &call, 409, "seat_unavailable");
	check_line(world, &(struct said){.id = "hold-1",
				  .method = "POST",
				  .route = "/v1/reservations",
				  .status = 201,
				  .remote = "198.51.100.7",
				  .user_id = ann->id,
				  .traced = true,
				  .stores = true});
	check_line(world, &(struct said){.id = "hold-2",
				  .method = "POST",
				  .route = "/v1/reservations",
				  .status = 201,
				  .user_id = ann->id,
				  .replayed = true,
				  .stores = true});
	check_line(world, &(struct said){.id = "hold-3",
				  .method = "POST",
				  .route = "/v1/reservations",
				  .status = 409,
				  .problem = "seat_unavailable",
				  .user_id = ben->id,
				  .stores = true});
}

/* What is refused before any flow begins. */
static void ask_wrongly(struct world *world)
{
	struct call call = {.method = "GET",
		.path = "/v1/no/such/path?token=a",
		.headers = id_header(world, "wrong-1")};

	expect(world, &call, 404, "not_found");
	call = (struct call){
		.method = "PUT", .path = "/v1/me", .headers = id_header(world, "wrong-2")};
	expect(world, &call, 405, "method_not_allowed");
	call = (struct call){
		.method = "GET", .path = "/v1/me", .headers = id_header(world, "wrong-3")};
	expect(world, &call, 401, "unauthorized");
	check_line(world, &(struct said){.id = "wrong-1",
				  .method = "GET",
				  .route = "unknown",
				  .status = 404,
				  .problem = "not_found"});
	check_line(world, &(struct said){.id = "wrong-2",
				  .method = "PUT",
				  .route = "unknown",
				  .status = 405,
				  .problem = "method_not_allowed"});
	check_line(world, &(struct said){.id = "wrong-3",
				  .method = "GET",
				  .route = "/v1/me",
				  .status = 401,
				  .problem = "unauthorized"});
}

/* The page's files are told apart from what is nothing at all. */
static void look_at_page(struct world *world)
{
	struct call call = {.method = "GET", .path = "/", .headers = id_header(world, "page-1")};

	expect(world, &call, 200, NULL);
	check_line(world,
		&(struct said){.id = "page-1", .method = "GET", .route = "file", .status = 200});
}

/* Bytes that are no HTTP; the id came before them. */
static void send_nonsense(struct world *world)
{
	struct answer answer = {0};
	struct wire wire;

	wire_open(&wire, world_port(world, 0), 0);
	cr_assert(wire_send_text(
		&wire, "GET /v1/events HTTP/1.1\r\nX-Request-Id: bad-1\r\nno header\r\n\r\n"));
	cr_assert(wire_answer(&wire, &answer, false, LIMIT_MS) == WIRE_ANSWER);
	cr_assert_eq(answer.status, 400);
	char id[64];
	cr_assert(answer_header(&answer, "X-Request-Id", id, sizeof id));
	check_line(world, &(struct said){.id = id,
				  .method = "invalid",
				  .route = "invalid",
				  .status = 400,
				  .problem = "bad_request"});
	answer_clear(&answer);
	wire_close(&wire);
}

Test(log, a_line_says_what_became_of_a_request)
{
	struct world *world = world_open(&each);

	world_fill(world, 2, BALANCE, &(struct sale_options){.queue = false});
	hold_and_repeat(world);
	ask_wrongly(world);
	look_at_page(world);
	send_nonsense(world);
	world_close(world);
}

static bool waits_for_a_row(void *context)
{
	const struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
		       " AND wait_event_type = 'Lock'",
		       0, NULL) > 0;
}

static bool client_is_gone(void *context)
{
	return instance_metric(context, "onsale_clients_gone_total") == 1;
}

/* Nobody is there any more to be answered: what was done still has its line. */
Test(log, a_line_outlives_its_client)
{
	struct world *world = world_open(&each);
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct wire wire;

	world_fill(world, 1, 0, &(struct sale_options){.queue = false});
	PGconn *locker = database_connect(world->database_url);
	database_run(locker, "BEGIN; SELECT FROM accounts FOR UPDATE");
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[0].jwt,
		.key = "a",
		.body = "{\"amount\":1}",
		.headers = "X-Request-Id: gone-1\r\n"};
	call_write(&call, &bytes);
	wire_open(&wire, world_port(world, 0), 0);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	cr_assert(wait_until(waits_for_a_row, world, LIMIT_MS));
	wire_reset(&wire);
	cr_assert(wait_until(client_is_gone, &world->instances[0], LIMIT_MS));
	database_run(locker, "COMMIT");
	PQfinish(locker);
	json_t *line = line_of(world, "gone-1");
	cr_expect(json_is_true(json_object_get(line, "client_gone")));
	cr_expect_eq(number(line, "status"), 201);
	check_text(line, "method", "POST");
	check_text(line, "route", "/v1/me/balance/charges");
	cr_expect(json_object_get(line, "remote") == NULL);
	json_decref(line);
	buf_free(&bytes);
	world_close(world);
}

/* --- which of them --- */

static unsigned lines_with(const struct instance *instance, const char *text)
{
	FILE *log = fopen(instance->log_path, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned lines = 0;

	cr_assert(log != NULL);
	while (getline(&line, &size, log) > 0)
		lines += strstr(line, text) != NULL;
	free(line);
	fclose(log);
	return lines;
}

/* Lines come in the order of the requests' ends: what is there when this one is has all that came before. */
static void mark(struct world *world, const char *id)
{
	struct call call = {.method = "GET", .path = "/v1/me", .headers = id_header(world, id)};

	expect(world, &call, 401, "unauthorized");
	json_decref(line_of(world, id));
}

static void read_often(struct world *world, unsigned times)
{
	struct call good = {.method = "GET",
		.path = textf(world, "/v1/events/%lld", (long long)world->sale.event_id)};
	struct call bad = {.method = "GET", .path = "/v1/events/987654321"};

	for (unsigned i = 0; i < times; i++) {
		expect(world, &good, 200, NULL);
		expect(world, &bad, 404, "event_not_found");
	}
}

static unsigned sampled(const char *flag, unsigned *refused)
{
	struct world *world = world_open(&(struct world_options){.flags = {flag}});

	world_fill(world, 1, BALANCE, &(struct sale_options){.queue = false});
	mark(world, "before");
	unsigned before = lines_with(&world->instances[0], "\"status\":200");
	read_often(world, 40);
	mark(world, "after");
	*refused = lines_with(&world->instances[0],
		"\"route\":\"/v1/events/{}\",\"status\":404,\"problem\":\"event_not_found\"");
	unsigned after = lines_with(&world->instances[0], "\"status\":200");
	world_close(world);
	return after - before;
}

Test(log, of_reads_some_speak_for_all)
{
	unsigned refused = 0;

	cr_expect_eq(sampled("--log.poll_sample=10", &refused), 4);
	cr_expect_eq(refused, 40, "what is refused is always logged");
	cr_expect_eq(sampled("--log.poll_sample=1", &refused), 40);
	cr_expect_eq(sampled("--log.poll_sample=0", &refused), 0);
	cr_expect_eq(refused, 40);
}

Test(log, none_where_none_are_asked_for)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--log.requests=false"}});

	world_fill(world, 1, BALANCE, &(struct sale_options){.queue = false});
	read_often(world, 5);
	instance_stop(&world->instances[0]);
	cr_expect_eq(lines_with(&world->instances[0], "\"route\""), 0);
	cr_expect_gt(lines_with(&world->instances[0], "\"message\":\"listening on "), 0);
	cr_expect_eq(lines_with(&world->instances[0], "\"message\":\"stopped\""), 1);
	world_close(world);
}

/* Of requests only those that the server could not serve, which are warnings. */
Test(log, only_what_went_wrong)
{
	struct world *world = world_open(&(struct world_options){.flags = {"--log.level=info"}});
	struct instance *instance = &world->instances[0];

	world_fill(world, 1, BALANCE, &(struct sale_options){.queue = true});
	instance_stop(instance);
	instance->flags[0] = "--log.level=warn";
	instance->quiet = true;
	instance_start(instance);
	read_often(world, 5);
	redis_process_stop(&world->redis);
	struct call join = {.method = "POST",
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id),
		.jwt = world->people.list[0].jwt,
		.headers = id_header(world, "warn-1")};
	expect(world, &join, 503, "unavailable");
	json_t *line = line_of(world, "warn-1");
	check_text(line, "level", "warn");
	cr_expect_eq(number(line, "status"), 503);
	check_text(line, "problem", "unavailable");
	cr_expect_eq(lines_with(instance, "\"status\":"), 1);
	cr_expect_eq(lines_with(instance, "\"level\":\"info\""), 0);
	json_decref(line);
	world_close(world);
}

/* --- nobody reads --- */

struct stuck {
	struct world *world;
	int pipe;
	char path[128];
};

/* The log's file is a pipe of which the test alone has the other end. */
static struct stuck open_stuck(void)
{
	struct stuck stuck = {.pipe = -1};

	stuck.world = world_open(&(struct world_options){.unmigrated = true,
		.flags = {"--log.poll_sample=1", "--queue.poll_min_ms=50",
			"--queue.poll_max_ms=300"}});
	snprintf(stuck.path, sizeof stuck.path, "%s/pipe", stuck.world->folder);
	cr_assert_eq(mkfifo(stuck.path, 0600), 0);
	stuck.pipe = open(stuck.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(stuck.pipe >= 0);
	stuck.world->instances[0].flags[3] = textf(stuck.world, "--log.file=%s", stuck.path);
	world_migrate(stuck.world);
	world_start(stuck.world);
	world_fill(stuck.world, 1, BALANCE, &(struct sale_options){.queue = true});
	return stuck;
}

static double dropped(const struct stuck *stuck)
{
	return instance_metric(&stuck->world->instances[0], "onsale_log_dropped_total");
}

/* All that the pipe has; the caller frees. */
static char *drain_pipe(const struct stuck *stuck, const char *until)
{
	struct buf text = BUF_INIT(64 * 1024 * 1024);
	uint64_t end_ms = now_ms() + LIMIT_MS;

	while (text.data == NULL || strstr(text.data, until) == NULL) {
		char *room = buf_reserve(&text, READ_SIZE);
		ssize_t got = read(stuck->pipe, room, READ_SIZE);
		text.len += got > 0 ? (size_t)got : 0;
		if (got > 0)
			text.data[text.len] = '\0';
		cr_assert(now_ms() < end_ms, "\"%s\" does not come", until);
	}
	return text.data;
}

static unsigned check_whole_lines(const char *text)
{
	unsigned lines = 0;

	for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1, lines++) {
		json_t *line = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);
		cr_assert(line != NULL, "%.*s", (int)(end - text), text);
		json_decref(line);
	}
	return lines;
}

/* Keeps asking over one connection; the longest that an answer took, in ms. */
static uint64_t poll_until_dropping(const struct stuck *stuck, unsigned *polls)
{
	const struct world *world = stuck->world;
	struct call join = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.path = textf(
			stuck->world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
	struct call poll = {.method = "GET",
		.path = "/v1/queue",
		.queue_token = answer_text(world_call(stuck->world, &join), "token")};
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct answer answer = {0};
	struct wire wire;
	uint64_t longest_ms = 0;

	call_write(&poll, &bytes);
	wire_open(&wire, world_port(world, 0), 0);
	for (*polls = 0; *polls % 500 != 0 || *polls == 0 || dropped(stuck) < 1000; ++*polls) {
		uint64_t begun_ms = now_ms();
		cr_assert(wire_send(&wire, bytes.data, bytes.len));
		cr_assert(wire_answer(&wire, &answer, false, LIMIT_MS) == WIRE_ANSWER);
		cr_assert_eq(answer.status, 200);
		answer_clear(&answer);
		if (now_ms() - begun_ms > longest_ms)
			longest_ms = now_ms() - begun_ms;
		cr_assert(*polls < 100000, "nothing is dropped");
	}
	buf_free(&bytes);
	wire_close(&wire);
	return longest_ms;
}

Test(log, nobody_waits_for_who_reads_it)
{
	struct stuck stuck = open_stuck();
	unsigned polls;
	uint64_t longest_ms = poll_until_dropping(&stuck, &polls);

	printf("%u polls while nobody read the log, %.0f lines dropped; the longest took %llu ms\n",
		polls, dropped(&stuck), (unsigned long long)longest_ms);
	cr_expect_lt(longest_ms, 2000);
	/* Read at last, it tells what is missing, and goes on. */
	char *text = drain_pipe(&stuck, " lines of the log were dropped");
	double lost = dropped(&stuck);
	free(text);
	expect(stuck.world,
		&(struct call){
			.method = "GET", .path = "/v1/me", .headers = "X-Request-Id: after\r\n"},
		401, "unauthorized");
	text = drain_pipe(&stuck, "\"request_id\":\"after\"");
	cr_expect_eq(dropped(&stuck), lost);
	close(stuck.pipe);
	free(text);
	world_close(stuck.world);
}

/* It ends as fast as ever while the pipe is full: world_close says so. */
Test(log, nobody_waits_at_the_end)
{
	struct stuck stuck = open_stuck();
	unsigned polls;

	poll_until_dropping(&stuck, &polls);
	uint64_t begun_ms = now_ms();
	instance_stop(&stuck.world->instances[0]);
	cr_expect_lt(now_ms() - begun_ms, 10000);
	/* What it did write are whole lines, in one piece. */
	static char text[READ_SIZE * 2];
	ssize_t got = read(stuck.pipe, text, sizeof text - 1);
	cr_assert(got > 0 && text[got - 1] == '\n');
	text[got] = '\0';
	cr_expect_gt(check_whole_lines(text), 100);
	close(stuck.pipe);
	world_close(stuck.world);
}

/* --- the file --- */

struct file {
	struct world *world;
	char path[128], moved[128];
};

static bool file_is_there(void *context)
{
	return access(context, F_OK) == 0;
}

/* Moved away, then SIGHUP, over and over while requests come: each has its line, in one of the files. */
Test(log, a_rotation_loses_no_line)
{
	struct file file;
	unsigned found = 0;

	file.world = world_open(&(struct world_options){.unmigrated = true});
	snprintf(file.path, sizeof file.path, "%s/onsale.log", file.world->folder);
	file.world->instances[0].flags[0] = textf(file.world, "--log.file=%s", file.path);
	world_migrate(file.world);
	world_start(file.world);
	for (unsigned n = 0; n < 60; n++) {
		struct call call = {.method = "GET",
			.path = "/v1/me",
			.headers = textf(file.world, "X-Request-Id: rotated-%u\r\n", n)};
		expect(file.world, &call, 401, "unauthorized");
		if (n % 20 != 10)
			continue;
		snprintf(file.moved, sizeof file.moved, "%s.%u", file.path, n / 20);
		cr_assert_eq(rename(file.path, file.moved), 0);
		cr_assert_eq(kill(file.world->instances[0].pid, SIGHUP), 0);
		cr_assert(wait_until(file_is_there, file.path, LIMIT_MS));
	}
	instance_stop(&file.world->instances[0]);
	for (unsigned i = 0; i < 4; i++) {
		struct instance of = {0};
		snprintf(of.log_path, sizeof of.log_path, i < 3 ? "%s.%u" : "%s", file.path, i);
		found += lines_with(&of, "\"request_id\":\"rotated-");
		unlink(of.log_path);
	}
	cr_expect_eq(found, 60);
	/* Standard error was told how the start went, and no more. */
	cr_expect_eq(lines_with(&file.world->instances[0], "listening on "), 1);
	cr_expect_eq(lines_with(&file.world->instances[0], "rotated-"), 0);
	cr_expect_eq(lines_with(&file.world->instances[0], "stopped"), 0);
	world_close(file.world);
}

/* --- the format --- */

/* A start that cannot go well: the address is nobody's here. err: the descriptor that its standard error is. */
static void fail_to_start(int err, const char *flag)
{
	static const char *const env[] = {
		"ONSALE_AUTH_JWT_SECRET=only-the-tests-sign-tokens-with-this-secret",
		"ONSALE_AUTH_QUEUE_SECRET=only-the-tests-sign-places-with-this-secret",
		"DATABASE_URL=postgresql://127.0.0.1:1/onsale", NULL};
	const char *argv[] = {
		need_env("ONSALE_TEST_SERVER"), "serve", "--http.address=192.0.2.1", flag, NULL};
	struct process_options options = {argv, env, -1, -1, err};
	int status;

	pid_t pid = process_start(&options);
	cr_assert(process_wait(pid, LIMIT_MS, &status));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* Nobody has the other end any more. A terminal gives what was written to it piece by piece. */
static void read_to_end(int fd, char *text, size_t size)
{
	size_t len = 0;

	for (ssize_t got; len + 1 < size && (got = read(fd, text + len, size - 1 - len)) > 0;)
		len += (size_t)got;
	text[len] = '\0';
}

static void said_to_a_terminal(const char *flag, char *text, size_t size)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
	int end = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(end >= 0);
	fail_to_start(end, flag);
	close(end);
	read_to_end(terminal, text, size);
	close(terminal);
}

static void said_to_a_pipe(const char *flag, char *text, size_t size)
{
	int ends[2];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	fail_to_start(ends[1], flag);
	close(ends[1]);
	read_to_end(ends[0], text, size);
	close(ends[0]);
}

Test(log, people_get_text_and_programs_json)
{
	static const char as_json[] = "\"level\":\"error\",\"message\":\"cannot start: ";
	static const char as_text[] = "Z error cannot start: ";
	static char text[READ_SIZE];

	said_to_a_terminal(NULL, text, sizeof text);
	cr_expect(strstr(text, as_text) != NULL, "%s", text);
	said_to_a_terminal("--log.format=json", text, sizeof text);
	cr_expect(strstr(text, as_json) != NULL, "%s", text);
	said_to_a_pipe(NULL, text, sizeof text);
	cr_expect(strstr(text, as_json) != NULL, "%s", text);
	said_to_a_pipe("--log.format=text", text, sizeof text);
	cr_expect(strstr(text, as_text) != NULL, "%s", text);
	said_to_a_pipe("--log.file=/nowhere/at/all", text, sizeof text);
	cr_expect(strstr(text, "cannot start: log.file: /nowhere/at/all: No such file") != NULL,
		"%s", text);
}
