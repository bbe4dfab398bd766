/* The reader of replies of bench/swarm: whole, in pieces, and what is no reply. */
#include "bench/swarm/reader.h"

#include <criterion/criterion.h>
#include <string.h>

static struct reader reader;

static void setup(void)
{
	reader_next(&reader);
}

static void teardown(void)
{
	reader_free(&reader);
}

TestSuite(swarm_reader, .init = setup, .fini = teardown);

static enum reader_result feed(const char *text)
{
	return reader_feed(&reader, text, strlen(text));
}

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			    "Content-Length: 11\r\n\r\n{\"a\": \"\\n\"}";

static void expect_plain(void)
{
	cr_expect_eq(reader.reply.status, 200);
	cr_expect_eq(reader.reply.body.len, 11);
	cr_expect_str_eq(reader.reply.body.data, "{\"a\": \"\\n\"}");
	cr_expect(reader.reply.keep_alive);
	cr_expect_eq(reader.reply.retry_after_s, 0);
}

Test(swarm_reader, one_after_another)
{
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(feed(plain), READER_WHOLE);
		expect_plain();
		reader_next(&reader);
		cr_assert_eq(reader.reply.body.len, 0);
		cr_assert_eq(reader.reply.status, 0);
	}
}

Test(swarm_reader, byte_by_byte)
{
	for (size_t i = 0; i + 2 < sizeof plain; i++)
		cr_assert_eq(reader_feed(&reader, plain + i, 1), READER_MORE);
	cr_assert_eq(reader_feed(&reader, plain + sizeof plain - 2, 1), READER_WHOLE);
	expect_plain();
}

Test(swarm_reader, retry_after_and_close_in_pieces)
{
	static const char *const pieces[] = {"HTTP/1.1 503 Service Unavailable\r\nRet", "RY-after",
		": 1", "2\r\nX-Retry-After: 99\r\nRetry-After-Not-This: 98\r\n",
		"Connection: close\r\nContent-Length: 0\r\n\r"};

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		cr_assert_eq(feed(pieces[i]), READER_MORE, "%s", pieces[i]);
	cr_assert_eq(feed("\n"), READER_WHOLE);
	cr_expect_eq(reader.reply.status, 503);
	cr_expect_eq(reader.reply.retry_after_s, 12);
	cr_expect(!reader.reply.keep_alive);
}

Test(swarm_reader, retry_after_has_a_limit_and_may_be_a_date)
{
	cr_assert_eq(feed("HTTP/1.1 503 X\r\nRetry-After: 99999999999999999999\r\n"
			  "Content-Length: 0\r\n\r\n"),
		READER_WHOLE);
	cr_expect_eq(reader.reply.retry_after_s, 3600);
	reader_next(&reader);
	cr_assert_eq(feed("HTTP/1.1 503 X\r\nRetry-After: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
			  "Content-Length: 0\r\n\r\n"),
		READER_WHOLE);
	cr_expect_eq(reader.reply.retry_after_s, 0);
}

Test(swarm_reader, replies_without_a_body)
{
	cr_assert_eq(feed("HTTP/1.1 204 No Content\r\n\r\n"), READER_WHOLE);
	cr_expect_eq(reader.reply.status, 204);
	cr_expect_eq(reader.reply.body.len, 0);
	reader_next(&reader);
	cr_assert_eq(feed("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"), READER_WHOLE);
	cr_expect_eq(reader.reply.status, 304);
}

Test(swarm_reader, chunks)
{
	cr_assert_eq(feed("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\""),
		READER_MORE);
	cr_assert_eq(feed("\r\n3\r\n:1}\r\n0\r\n\r\n"), READER_WHOLE);
	cr_expect_str_eq(reader.reply.body.data, "{\"a\":1}");
}

Test(swarm_reader, the_end_ends_only_what_told_no_length)
{
	cr_assert_eq(feed("HTTP/1.1 200 OK\r\n\r\nsome"), READER_MORE);
	cr_assert_eq(reader_end(&reader), READER_WHOLE);
	cr_expect_str_eq(reader.reply.body.data, "some");
	cr_expect(!reader.reply.keep_alive);
	reader_next(&reader);
	cr_assert_eq(feed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"), READER_MORE);
	cr_assert_neq(reader_end(&reader), READER_WHOLE);
	reader_next(&reader);
	cr_assert_neq(reader_end(&reader), READER_WHOLE);
}

Test(swarm_reader, what_is_no_reply)
{
	static const char *const wrong[] = {"SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.1\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		reader_next(&reader);
		cr_expect_eq(feed(wrong[i]), READER_BROKEN, "%s", wrong[i]);
	}
}

Test(swarm_reader, nothing_may_follow)
{
	static const char two[] = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

	cr_expect_eq(feed(two), READER_BROKEN);
	reader_next(&reader);
	cr_assert_eq(feed(plain), READER_WHOLE);
	cr_expect_eq(feed("x"), READER_BROKEN);
}

Test(swarm_reader, a_body_has_a_limit)
{
	static char bytes[64 * 1024];
	enum reader_result result = READER_MORE;

	memset(bytes, 'x', sizeof bytes);
	cr_assert_eq(feed("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"), READER_MORE);
	for (size_t sent = 0; sent < READER_BODY_MAX; sent += sizeof bytes) {
		result = reader_feed(&reader, bytes, sizeof bytes);
		cr_assert_eq(result, READER_MORE);
	}
	cr_expect_eq(reader_feed(&reader, bytes, 1), READER_BROKEN);
}
