/* What a strict server refuses: each row is bytes and the status that they get. The connection ends after
 * it: the request that stands behind the bad one is never answered. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/wire/wiring.h"

TestSuite(wire_bad, .timeout = 60);

struct row {
	int status;
	const char *bytes;
	size_t len;
};

#define ROW(status, bytes) \
	{ \
		status, bytes, sizeof(bytes) - 1 \
	}
#define BEHIND "GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n"
#define POST_WITH(lines) \
	"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" lines "\r\n"
#define CHUNKED POST_WITH("Transfer-Encoding: chunked\r\n")

static void check_row(struct world *world, const struct row *row)
{
	struct wire wire = wiring_connect(world);
	struct answer answer = {0};

	cr_assert(wire_send(&wire, row->bytes, row->len) && wire_send_text(&wire, BEHIND));
	enum wire_result result = wire_answer(&wire, &answer, false, WIRE_LIMIT_MS);
	cr_assert(result == WIRE_ANSWER && answer.status == row->status, "%d instead of %d: %s",
		answer.status, row->status, row->bytes);
	cr_assert(answer_header_is(&answer, "connection", "close"), "%s", row->bytes);
	cr_assert(answer_header_is(&answer, "content-type", "application/problem+json"));
	wiring_expect_end(&wire);
	answer_clear(&answer);
	wire_close(&wire);
}

static void check_rows(const struct row *rows, size_t count)
{
	struct world *world = wiring_open();

	for (size_t i = 0; i < count; i++)
		check_row(world, &rows[i]);
	world_close(world);
}

Test(wire_bad, request_lines)
{
	static const struct row rows[] = {
		ROW(400, "GET /livez\r\n\r\n"),
		ROW(400, " GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "GET livez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "GET /li\x01vez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "GET /li\0vez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\nHost: a\n\n"),
		ROW(400, "GET /livez HTTQ/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "get /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "NOTAMETHOD /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
		ROW(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		ROW(505, "GET /livez HTTP/2.0\r\nHost: a\r\n\r\n"),
		ROW(505, "GET /livez HTTP/1.2\r\nHost: a\r\n\r\n"),
	};

	check_rows(rows, ARRAY_LEN(rows));
}

Test(wire_bad, header_lines)
{
	static const struct row rows[] = {
		ROW(400, "GET /livez HTTP/1.1\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost : a\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\n Host: a\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Cr: a\rb\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Lf: a\nb: c\r\n\r\n"),
		ROW(400, "GET /livez HTTP/1.1\r\nHost: a\r\nX(Y): a\r\n\r\n"),
	};

	check_rows(rows, ARRAY_LEN(rows));
}

/* Where one server sees one request and another one sees two. */
Test(wire_bad, lengths_that_smuggle)
{
	static const struct row rows[] = {
		ROW(400,
			POST_WITH(
				"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n"),
		ROW(400,
			POST_WITH(
				"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Content-Length: 2\r\nContent-Length: 3\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: 2\r\nContent-Length: 2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: 2, 2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: +2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: -2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: 0x2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: 2 2\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length:\r\n") "{}"),
		ROW(400, POST_WITH("Content-Length: 18446744073709551618\r\n") "{}"),
		ROW(400,
			POST_WITH(
				"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Transfer-Encoding: chunked, chunked\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Transfer-Encoding: gzip, chunked\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Transfer-Encoding: identity\r\n")),
		ROW(400, POST_WITH("Transfer-Encoding: xchunked\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Transfer-Encoding: \x0b"
				   "chunked\r\n") "0\r\n\r\n"),
		ROW(400, POST_WITH("Transfer-Encoding : chunked\r\n") "0\r\n\r\n"),
		ROW(400,
			"POST /v1/sessions HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	};

	check_rows(rows, ARRAY_LEN(rows));
}

Test(wire_bad, chunks)
{
	static const struct row rows[] = {
		ROW(400, CHUNKED "x\r\n{}\r\n0\r\n\r\n"),
		ROW(400, CHUNKED "-2\r\n{}\r\n0\r\n\r\n"),
		ROW(400, CHUNKED "2\r\n{}0\r\n\r\n"),
		ROW(400, CHUNKED "2\n{}\r\n0\r\n\r\n"),
		ROW(413, CHUNKED "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
		ROW(413, CHUNKED "10001\r\n{}"),
	};

	check_rows(rows, ARRAY_LEN(rows));
}

/* Over the limits, before all of it has come. */
Test(wire_bad, too_much)
{
	struct world *world = wiring_open();
	struct buf head = BUF_INIT(CALL_SIZE_MAX);
	static const struct row big_body = ROW(413, POST_WITH("Content-Length: 65537\r\n"));

	check_row(world, &big_body);
	buf_append_text(&head, "GET /livez HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 64; i++) /* with Host, one too many */
		buf_printf(&head, "X-%d: a\r\n", i);
	buf_append_text(&head, "\r\n");
	check_row(world, &(struct row){431, head.data, head.len});
	buf_clear(&head);
	buf_append_text(&head, "GET /");
	while (head.len < 8 * 1024 + 1)
		buf_append_char(&head, 'x');
	check_row(world, &(struct row){431, head.data, head.len});
	buf_free(&head);
	world_close(world);
}

/* To the limits, all of it is taken. */
Test(wire_bad, as_much_as_is_allowed)
{
	struct world *world = wiring_open();
	struct buf head = BUF_INIT(CALL_SIZE_MAX);
	struct wire wire = wiring_connect(world);

	buf_append_text(&head, "GET /livez HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 63; i++)
		buf_printf(&head, "X-%d: a\r\n", i);
	buf_append_text(&head, "\r\n");
	cr_assert(wire_send(&wire, head.data, head.len));
	wiring_expect_only(&wire, 200);
	buf_clear(&head);
	buf_append_text(&head, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: ");
	while (head.len < 8 * 1024 - 4)
		buf_append_char(&head, 'x');
	buf_append_text(&head, "\r\n\r\n");
	cr_assert(wire_send(&wire, head.data, head.len));
	wiring_expect_only(&wire, 200);
	buf_free(&head);
	wire_close(&wire);
	world_close(world);
}
