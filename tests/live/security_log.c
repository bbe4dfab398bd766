/* What gets into the log: nothing that a client wrote forges a line of it or reaches a terminal raw, and no
 * password, token, pass, secret or connection text is in it, at the level that says most. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/clock.h"
#include "tests/support/events.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { BALANCE = 5000, LIMIT_MS = 20000, LOG_MAX = 8 * 1024 * 1024 };

TestSuite(security_log, .timeout = 90);

static const struct world_options debug = {
	.flags = {"--log.level=debug", "--log.poll_sample=1", "--queue.poll_min_ms=50",
		"--queue.poll_max_ms=300", "--queue.tick_ms=20",
		"--http.trusted_proxies=127.0.0.0/8"}};

/* The whole log of the start at hand; the caller frees. */
static char *read_log(const struct instance *instance)
{
	FILE *file = fopen(instance->log_path, "re");
	char *text = malloc(LOG_MAX);

	cr_assert(file != NULL && text != NULL, "%s cannot be read", instance->log_path);
	size_t len = fread(text, 1, LOG_MAX - 1, file);
	cr_assert(len > 0 && len < LOG_MAX - 1 && memchr(text, '\0', len) == NULL);
	text[len] = '\0';
	fclose(file);
	return text;
}

/* A JSON object with a time and a level, in printable bytes. */
static void check_line(const char *line, size_t len)
{
	static const char *const levels[] = {"error", "warn", "info", "debug"};
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *time = json_string_value(json_object_get(object, "time"));
	const char *level = json_string_value(json_object_get(object, "level"));
	bool known = false;
	int64_t unix_ms;

	for (size_t i = 0; level != NULL && i < ARRAY_LEN(levels); i++)
		known = known || strcmp(level, levels[i]) == 0;
	cr_assert(known && time != NULL && clock_parse(time, &unix_ms),
		"not a line of the log: %.*s", (int)len, line);
	for (size_t i = 0; i < len; i++)
		cr_assert((unsigned char)line[i] >= ' ' && line[i] != 0x7f,
			"a control character in the log: %.*s", (int)len, line);
	json_decref(object);
}

static void check_lines(const char *log)
{
	unsigned lines = 0;

	for (; *log != '\0'; lines++) {
		size_t len = strcspn(log, "\n");
		check_line(log, len);
		log += len;
		log += *log == '\n';
	}
	cr_assert(lines > 0);
}

/* --- what clients write --- */

#define FORGED "2026-11-21T10:00:00.000Z info  forged"

/* Raw bytes in the path, in headers, and in the request id. */
static void send_raw(struct world *world)
{
	static const char *const requests[] = {
		"GET /a\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%0a%0d%1b[31m" FORGED " HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /%0a%0d%1b[31mforged?a=%0aforged HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\x1b[31m\r\n\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\xc2\x9b"
		"31m\r\n\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\r\n " FORGED "\r\n\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\n" FORGED "\r\n\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\r" FORGED "\r\n\r\n",
		"GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \t\xc2\x9b"
		"31m\r\n\r\n",
		"GET /v1/queue HTTP/1.1\r\nHost: a\r\nX-Queue-Token: \xc2\x85\xff\r\n\r\n",
		"POST /v1/users HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\x1b\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct answer answer = {0};
		struct wire wire;
		wire_open(&wire, world_port(world, 0), 0);
		cr_assert(wire_send_text(&wire, requests[i]));
		cr_assert(wire_answer(&wire, &answer, false, WIRE_LIMIT_MS) == WIRE_ANSWER);
		cr_assert(answer.status >= 200 && answer.status < 500, "%d to %s", answer.status,
			requests[i]);
		cr_assert(
			strchr(answer.head, 0x1b) == NULL && strstr(answer.head, "forged") == NULL);
		answer_clear(&answer);
		wire_close(&wire);
	}
}

static void send_texts(struct world *world)
{
	static const char *const texts[] = {"a\\n" FORGED, "a\\r\\n" FORGED, "\\u001b[31mred",
		"\\u009b31m", "\\u0000", "'; --\\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *login = textf(
			world, "{\"email\":\"%s@a.test\",\"password\":\"%s\"}", texts[i], texts[i]);
		const char *signup = textf(world,
			"{\"email\":\"n%zu@a.test\",\"password\":\"long enough\",\"name\":\"%s\"}",
			i, texts[i]);
		struct call call = {.method = "POST", .path = "/v1/sessions", .body = login};
		world_call(world, &call);
		call.path = "/v1/users";
		call.body = signup;
		world_call(world, &call);
		call.path = "/v1/admin/events";
		call.jwt = world->admins.list[0].jwt;
		call.body = textf(world, "{\"title\":\"%s\",\"venue\":\"%s\"}", texts[i], texts[i]);
		world_call(world, &call);
	}
}

Test(security_log, nobody_forges_a_line)
{
	struct world *world = world_open(&debug);

	send_raw(world);
	send_texts(world);
	instance_stop(&world->instances[0]);
	char *log = read_log(&world->instances[0]);
	check_lines(log);
	cr_assert(strstr(log, "\n" FORGED) == NULL);
	free(log);
	world_close(world);
}

/* --- secrets --- */

static const char email[] = "ann.of.somewhere@a.test";
static const char password[] = "the-pass-word-of-somebody";
static const char database_password[] = "the-pass-word-of-the-database";
static const char redis_password[] = "the-pass-word-of-redis";

struct secrets {
	const char *list[32];
	size_t count;
};

static const char *add(struct secrets *secrets, const char *secret)
{
	cr_assert(secrets->count < ARRAY_LEN(secrets->list) && strlen(secret) >= 12);
	secrets->list[secrets->count++] = secret;
	return secret;
}

static void check_hidden(const struct secrets *secrets, const char *log)
{
	for (size_t i = 0; i < secrets->count; i++)
		cr_assert(
			strstr(log, secrets->list[i]) == NULL, "in the log: %s", secrets->list[i]);
	cr_assert(strstr(log, "$argon2") == NULL);
}

/* The database's connection text has a password, which nobody asks for. */
static void set_password(struct world *world)
{
	int len = snprintf(world->database_env, sizeof world->database_env,
		"DATABASE_URL=%s password='%s'", world->database_url, database_password);
	cr_assert(len > 0 && (size_t)len < sizeof world->database_env);
}

struct joiner {
	struct world *world;
	struct secrets *secrets;
	struct answer *answer;
	const char *jwt;
};

static bool is_admitted(void *context)
{
	struct joiner *joiner = context;
	struct call call = {.method = "POST",
		.jwt = joiner->jwt,
		.path = textf(joiner->world, "/v1/events/%lld/queue",
			(long long)joiner->world->sale.event_id)};

	joiner->answer = world_call(joiner->world, &call);
	return joiner->answer->status / 100 == 2 && answer_is(joiner->answer, "status", "admitted");
}

/* Watches the place as a browser does, with its token in the address. */
static void watch(struct world *world, struct secrets *secrets, const char *token)
{
	struct call call = {
		.method = "GET", .path = textf(world, "/v1/queue/events?token=%s", token)};
	struct events events;

	events_open(&events, world_port(world, 0), &call, 0);
	struct answer event = events_expect(&events);
	add(secrets, textf(world, "%s", answer_text(&event, "token")));
	answer_clear(&event);
	events_close(&events);
}

/* Signs up, logs in, waits in line, holds and pays: with whatever they get to keep on the way. */
static void buy(struct world *world, struct secrets *secrets)
{
	struct call call = {.method = "POST",
		.path = "/v1/users",
		.body = textf(world, "{\"email\":\"ann.of.somewhere@a.test\",\"password\":\"%s\"}",
			add(secrets, password))};

	expect(world, &call, 201, NULL);
	call.path = "/v1/sessions";
	const char *jwt = add(
		secrets, answer_text(expect(world, &call, 201, NULL), "access_token"));
	struct joiner joiner = {world, secrets, NULL, jwt};
	cr_assert(wait_until(is_admitted, &joiner, LIMIT_MS));
	watch(world, secrets, add(secrets, answer_text(joiner.answer, "token")));
	call = (struct call){.method = "POST",
		.path = "/v1/reservations",
		.jwt = jwt,
		.key = "hold",
		.pass = add(secrets, answer_text(joiner.answer, "pass")),
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};
	int64_t id = answer_int(expect(world, &call, 201, NULL), "id");
	call = (struct call){.method = "POST",
		.jwt = jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};
	expect(world, &call, 402, "insufficient_balance");
	call = (struct call){.method = "DELETE", .jwt = jwt, .path = "/v1/sessions/current"};
	expect(world, &call, 204, NULL);
	expect(world, &call, 401, "unauthorized");
}

/* Wrong ones are secrets, too: they are right ones with a slip. */
static void get_it_wrong(struct world *world, struct secrets *secrets)
{
	struct call call = {.method = "POST",
		.path = "/v1/sessions",
		.body = "{\"email\":\"ann.of.somewhere@a.test\",\"password\":\"the-pass-word-of-somebodz\"}"};

	add(secrets, "the-pass-word-of-somebodz");
	expect(world, &call, 401, "invalid_credentials");
	call.body =
		"{\"email\":\"ann.of.somewhere@a.test\",\"password\":\"the-pass-word-of-somebodz\"";
	expect(world, &call, 400, "malformed_json");
	call = (struct call){.method = "GET",
		.path = "/v1/me?token=a-token-in-a-query",
		.jwt = add(secrets, "a-token-that-is-none"),
		.queue_token = add(secrets, "a-queue-token-that-is-none")};
	add(secrets, "a-token-in-a-query");
	expect(world, &call, 401, "unauthorized");
	call.path = "/v1/queue?token=a-token-in-a-query";
	expect(world, &call, 401, "invalid_queue_token");
	call.path = "/v1/queue/events?token=a-token-in-a-query";
	call.queue_token = NULL;
	expect(world, &call, 401, "invalid_queue_token");
}

/* A night with all that must not be known; what the log has of it. */
static void keep_secrets(const char *format, struct secrets *secrets)
{
	struct world_options options = debug;
	size_t flags = 0;

	while (options.flags[flags] != NULL)
		flags++;
	options.flags[flags] = format;
	options.unmigrated = true;
	struct world *world = world_open(&options);
	set_password(world);
	world_migrate(world);
	world_start(world);
	world_fill(world, 1, BALANCE, &(struct sale_options){.queue = true});
	add(secrets, world->admins.list[0].jwt);
	add(secrets, world->people.list[0].jwt);
	buy(world, secrets);
	get_it_wrong(world, secrets);
	instance_stop(&world->instances[0]);
	char *log = read_log(&world->instances[0]);
	if (strcmp(format, "--log.format=json") == 0)
		check_lines(log);
	cr_assert(strstr(log, "/v1/reservations/{}/payment") != NULL, "requests have lines");
	check_hidden(secrets, log);
	free(log);
	world_close(world);
}

Test(security_log, secrets_stay_out)
{
	static const char *const formats[] = {"--log.format=json", "--log.format=text"};

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct secrets secrets = {.list = {email, database_password,
						  "only-the-tests-sign-tokens-with-this-secret",
						  "only-the-tests-sign-places-with-this-secret"},
			.count = 4};
		keep_secrets(formats[i], &secrets);
	}
}

static bool tells_of_both(void *context)
{
	const struct instance *instance = context;

	return instance_logged(instance, "PostgreSQL:") && instance_logged(instance, "redis:");
}

/* Stores that cannot be reached are told of, with whatever passwords their texts have. */
Test(security_log, lost_stores_are_told_without_passwords)
{
	struct world *world = world_open(NULL);
	static const char *const env[] = {
		"DATABASE_URL=postgresql://onsale:the-pass-word-of-the-database@127.0.0.1:1/onsale",
		"REDIS_URL=redis://onsale:the-pass-word-of-redis@127.0.0.1:1/0",
		"ONSALE_AUTH_JWT_SECRET=only-the-tests-sign-tokens-with-this-secret",
		"ONSALE_AUTH_QUEUE_SECRET=only-the-tests-sign-places-with-this-secret", NULL};
	struct instance lost = {.folder = world->folder,
		.name = "lost",
		.env = env,
		.flags = {"--log.level=debug"}};
	struct secrets secrets = {.list = {database_password, redis_password}, .count = 2};

	instance_launch(&lost);
	cr_assert(wait_until(tells_of_both, &lost, LIMIT_MS));
	instance_kill(&lost);
	char *log = read_log(&lost);
	check_lines(log);
	check_hidden(&secrets, log);
	free(log);
	world_close(world);
}
