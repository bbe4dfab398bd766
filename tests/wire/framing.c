/* Requests that come in odd pieces and odd but lawful shapes: split, pipelined, chunked, by HEAD, in
 * HTTP/1.0, with Expect. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

enum { ALL_AT_ONCE = 3000, PIPELINED = 60 };

TestSuite(wire_framing, .timeout = 60);

static const char charge_body[] = "{\"amount\": 5}";

/* A charge whose key and request id are the number. */
static void write_charge(struct world *world, struct buf *bytes, unsigned number)
{
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[0].jwt,
		.key = textf(world, "%u", number),
		.headers = textf(world, "X-Request-Id: %u\r\n", number),
		.body = charge_body};

	call_write(&call, bytes);
}

static void expect_number(struct world *world, struct wire *wire, int status, unsigned number)
{
	struct answer answer = wiring_expect(wire, status);

	cr_assert(answer_header_is(&answer, "x-request-id", textf(world, "%u", number)));
	answer_clear(&answer);
}

Test(wire_framing, one_byte_at_a_time)
{
	struct world *world = wiring_open();
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	write_charge(world, &bytes, 1);
	for (size_t i = 0; i < bytes.len; i++)
		cr_assert(wire_send(&wire, bytes.data + i, 1));
	expect_number(world, &wire, 201, 1);
	buf_free(&bytes);
	wire_close(&wire);
	world_close(world);
}

/* Cut in two at every place; the halves go out apart. */
Test(wire_framing, two_pieces)
{
	struct world *world = wiring_open();
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	for (unsigned i = 1; i == 1 || i < bytes.len; i += 7) {
		buf_clear(&bytes);
		write_charge(world, &bytes, i);
		cr_assert(wire_send(&wire, bytes.data, i) &&
			  wire_send(&wire, bytes.data + i, bytes.len - i));
		expect_number(world, &wire, 201, i);
	}
	buf_free(&bytes);
	wire_close(&wire);
	world_close(world);
}

/* A charge waits for PostgreSQL, what comes behind it does not: the replies come in order all the same. */
Test(wire_framing, pipelined)
{
	struct world *world = wiring_open();
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	for (unsigned i = 1; i <= PIPELINED; i++)
		if (i % 3 == 1)
			write_charge(world, &bytes, i);
		else
			buf_printf(&bytes,
				"GET /%s HTTP/1.1\r\nHost: a\r\nX-Request-Id: %u\r\n\r\n",
				i % 3 == 2 ? "livez" : "nothing", i);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	for (unsigned i = 1; i <= PIPELINED; i++)
		expect_number(world, &wire, i % 3 == 1 ? 201 : i % 3 == 2 ? 200 : 404, i);
	buf_free(&bytes);
	wire_close(&wire);
	world_close(world);
}

/* More than one read takes, more than waits behind a request in work, and the end right behind it: what is left in the
 * socket is not told of again. */
Test(wire_framing, all_at_once)
{
	struct world *world = wiring_open();
	struct buf bytes = BUF_INIT(ALL_AT_ONCE * CALL_SIZE_MAX);
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	write_charge(world, &bytes, 1);
	for (unsigned i = 2; i <= ALL_AT_ONCE; i++)
		buf_printf(&bytes, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: %u\r\n\r\n", i);
	cr_assert(bytes.len > 2 * 64 * 1024);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	wire_shut(&wire);
	expect_number(world, &wire, 201, 1);
	for (unsigned i = 2; i <= ALL_AT_ONCE; i++)
		expect_number(world, &wire, 200, i);
	wiring_expect_end(&wire);
	buf_free(&bytes);
	wire_close(&wire);
	world_close(world);
}

/* Lawful shapes, all on one connection. */
Test(wire_framing, lawful_shapes)
{
	struct world *world = wiring_open();
	struct wire wire = wiring_connect(world);
	static const struct {
		int status;
		const char *bytes;
	} rows[] = {
		{200, "GET /livez HTTP/1.1\r\nhOsT:   a\t\r\nX-Empty:\r\n\r\n"},
		{200, "\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"},
		{200, "GET http://onsale.test/livez HTTP/1.1\r\nHost: onsale.test\r\n\r\n"},
		{200, "GET /livez?x=%20 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{200, "GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"},
		{404, "GET /livez/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{200, "GET /livez HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
		{200, "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
		{200, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert(wire_send_text(&wire, rows[i].bytes));
		wiring_expect_only(&wire, rows[i].status);
	}
	wire_close(&wire);
	world_close(world);
}

Test(wire_framing, last_requests)
{
	struct world *world = wiring_open();
	static const char *const rows[] = {
		"GET /livez HTTP/1.0\r\nHost: a\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /livez HTTP/1.1\r\n"
		"Host: a\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire wire = wiring_connect(world);
		cr_assert(wire_send_text(&wire, rows[i]));
		struct answer answer = wiring_expect(&wire, 200);
		cr_assert(answer_header_is(&answer, "connection", "close"));
		answer_clear(&answer);
		wiring_expect_end(&wire);
		wire_close(&wire);
	}
	world_close(world);
}

Test(wire_framing, chunked_body)
{
	struct world *world = wiring_open();
	struct wire wire;
	static const char *const rows[] = {"d\r\n{\"amount\": 5}\r\n0\r\n\r\n",
		"1\r\n{\r\nC\r\n\"amount\": 5}\r\n0\r\n\r\n",
		"0D;ext=1\r\n{\"amount\": 5}\r\n0\r\n\r\n",
		"d\r\n{\"amount\": 5}\r\n0\r\nX-Trailer: a\r\n\r\n"};

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call call = {.method = "POST",
			.path = "/v1/me/balance/charges",
			.jwt = world->people.list[0].jwt,
			.key = textf(world, "%zu", i),
			.headers =
				"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"};
		struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
		call_write(&call, &bytes);
		buf_append_text(&bytes, rows[i]);
		cr_assert(wire_send(&wire, bytes.data, bytes.len));
		wiring_expect_only(&wire, 201);
		buf_free(&bytes);
	}
	wire_close(&wire);
	world_close(world);
}

Test(wire_framing, head)
{
	struct world *world = wiring_open();
	struct wire wire = wiring_connect(world);
	struct answer head = {0};
	char length[24];

	cr_assert(wire_send_text(&wire, "HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
	cr_assert(wire_answer(&wire, &head, true, WIRE_LIMIT_MS) == WIRE_ANSWER &&
		  head.status == 200);
	cr_assert(answer_header(&head, "content-length", length, sizeof length));
	cr_assert(wire_send_text(&wire,
		"HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\n"
		"Host: a\r\n\r\n"));
	answer_clear(&head);
	cr_assert(wire_answer(&wire, &head, true, WIRE_LIMIT_MS) == WIRE_ANSWER &&
		  head.status == 404);
	struct answer get = wiring_expect(&wire, 200);
	cr_assert(answer_header_is(&get, "content-length", length) && get.body_len > 0);
	answer_clear(&head);
	answer_clear(&get);
	wire_close(&wire);
	world_close(world);
}

Test(wire_framing, expect_continue)
{
	struct world *world = wiring_open();
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	wire = wiring_connect(world);
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[0].jwt,
		.key = "k",
		.headers =
			"Content-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n"};
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	call_write(&call, &bytes);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	wiring_expect_only(&wire, 100);
	cr_assert(wire_send_text(&wire, charge_body));
	wiring_expect_only(&wire, 201);
	buf_free(&bytes);
	wire_close(&wire);
	world_close(world);
}

/* Too large is said before the body is sent for. */
Test(wire_framing, expect_refused)
{
	struct world *world = wiring_open();
	struct wire wire = wiring_connect(world);

	cr_assert(wire_send_text(&wire,
		"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
		"Content-Type: application/json\r\nContent-Length: 70000\r\n\r\n"));
	wiring_expect_only(&wire, 413);
	wiring_expect_end(&wire);
	wire_close(&wire);
	world_close(world);
}
