/* A request's line, as JSON and as text: every member that it can have, and none that it has no value for. */
#include "server/access_line.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static const struct trail trail = {.begun_us = 1000000,
	.marked_us = 1012345,
	.stages_us = {[STAGE_PARSE] = 5,
		[STAGE_REDIS] = 340,
		[STAGE_POSTGRESQL] = 12000,
		[STAGE_REPLY] = 0},
	.user_id = 17};
static const struct trail nobodys_trail = {.begun_us = 1, .marked_us = 51, .stages_us = {50}};
static struct conn *const there = (struct conn *)&trail; /* never looked into */

static const char *written(const struct access_line *line, enum log_format format)
{
	static struct log_text text;

	log_set_format(format);
	access_line_write(line, &text);
	cr_assert(!text.cut && text.bytes[text.len - 1] == '\n');
	text.bytes[text.len - 1] = '\0';
	return text.bytes;
}

static struct access_line line_of(const struct observation *request)
{
	struct access_line line = {.request = request,
		.method = "POST",
		.route = "/v1/events/{}/queue",
		.unix_ms = 1795255200123};

	cr_assert(address_parse("192.0.2.1", 9, &line.address));
	line.has_address = request->conn != NULL;
	return line;
}

Test(access_line, all_that_there_can_be)
{
	struct observation request = {.trail = &trail,
		.request_id = "an-id",
		.conn = there,
		.status = 409,
		.problem = PROBLEM_SEAT_UNAVAILABLE,
		.body_len = 321,
		.replayed = true};
	struct access_line line = line_of(&request);
	line.traced = header_traceparent(
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &line.trace);

	cr_expect_str_eq(written(&line, LOG_AS_JSON),
		"{\"time\":\"2026-11-21T10:00:00.123Z\",\"level\":\"info\",\"request_id\":\"an-id\","
		"\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\","
		"\"method\":\"POST\",\"route\":\"/v1/events/{}/queue\",\"status\":409,"
		"\"problem\":\"seat_unavailable\",\"us\":12345,\"parse_us\":5,\"redis_us\":340,"
		"\"postgresql_us\":12000,\"reply_us\":0,\"bytes\":321,\"user_id\":17,"
		"\"remote\":\"192.0.2.1\",\"replayed\":true}");
	cr_expect_str_eq(written(&line, LOG_AS_TEXT),
		"2026-11-21T10:00:00.123Z info  POST /v1/events/{}/queue 409 seat_unavailable in 12.34 ms,"
		" Redis 0.34, PostgreSQL 12.00, user 17, replayed, 192.0.2.1, id an-id");
}

Test(access_line, no_more_than_there_is)
{
	struct observation request = {.trail = &nobodys_trail,
		.request_id = "i",
		.status = 200,
		.problem = PROBLEM_COUNT};
	struct access_line line = line_of(&request);

	cr_expect_str_eq(written(&line, LOG_AS_JSON),
		"{\"time\":\"2026-11-21T10:00:00.123Z\",\"level\":\"info\",\"request_id\":\"i\","
		"\"method\":\"POST\",\"route\":\"/v1/events/{}/queue\",\"status\":200,\"us\":50,"
		"\"parse_us\":50,\"redis_us\":0,\"postgresql_us\":0,\"reply_us\":0,\"bytes\":0,"
		"\"client_gone\":true}");
	cr_expect_str_eq(written(&line, LOG_AS_TEXT),
		"2026-11-21T10:00:00.123Z info  POST /v1/events/{}/queue 200 in 0.05 ms, the client has "
		"gone, id i");
}

/* The longest of everything still is a whole line. */
Test(access_line, longest)
{
	char id[REQUEST_ID_SIZE];
	struct trail most = {.marked_us = INT64_MAX,
		.stages_us = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
		.user_id = INT64_MAX};
	struct observation request = {.trail = &most,
		.request_id = memset(id, 'i', sizeof id),
		.conn = there,
		.status = 503,
		.problem = PROBLEM_IDEMPOTENCY_KEY_REQUIRED,
		.body_len = INT64_MAX,
		.replayed = true};
	id[sizeof id - 1] = '\0';
	struct access_line line = line_of(&request);
	memset(line.address.bytes, 0xab, sizeof line.address.bytes);
	line.traced = header_traceparent(
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &line.trace);

	json_t *object = json_loads(written(&line, LOG_AS_JSON), JSON_REJECT_DUPLICATES, NULL);
	cr_assert(object != NULL);
	cr_expect_str_eq(json_string_value(json_object_get(object, "remote")),
		"abab:abab:abab:abab:abab:abab:abab:abab");
	json_decref(object);
}

Test(access_line, levels)
{
	cr_expect_eq(access_line_level(200), LOG_INFO);
	cr_expect_eq(access_line_level(404), LOG_INFO);
	cr_expect_eq(access_line_level(500), LOG_ERROR);
	cr_expect_eq(access_line_level(503), LOG_WARN);
}
