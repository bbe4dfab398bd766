/* Texts and answers that a test gets from its world live until the world is closed, so that a test
 * reads as a list of calls. */
#include "tests/support/world.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum { KNOWN_LIMIT_MS = 10000, FOLDER_DEPTH_FDS = 16 };

/* An answer, or a text, that lives as long as the world. */
struct kept_answer {
	struct answer answer;
	char *text;
	STAILQ_ENTRY(kept_answer) link;
};

/* --- opening and closing --- */

static void make_folder(struct world *world)
{
	const char *base = getenv("ONSALE_TEST_OUTPUT");

	if (base == NULL || strlen(base) > 60) /* the socket of Redis lies in it */
		base = getenv("TMPDIR");
	if (base == NULL || strlen(base) > 60)
		base = "/tmp";
	snprintf(world->folder, sizeof world->folder, "%s/onsale-XXXXXX", base);
	cr_assert(mkdtemp(world->folder) != NULL, "%s cannot be made", world->folder);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static void set_env(struct world *world)
{
	snprintf(world->database_env, sizeof world->database_env, "DATABASE_URL=%s",
		world->database_url);
	snprintf(world->redis_env, sizeof world->redis_env, "REDIS_URL=%s",
		world->options.no_redis ? "none" : world->redis.url);
	world->env[0] = world->database_env;
	world->env[1] = world->redis_env;
	world->env[2] = "ONSALE_AUTH_JWT_SECRET=only-the-tests-sign-tokens-with-this-secret";
	world->env[3] = "ONSALE_AUTH_QUEUE_SECRET=only-the-tests-sign-places-with-this-secret";
	/* A crowd on a busy machine takes longer to connect than a client may take for a head. */
	world->env[4] = "ONSALE_HTTP_HEAD_TIMEOUT_MS=60000";
	world->env[5] = "ONSALE_HTTP_BODY_TIMEOUT_MS=60000";
	world->env[6] = NULL;
}

void world_migrate(struct world *world)
{
	const char *migrate[] = {need_env("ONSALE_TEST_SERVER"), "migrate", NULL};

	cr_assert(process_run(migrate, world->env, NULL, NULL) == 0, "onsale migrate failed");
}

static void make_people(
	struct world *world, struct people *people, unsigned count, int64_t balance, bool admins)
{
	char count_text[24], balance_text[24];
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "users", "--count", count_text,
		"--balance", balance_text, admins ? "--role" : NULL, "admin", NULL};
	struct buf lines = BUF_INIT(PROCESS_OUTPUT_MAX);
	char *rest = NULL;

	snprintf(count_text, sizeof count_text, "%u", count);
	snprintf(balance_text, sizeof balance_text, "%lld", (long long)balance);
	cr_assert(process_run(argv, world->env, NULL, &lines) == 0, "onsale users failed");
	*people = (struct people){.list = must_calloc(count, sizeof *people->list)};
	char *line = lines.len > 0 ? strtok_r(lines.data, "\n", &rest) : NULL;
	for (; line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *jwt = NULL;
		cr_assert(people->count < count, "onsale users printed more than %u lines", count);
		struct person *person = &people->list[people->count++];
		person->id = strtoll(line, &jwt, 10);
		cr_assert(person->id > 0 && jwt[0] == ' ', "onsale users printed '%s'", line);
		person->jwt = must_strdup(jwt + 1);
	}
	buf_free(&lines);
	cr_assert(people->count == count, "onsale users printed %zu of %u lines", people->count,
		count);
}

void world_people(struct world *world, struct people *people, unsigned count, int64_t balance)
{
	make_people(world, people, count, balance, false);
}

void people_free(struct people *people)
{
	for (size_t i = 0; i < people->count; i++)
		free(people->list[i].jwt);
	free(people->list);
	*people = (struct people){0};
}

/* A folder each, named by its number. */
static void open_nodes(struct world *world)
{
	size_t len = (size_t)snprintf(
		world->redlock_urls, sizeof world->redlock_urls, "--lock.redlock_urls=");

	cr_assert(world->options.redlock <= WORLD_NODES_MAX);
	for (unsigned i = 0; i < world->options.redlock; i++) {
		const char *folder = textf(world, "%s/%u", world->folder, i + 1);

		cr_assert(mkdir(folder, 0700) == 0);
		redis_process_open(&world->nodes[i], folder);
		len += (size_t)snprintf(world->redlock_urls + len, sizeof world->redlock_urls - len,
			"%s%s", i > 0 ? "," : "", world->nodes[i].url);
		cr_assert(len < sizeof world->redlock_urls);
	}
}

static void add_flag(struct instance *instance, const char *flag)
{
	size_t i = 0;

	while (instance->flags[i] != NULL)
		i++;
	cr_assert(i < INSTANCE_FLAGS_MAX - 1);
	instance->flags[i] = flag;
}

static void set_up_instances(struct world *world)
{
	for (unsigned i = 0; i < world->options.instances; i++) {
		struct instance *instance = &world->instances[i];

		snprintf(world->names[i], sizeof world->names[i], "onsale%u", i + 1);
		instance->folder = world->folder;
		instance->name = world->names[i];
		instance->env = world->env;
		memcpy(instance->flags, world->options.flags, sizeof instance->flags);
		if (world->options.redlock > 0) {
			add_flag(instance, "--lock.mode=redlock");
			add_flag(instance, world->redlock_urls);
		}
	}
}

void world_start(struct world *world)
{
	make_people(world, &world->admins, 1, 0, true);
	for (unsigned i = 0; i < world->options.instances; i++) {
		if (world->options.share_port)
			world->instances[i].port = world->instances[0].port;
		instance_launch(&world->instances[i]);
	}
	for (unsigned i = 0; i < world->options.instances; i++)
		instance_wait_ready(&world->instances[i]);
}

void world_options_add(struct world_options *options, const char *const *flags, size_t count)
{
	size_t at = 0;

	while (options->flags[at] != NULL)
		at++;
	cr_assert(at + count < INSTANCE_FLAGS_MAX);
	memcpy(options->flags + at, flags, count * sizeof *flags);
}

struct world *world_open(const struct world_options *options)
{
	struct world *world = must_calloc(1, sizeof *world);

	if (options != NULL)
		world->options = *options;
	if (world->options.instances == 0)
		world->options.instances = 1;
	cr_assert(world->options.instances <= WORLD_INSTANCES_MAX);
	STAILQ_INIT(&world->answers);
	make_folder(world);
	database_create(world->database_name, world->database_url);
	world->db = database_connect(world->database_url);
	if (!world->options.no_redis)
		redis_process_open(&world->redis, world->folder);
	open_nodes(world);
	set_env(world);
	set_up_instances(world);
	if (!world->options.unmigrated) {
		world_migrate(world);
		world_start(world);
	}
	return world;
}

void world_close(struct world *world)
{
	struct kept_answer *kept;

	for (unsigned i = 0; i < world->options.instances; i++)
		instance_stop(&world->instances[i]);
	redis_process_stop(&world->redis);
	for (unsigned i = 0; i < world->options.redlock; i++)
		redis_process_stop(&world->nodes[i]);
	PQfinish(world->db);
	database_drop(world->database_name);
	people_free(&world->admins);
	people_free(&world->people);
	sale_close(&world->sale);
	while ((kept = STAILQ_FIRST(&world->answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&world->answers, link);
		answer_clear(&kept->answer);
		free(kept->text);
		free(kept);
	}
	nftw(world->folder, remove_one, FOLDER_DEPTH_FDS, FTW_DEPTH | FTW_PHYS);
	free(world);
}

void world_set_database(struct world *world, bool there)
{
	PGconn *outside = database_connect(need_env("ONSALE_TEST_DATABASE_URL"));

	database_run(outside, textf(world, "ALTER DATABASE %s ALLOW_CONNECTIONS %s",
				      world->database_name, there ? "true" : "false"));
	if (!there)
		database_run(
			outside, textf(world,
					 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
					 "WHERE datname = '%s' AND pid <> %d",
					 world->database_name, PQbackendPID(world->db)));
	PQfinish(outside);
}

int world_port(const struct world *world, unsigned instance)
{
	CHECK(instance < world->options.instances);
	return world->instances[instance].port;
}

/* --- calls --- */

static struct kept_answer *keep(struct world *world)
{
	struct kept_answer *kept = must_calloc(1, sizeof *kept);

	STAILQ_INSERT_TAIL(&world->answers, kept, link);
	return kept;
}

const char *textf(struct world *world, const char *format, ...)
{
	struct kept_answer *kept = keep(world);
	va_list arguments;

	va_start(arguments, format);
	int len = vasprintf(&kept->text, format, arguments);
	va_end(arguments);
	CHECK(len >= 0);
	return kept->text;
}

struct answer *world_call_at(struct world *world, unsigned instance, const struct call *call)
{
	struct kept_answer *kept = keep(world);

	cr_assert(wire_call(world_port(world, instance), call, &kept->answer), "%s %s: no reply",
		call->method, call->path);
	return &kept->answer;
}

struct answer *world_call(struct world *world, const struct call *call)
{
	return world_call_at(world, 0, call);
}

void check_problem(struct answer *answer, int status, const char *code)
{
	char id[256] = "", retry_after[32] = "";

	cr_assert(answer_header_is(answer, "content-type", "application/problem+json"));
	cr_assert(answer_is(answer, "code", code), "expected %s, got %s", code, answer->body);
	cr_assert(answer_int(answer, "status") == status, "%s", answer->body);
	cr_assert(answer_text(answer, "type")[0] != '\0' &&
		  answer_text(answer, "title")[0] != '\0' &&
		  answer_text(answer, "detail")[0] != '\0');
	cr_assert(answer_header_is(answer, "cache-control", "no-store"));
	cr_assert(answer_header(answer, "x-request-id", id, sizeof id));
	if (!answer_header_is(answer, "idempotent-replayed", "true"))
		cr_assert(answer_is(answer, "request_id", id), "X-Request-Id %s, %s", id,
			answer->body);
	if (status == 429 || status == 503)
		cr_assert(answer_header(answer, "retry-after", retry_after, sizeof retry_after) &&
			  strtol(retry_after, NULL, 10) > 0);
}

struct answer *expect_at(struct world *world, unsigned instance, const struct call *call,
	int status, const char *code)
{
	struct answer *answer = world_call_at(world, instance, call);

	cr_assert(answer->status == status, "%s %s: expected %d %s, got %d %s", call->method,
		call->path, status, code != NULL ? code : "", answer->status, answer->body);
	if (code != NULL)
		check_problem(answer, status, code);
	return answer;
}

struct answer *expect(struct world *world, const struct call *call, int status, const char *code)
{
	return expect_at(world, 0, call, status, code);
}

/* --- what is on sale --- */

struct known {
	const struct sale *sale;
	int port;
};

static bool is_known(void *context)
{
	const struct known *known = context;
	char path[96];
	struct call call = {.method = "GET", .path = path};
	struct answer answer = {0};

	snprintf(path, sizeof path, "/v1/performances/%lld/seats/status",
		(long long)known->sale->performance_id);
	bool knows = wire_call(known->port, &call, &answer) && answer.status == 200;
	answer_clear(&answer);
	return knows;
}

static void read_seats(struct world *world, struct sale *sale)
{
	const char *path = textf(
		world, "/v1/performances/%lld/seats", (long long)sale->performance_id);
	struct answer *answer = expect(
		world, &(struct call){.method = "GET", .path = path}, 200, NULL);
	const json_t *seats = json_object_get(answer_json(answer), "seats");

	sale->seat_count = json_array_size(seats);
	sale->seat_ids = must_calloc(sale->seat_count + 1, sizeof *sale->seat_ids);
	for (size_t i = 0; i < sale->seat_count; i++)
		sale->seat_ids[i] = json_integer_value(
			json_object_get(json_array_get(seats, i), "id"));
}

static int64_t or_else(int64_t value, int64_t other)
{
	return value != 0 ? value : other;
}

static const char *event_body(
	struct world *world, const struct sale *sale, const struct sale_options *options)
{
	const char *opens = "";

	if (options->sale_opens_at != NULL)
		opens = textf(world, "\"sale_opens_at\":\"%s\",", options->sale_opens_at);
	return textf(world,
		"{\"title\":\"A night\",\"venue\":\"The hall\",%s\"queue\":{\"enabled\":%s,\"capacity\":%lld,"
		"\"admit_per_second\":%lld,\"pass_ttl_seconds\":%lld,\"abandon_after_seconds\":%lld}}",
		opens, options->queue ? "true" : "false", (long long)sale->capacity,
		(long long)sale->admit_per_second,
		(long long)or_else(options->pass_ttl_seconds, 300),
		(long long)or_else(options->abandon_after_seconds, 60));
}

void sale_open(struct world *world, struct sale *sale, const struct sale_options *options)
{
	int64_t rows = or_else(options->rows, 1),
		seats_per_row = or_else(options->seats_per_row, 10);
	const char *jwt = world->admins.list[0].jwt;

	*sale = (struct sale){.price = or_else(options->price, 1000),
		.capacity = or_else(options->capacity, 10),
		.admit_per_second = or_else(options->admit_per_second, 1000)};
	struct call event = {.method = "POST",
		.path = "/v1/admin/events",
		.jwt = jwt,
		.body = event_body(world, sale, options)};
	sale->event_id = answer_int(expect(world, &event, 201, NULL), "id");
	struct call performance = {.method = "POST",
		.jwt = jwt,
		.path = textf(
			world, "/v1/admin/events/%lld/performances", (long long)sale->event_id),
		.body = textf(world,
			"{\"starts_at\":\"2030-01-01T19:00:00Z\",\"sections\":[{\"name\":\"Floor\",\"rows\":%lld,"
			"\"seats_per_row\":%lld,\"price\":%lld}]}",
			(long long)rows, (long long)seats_per_row, (long long)sale->price)};
	sale->performance_id = answer_int(expect(world, &performance, 201, NULL), "id");
	for (unsigned i = 0; i < world->options.instances; i++) {
		struct known known = {sale, world_port(world, i)};
		cr_assert(wait_until(is_known, &known, KNOWN_LIMIT_MS),
			"instance %u does not know the new performance", i);
	}
	read_seats(world, sale);
	cr_assert(sale->seat_count == (size_t)(rows * seats_per_row));
}

int64_t sale_opens_in(struct world *world, int64_t ms)
{
	const char *params[] = {textf(world, "%lld", (long long)world->sale.event_id),
		textf(world, "%lld", (long long)ms)};

	return database_i64(world->db,
		"UPDATE events SET sale_opens_at = clock_timestamp() + $2::bigint * interval '1 ms' "
		"WHERE id = $1::bigint RETURNING (extract(epoch FROM sale_opens_at) * 1000)::bigint",
		2, params);
}

void sale_close(struct sale *sale)
{
	free(sale->seat_ids);
	*sale = (struct sale){0};
}

void world_fill(
	struct world *world, unsigned people, int64_t balance, const struct sale_options *options)
{
	if (people > 0)
		world_people(world, &world->people, people, balance);
	sale_open(world, &world->sale, options);
}

const char *hold_body(
	struct world *world, const struct sale *sale, const int64_t *seat_ids, size_t seat_count)
{
	struct buf body = BUF_INIT(4096);

	buf_printf(
		&body, "{\"performance_id\":%lld,\"seat_ids\":[", (long long)sale->performance_id);
	for (size_t i = 0; i < seat_count; i++)
		buf_printf(&body, "%s%lld", i > 0 ? "," : "", (long long)seat_ids[i]);
	buf_append_text(&body, "]}");
	CHECK(!body.failed);
	const char *text = textf(world, "%s", body.data);
	buf_free(&body);
	return text;
}

int64_t hold_seat(struct world *world, const struct sale *sale, const struct person *person,
	int64_t seat_id, const char *key)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = person->jwt,
		.key = key,
		.body = hold_body(world, sale, &seat_id, 1)};

	return answer_int(expect(world, &call, 201, NULL), "id");
}

void world_set_line(struct world *world, const char *body)
{
	struct call call = {.method = "PUT",
		.jwt = world->admins.list[0].jwt,
		.body = body,
		.path = textf(
			world, "/v1/admin/events/%lld/queue", (long long)world->sale.event_id)};

	expect(world, &call, 200, NULL);
}
