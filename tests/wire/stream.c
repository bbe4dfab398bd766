/* Event streams as bytes: chunks, or none for HTTP/1.0; what a client says behind its request; how they end. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include "proto/token.h"
#include "tests/support/events.h"
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

static const char queue_secret[] = "only-the-tests-sign-places-with-this-secret";

enum { IN_MAX = 64 * 1024 };

TestSuite(wire_stream, .timeout = 60);

static struct world *open_sale(void)
{
	struct world *world = wiring_open();

	world_fill(world, 1, 0, &(struct sale_options){.queue = true});
	return world;
}

static const char *live_request(struct world *world, const char *method, const char *version)
{
	return textf(world,
		"%s /v1/admin/events/%lld/live HTTP/%s\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n",
		method, (long long)world->sale.event_id, version, world->admins.list[0].jwt);
}

static void expect_stats(struct events *events)
{
	struct answer event = events_expect(events);

	answer_int(&event, "waiting");
	answer_clear(&event);
}

static void expect_end(struct events *events)
{
	struct answer event = {0};
	const char *name;
	enum events_result result;

	do {
		result = events_next(events, &event, &name, EVENTS_LIMIT_MS);
		answer_clear(&event);
	} while (result == EVENTS_EVENT);
	cr_assert_eq(result, EVENTS_END);
}

/* Up to the connection's end, which the server makes. */
Test(wire_stream, http_1_0_has_no_chunks)
{
	struct world *world = open_sale();
	struct events events;

	events_open_raw(&events, world_port(world, 0), live_request(world, "GET", "1.0"), 0);
	cr_assert(!events.chunked && answer_header_is(&events.head, "connection", "close"));
	for (int i = 0; i < 3; i++)
		expect_stats(&events);
	cr_assert(kill(world->instances[0].pid, SIGTERM) == 0);
	expect_end(&events);
	events_close(&events);
	world_close(world);
}

/* The connection is the stream's: what comes behind is neither answered nor kept. */
Test(wire_stream, what_is_said_behind_the_request_is_not_heard)
{
	struct world *world = open_sale();
	static const char *const rows[] = {"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
		"DELETE /v1/sessions/current HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01 nonsense"};
	char much[64 * 1024];
	struct events events;

	memset(much, 'x', sizeof much);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		events_open_raw(&events, world_port(world, 0),
			textf(world, "%s%s", live_request(world, "GET", "1.1"), rows[i]), 0);
		expect_stats(&events);
		cr_assert(wire_send_text(&events.wire, rows[i]));
		for (int n = 0; n < 50; n++)
			cr_assert(wire_send(&events.wire, much, sizeof much));
		expect_stats(&events);
		events_close(&events);
	}
	world_close(world);
}

/* Reads until the bytes have this in them, or the end where that is NULL. */
static void read_until(struct wire *wire, struct buf *in, const char *text)
{
	char *room = buf_reserve(in, IN_MAX / 2);
	ssize_t got = 1;

	while (got > 0 && (text == NULL || memmem(in->data, in->len, text, strlen(text)) == NULL)) {
		got = recv(wire->fd, room + in->len, IN_MAX / 2 - in->len, 0);
		in->len += got > 0 ? (size_t)got : 0;
	}
	cr_assert(text == NULL ? got == 0 : got > 0, "%.*s", (int)in->len, in->data);
}

/* Nobody could tell when it goes away. */
Test(wire_stream, whoever_has_said_all_gets_one_event)
{
	static const char first[] = "data: {\"event_id\":", last[] = "\r\n0\r\n\r\n";
	struct world *world = open_sale();
	struct wire wire = wiring_connect(world);
	struct buf all = BUF_INIT(IN_MAX);
	const size_t last_len = sizeof last - 1;

	cr_assert(wire_send_text(&wire, live_request(world, "GET", "1.1")));
	wire_shut(&wire);
	read_until(&wire, &all, NULL);
	cr_assert(memmem(all.data, all.len, first, sizeof first - 1) != NULL);
	cr_assert(memcmp(all.data + all.len - last_len, last, last_len) == 0, "no last chunk");
	buf_free(&all);
	wire_close(&wire);
	world_close(world);
}

/* A stream's head without the stream: the connection goes on. */
Test(wire_stream, head)
{
	struct world *world = open_sale();
	struct wire wire = wiring_connect(world);
	struct buf in = BUF_INIT(IN_MAX);

	cr_assert(wire_send_text(&wire, textf(world, "%sGET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
						live_request(world, "HEAD", "1.1"))));
	read_until(&wire, &in, "{\"status\":\"ok\"}");
	const char *second = memmem(in.data, in.len, "\r\n\r\n", 4);
	cr_assert(second != NULL && strncmp(second + 4, "HTTP/1.1 200", 12) == 0,
		"something came between: %.*s", (int)in.len, in.data);
	buf_free(&in);
	wire_close(&wire);
	world_close(world);
}

/* --- ?token= --- */

static const char *place_token(struct world *world)
{
	struct token_key *key = token_key_new(queue_secret, sizeof queue_secret - 1);
	struct queue_token token = {
		world->sale.event_id, world->people.list[0].id, (INT64_C(1) << 37) + 1, 1};
	char text[TOKEN_TEXT_SIZE];

	queue_token_sign(key, &token, text);
	token_key_free(key);
	return textf(world, "%s", text);
}

static void expect_refused(struct world *world, const char *query)
{
	struct wire wire = wiring_connect(world);

	cr_assert(wire_send_text(
		&wire, textf(world, "GET /v1/queue/events%s HTTP/1.1\r\nHost: a\r\n\r\n", query)));
	struct answer answer = wiring_expect(&wire, 401);
	cr_assert(answer_is(&answer, "code", "invalid_queue_token"), "%s: %s", query, answer.body);
	answer_clear(&answer);
	wire_close(&wire);
}

/* Without Redis a genuine token is believed, stale. */
Test(wire_stream, tokens_in_the_address)
{
	struct world *world = open_sale();
	const char *token = place_token(world);
	const char *const wrong[] = {"", "?", "?token", "?token=", "?token=%zz",
		textf(world, "?Token=%s", token), textf(world, "?token=%s%s", token, token),
		textf(world, "?token=%s%%00", token), textf(world, "?token=x&token=%s", token),
		textf(world, "?a=%s", token), textf(world, "?token=%.40s", token)};
	const char *const right[] = {textf(world, "?token=%s", token),
		textf(world, "?a=b&token=%s", token), textf(world, "?token=%s&token=x", token),
		textf(world, "?token=%%%02x%s", (unsigned)token[0], token + 1)};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_refused(world, wrong[i]);
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		struct events events;
		events_open_raw(&events, world_port(world, 0),
			textf(world, "GET /v1/queue/events%s HTTP/1.1\r\nHost: a\r\n\r\n",
				right[i]),
			0);
		struct answer event = events_expect(&events);
		cr_assert(answer_is(&event, "status", "waiting") &&
			  json_is_true(json_object_get(answer_json(&event), "stale")));
		answer_clear(&event);
		events_close(&events);
	}
	world_close(world);
}
