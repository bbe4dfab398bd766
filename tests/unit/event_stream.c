/* Server-sent events, to the byte. */
#include "proto/event_stream.h"

#include <criterion/criterion.h>
#include <signal.h>

static void expect_written(const struct server_event *event, bool chunked, const char *expected)
{
	struct buf out = BUF_INIT(4096);

	server_event_write(&out, event, chunked);
	cr_assert(!out.failed);
	cr_expect_str_eq(out.data, expected);
	buf_free(&out);
}

Test(event_stream, writes_what_is_said)
{
	struct server_event event = {.data = "{\"a\":1}", .len = 7};

	expect_written(&event, false, "data: {\"a\":1}\n\n");
	expect_written(&event, true, "f\r\ndata: {\"a\":1}\n\n\r\n");
	event.name = "end";
	expect_written(&event, false, "event: end\ndata: {\"a\":1}\n\n");
	event.retry_ms = 2500;
	expect_written(&event, true, "26\r\nretry: 2500\nevent: end\ndata: {\"a\":1}\n\n\r\n");
	event.name = NULL;
	event.len = 0;
	expect_written(&event, false, "retry: 2500\ndata: \n\n");
}

Test(event_stream, writes_a_comment)
{
	const struct server_event comment = {.data = NULL};

	expect_written(&comment, false, ":\n\n");
	expect_written(&comment, true, "3\r\n:\n\n\r\n");
}

Test(event_stream, ends_with_the_last_chunk)
{
	struct buf out = BUF_INIT(64);

	server_event_write_end(&out, false);
	cr_expect_eq(out.len, 0);
	server_event_write_end(&out, true);
	cr_expect_str_eq(out.data, "0\r\n\r\n");
	buf_free(&out);
}

/* All of it or nothing. */
Test(event_stream, past_the_limit_nothing_is_written)
{
	const struct server_event event = {
		.data = "0123456789012345678901234567890123456789", .len = 40};
	struct buf out = BUF_INIT(64);

	server_event_write(&out, &event, true);
	cr_expect(out.failed && out.len == 0);
	buf_free(&out);
}

Test(event_stream, data_of_two_lines_is_a_bug, .signal = SIGABRT)
{
	const struct server_event event = {.data = "a\nb", .len = 3};

	expect_written(&event, false, "");
}
