/* The virtual users of bench/swarm against a real server: what they report is what happened there, each
 * request is answered once, and latencies count from the intended start. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 60000, BALANCE = 100000, ARGS_MAX = 32, RESULT_MAX = 64 * 1024 };

TestSuite(swarm, .timeout = 120);

/* --- running it --- */

/* A file of the world's folder. */
static const char *file_of(struct world *world, const char *name)
{
	return textf(world, "%s/%s", world->folder, name);
}

/* The world's people, as `onsale users` prints them. */
static const char *write_tokens(struct world *world)
{
	const char *path = file_of(world, "tokens");
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file);
	for (size_t i = 0; i < world->people.count; i++)
		fprintf(file, "%lld %s\n", (long long)world->people.list[i].id,
			world->people.list[i].jwt);
	cr_assert(fclose(file) == 0);
	return path;
}

/* `words` are the mode and further options, by single spaces. Its standard error goes to the world's folder. */
static pid_t start(struct world *world, const char *words, int *out)
{
	const char *argv[ARGS_MAX] = {need_env("ONSALE_TEST_SWARM")};
	char *copy = strdup(words), *rest = NULL;
	size_t count = 1;
	int ends[2], err = open(file_of(world, "swarm.err"), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	cr_assert(err >= 0 && pipe2(ends, O_CLOEXEC) == 0);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest))
		argv[count++] = word;
	argv[count++] = textf(world, "--url=http://127.0.0.1:%d", world_port(world, 0));
	if (world->people.count > 0) {
		argv[count++] = textf(world, "--event=%lld", (long long)world->sale.event_id);
		argv[count++] = textf(
			world, "--performance=%lld", (long long)world->sale.performance_id);
		argv[count++] = textf(world, "--tokens=%s", write_tokens(world));
	}
	cr_assert(count < ARGS_MAX);
	struct process_options options = {argv, NULL, -1, ends[1], err};
	pid_t pid = process_start(&options);
	free(copy);
	close(ends[1]);
	close(err);
	*out = ends[0];
	return pid;
}

/* Its result, owned by the caller. */
static json_t *finish(pid_t pid, int out)
{
	char text[RESULT_MAX];
	size_t len = 0;
	ssize_t got;
	int status;

	while ((got = read(out, text + len, sizeof text - len)) > 0)
		len += (size_t)got;
	close(out);
	cr_assert(process_wait(pid, LIMIT_MS, &status) && status == 0, "status %d", status);
	json_t *result = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(result != NULL, "%.*s", (int)len, text);
	return result;
}

static json_t *run(struct world *world, const char *words)
{
	int out;
	pid_t pid = start(world, words, &out);

	return finish(pid, out);
}

/* A number of the result: up to three names lead to it, NULL after the last. 0 where there is none. */
static int64_t number(
	const json_t *result, const char *a, const char *b, const char *c, const char *d)
{
	const char *const names[] = {a, b, c, d};

	for (size_t i = 0; i < 4 && names[i] != NULL; i++)
		result = json_object_get(result, names[i]);
	return json_integer_value(result);
}

static int64_t status_count(const json_t *result, const char *step, const char *status)
{
	return number(result, "steps", step, "statuses", status);
}

static int64_t sum_of(const json_t *counts)
{
	int64_t sum = 0;
	const char *name;
	json_t *count;

	json_object_foreach((json_t *)counts, name, count) sum += json_integer_value(count);
	return sum;
}

/* Each request is counted once under each view, each person ended once, and nothing went wrong. */
static void check_sums(const json_t *result)
{
	int64_t requests = number(result, "requests", NULL, NULL, NULL), of_steps = 0;
	const char *name;
	json_t *step;

	json_object_foreach(json_object_get(result, "steps"), name, step)
	{
		int64_t of_step = number(step, "requests", NULL, NULL, NULL);
		cr_expect_eq(sum_of(json_object_get(step, "statuses")), of_step, "%s", name);
		of_steps += of_step;
	}
	cr_expect_eq(of_steps, requests);
	cr_expect_eq(sum_of(json_object_get(result, "statuses")), requests);
	cr_expect_eq(sum_of(json_object_get(result, "ended")),
		number(result, "started", NULL, NULL, NULL));
	cr_expect_eq(number(result, "errors", NULL, NULL, NULL), 0);
}

/* What PostgreSQL says of a table. */
static int64_t count_of(struct world *world, const char *table)
{
	return database_i64(world->db, textf(world, "SELECT count(*) FROM %s", table), 0, NULL);
}

/* --- */

Test(swarm, rush_is_released_together_and_sells_each_seat_once)
{
	enum { BUYERS = 300, SEATS = 6 };
	struct world *world = world_open(&(struct world_options){.instances = 1});

	world_fill(world, BUYERS, BALANCE, &(struct sale_options){.seats_per_row = 2 * SEATS});
	json_t *result = run(world, "rush --buyers=300 --pool=6 --then=pay");
	check_sums(result);
	cr_expect_eq(number(result, "steps", "hold", "requests", NULL), BUYERS);
	cr_expect_eq(status_count(result, "hold", "201"), SEATS);
	cr_expect_eq(status_count(result, "hold", "409"), BUYERS - SEATS);
	cr_expect_eq(status_count(result, "pay", "201"), SEATS);
	cr_expect_eq(number(result, "ended", "done", NULL, NULL), SEATS);
	cr_expect_eq(number(result, "ended", "taken", NULL, NULL), BUYERS - SEATS);
	cr_expect_eq(number(result, "open_peak", NULL, NULL, NULL), BUYERS);
	cr_expect_gt(number(result, "released_us", NULL, NULL, NULL), 0);
	cr_expect_geq(number(result, "steps", "hold", "last_us", NULL),
		number(result, "latency_us", "hold", "max", NULL));
	cr_expect_eq(count_of(world, "reservations"), SEATS);
	cr_expect_eq(count_of(world, "payments"), SEATS);
	invariants_hold(&(struct invariants_input){.db = world->db});
	json_decref(result);
	world_close(world);
}

/* Where two seats are wanted, both are had or none. */
Test(swarm, rush_for_two_seats_each)
{
	enum { BUYERS = 200, SEATS = 10 };
	struct world *world = world_open(&(struct world_options){.instances = 1});

	world_fill(world, BUYERS, BALANCE, &(struct sale_options){.seats_per_row = SEATS});
	json_t *result = run(world, "rush --buyers=200 --seats=2 --then=pay --seed=7");
	int64_t sold = status_count(result, "pay", "201");
	check_sums(result);
	cr_expect(sold >= 1 && sold <= SEATS / 2, "%lld", (long long)sold);
	cr_expect_eq(status_count(result, "hold", "201"), sold);
	cr_expect_eq(status_count(result, "hold", "409"), BUYERS - sold);
	cr_expect_eq(count_of(world, "reservations"), sold);
	cr_expect_eq(count_of(world, "sold"), 2 * sold);
	invariants_hold(&(struct invariants_input){.db = world->db});
	json_decref(result);
	world_close(world);
}

Test(swarm, walk_sells_all_there_is_to_whom_it_reports)
{
	enum { PEOPLE = 120, SEATS = 40 };
	static const struct world_options options = {.instances = 1,
		.flags = {
			"--queue.tick_ms=20", "--queue.poll_min_ms=50", "--queue.poll_max_ms=200"}};
	static const struct sale_options sale = {
		.queue = true, .capacity = 30, .seats_per_row = SEATS};
	struct world *world = world_open(&options);

	world_fill(world, PEOPLE, BALANCE, &sale);
	json_t *result = run(world, "walk --arrivals=60 --seconds=2 --tries=1000");
	check_sums(result);
	cr_expect_eq(number(result, "intended", NULL, NULL, NULL), PEOPLE);
	cr_expect_eq(number(result, "started", NULL, NULL, NULL), PEOPLE);
	cr_expect_eq(number(result, "ended", "done", NULL, NULL), SEATS);
	cr_expect_eq(number(result, "ended", "sold_out", NULL, NULL), PEOPLE - SEATS);
	cr_expect_eq(status_count(result, "join", "201"), PEOPLE);
	cr_expect_eq(status_count(result, "hold", "201"), SEATS);
	cr_expect_eq(status_count(result, "pay", "201"), SEATS);
	cr_expect_eq(number(result, "steps", "pay", "requests", NULL), SEATS);
	cr_expect_eq(count_of(world, "payments"), SEATS);
	cr_expect_eq(count_of(world, "sold"), SEATS);
	invariants_hold(&(struct invariants_input){.db = world->db});
	json_decref(result);
	world_close(world);
}

/* How many lines a file has, and how many of them are alike or empty. */
static void count_lines(const char *path, size_t *lines, size_t *doubled)
{
	const char *argv[] = {
		"sh", "-c", "wc -l <\"$0\"; grep . \"$0\" | sort -u | wc -l", path, NULL};
	struct buf out = BUF_INIT(RESULT_MAX);
	char *rest;

	cr_assert(process_run(argv, NULL, NULL, &out) == 0);
	*lines = strtoul(out.data, &rest, 10);
	*doubled = *lines - strtoul(rest, NULL, 10);
	buf_free(&out);
}

Test(swarm, what_one_mode_writes_another_reads)
{
	enum { PEOPLE = 50 };
	static const struct world_options options = {
		.instances = 1, .flags = {"--queue.tick_ms=20", "--queue.poll_min_ms=50"}};
	static const struct sale_options sale = {
		.queue = true, .capacity = PEOPLE, .seats_per_row = PEOPLE};
	struct world *world = world_open(&options);
	const char *tokens = file_of(world, "queue_tokens"), *passes = file_of(world, "passes");
	size_t lines, doubled;

	world_fill(world, PEOPLE, BALANCE, &sale);
	json_t *result = run(
		world, textf(world, "fill --count=50 --connections=7 --out=%s", tokens));
	check_sums(result);
	cr_expect_eq(status_count(result, "join", "201"), PEOPLE);
	cr_expect_eq(number(result, "open_peak", NULL, NULL, NULL), 7);
	count_lines(tokens, &lines, &doubled);
	cr_expect(lines == PEOPLE && doubled == 0, "%zu queue tokens, %zu doubled", lines, doubled);
	json_decref(result);

	result = run(
		world, textf(world, "get --count=130 --connections=9 --queue-tokens=%s", tokens));
	check_sums(result);
	cr_expect_eq(number(result, "requests", NULL, NULL, NULL), 130);
	cr_expect_eq(status_count(result, "get", "200"), 130);
	json_decref(result);

	result = run(world, textf(world, "enter --count=50 --out=%s", passes));
	check_sums(result);
	cr_expect_eq(number(result, "ended", "done", NULL, NULL), PEOPLE);
	count_lines(passes, &lines, &doubled);
	cr_expect(lines == PEOPLE && doubled == 0, "%zu passes, %zu doubled", lines, doubled);
	json_decref(result);

	/* Each pass is its person's own, or these would be 403. */
	result = run(
		world, textf(world, "users --count=50 --users=8 --pick=own --then=pay --passes=%s",
			       passes));
	check_sums(result);
	cr_expect_eq(status_count(result, "hold", "201"), PEOPLE);
	cr_expect_eq(status_count(result, "pay", "201"), PEOPLE);
	cr_expect_eq(count_of(world, "sold"), PEOPLE);
	invariants_hold(&(struct invariants_input){.db = world->db});
	json_decref(result);
	world_close(world);
}

Test(swarm, idle_connections_are_counted_while_they_are_open)
{
	struct world *world = world_open(&(struct world_options){.instances = 1});
	json_t *result = run(world, "idle --connections=200 --seconds=1");

	check_sums(result);
	cr_expect_eq(number(result, "requests", NULL, NULL, NULL), 200);
	cr_expect_eq(number(result, "established", NULL, NULL, NULL), 200);
	json_decref(result);
	world_close(world);
}

static bool has_told(void *context)
{
	FILE *file = fopen(context, "re");
	int c = file != NULL ? fgetc(file) : EOF;

	if (file != NULL)
		fclose(file);
	return c != EOF;
}

/* A server that stands still for a second of three: those who would have come then have waited, too, though
 * only four of them could send anything. */
Test(swarm, a_stall_is_not_omitted)
{
	struct world *world = world_open(&(struct world_options){.instances = 1});
	int out;

	kill(world->instances[0].pid, SIGSTOP);
	pid_t pid = start(
		world, "get --arrivals=100 --seconds=3 --spacing=uniform --connections=4", &out);
	/* Its first line comes after a second. */
	bool told = wait_until(has_told, (void *)file_of(world, "swarm.err"), LIMIT_MS);
	kill(world->instances[0].pid, SIGCONT);
	cr_assert(told);
	json_t *result = finish(pid, out);
	check_sums(result);
	cr_expect_eq(number(result, "requests", NULL, NULL, NULL), 300);
	cr_expect_eq(number(result, "open_peak", NULL, NULL, NULL), 4);
	int64_t p90 = number(result, "latency_us", "get", "p90", NULL);
	cr_expect_geq(p90, 500000, "p90 %lld us", (long long)p90);
	json_decref(result);
	world_close(world);
}

Test(swarm, a_server_that_is_gone_is_an_error_each_time)
{
	struct world *world = world_open(&(struct world_options){.instances = 1});

	instance_kill(&world->instances[0]);
	json_t *result = run(world, "get --connections=3 --seconds=1");
	int64_t errors = number(result, "errors", NULL, NULL, NULL);
	cr_expect_eq(number(result, "requests", NULL, NULL, NULL), 0);
	cr_expect_geq(errors, 3);
	cr_expect_eq(number(result, "errors_of", "connect", NULL, NULL), errors);
	cr_expect_eq(number(result, "ended", "lost", NULL, NULL), errors);
	json_decref(result);
	world_close(world);
}
