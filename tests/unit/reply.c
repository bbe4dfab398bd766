/* Replies, to the byte. */
#include "proto/reply.h"

#include <criterion/criterion.h>
#include <string.h>

#define HELD_BACK \
	"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\n" \
	"Content-Security-Policy: default-src 'none'\r\n"

static void expect_written(const struct reply *reply, const char *expected)
{
	struct buf out = BUF_INIT(4096);
	reply_write(&out, reply);
	cr_assert(!out.failed);
	cr_expect_str_eq(out.data, expected);
	buf_free(&out);
}

Test(reply, writes_a_body)
{
	struct reply reply = {.status = 201,
		.content_type = "application/json",
		.request_id = "r1",
		.body = "{\"a\":1}",
		.body_len = 7};
	expect_written(&reply,
		"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
		"X-Request-Id: r1\r\n" HELD_BACK "\r\n{\"a\":1}");
	reply.head_only = true;
	expect_written(&reply,
		"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
		"X-Request-Id: r1\r\n" HELD_BACK "\r\n");
	reply.head_only = false;
	reply.close = true;
	reply.headers = "A: b\r\nC: d\r\n";
	reply.more_headers = "E: f\r\n";
	expect_written(&reply,
		"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
		"X-Request-Id: r1\r\nConnection: close\r\n" HELD_BACK
		"A: b\r\nC: d\r\nE: f\r\n\r\n{\"a\":1}");
}

Test(reply, writes_an_empty_body)
{
	const struct reply reply = {
		.status = 200, .content_type = "text/plain", .request_id = "r", .body = NULL};
	expect_written(&reply,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"
		"X-Request-Id: r\r\n" HELD_BACK "\r\n");
	const struct reply untyped = {.status = 503, .request_id = "r"};
	expect_written(&untyped, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
				 "X-Request-Id: r\r\n" HELD_BACK "\r\n");
}

Test(reply, leaves_a_page_its_own_policy)
{
	const struct reply page = {.status = 200,
		.content_type = "text/html; charset=utf-8",
		.headers = "Content-Security-Policy: default-src 'self'\r\n",
		.request_id = "r"};
	expect_written(&page,
		"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n"
		"X-Request-Id: r\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
		"X-Frame-Options: DENY\r\nContent-Security-Policy: default-src 'self'\r\n\r\n");
}

Test(reply, says_no_length_where_there_is_no_body)
{
	static const int statuses[] = {204, 304};
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct reply reply = {
			.status = statuses[i], .request_id = "r", .headers = "ETag: \"1\"\r\n"};
		const char *expected =
			statuses[i] == 204
				? "HTTP/1.1 204 No Content\r\nX-Request-Id: r\r\n" HELD_BACK
				  "ETag: \"1\"\r\n\r\n"
				: "HTTP/1.1 304 Not Modified\r\nX-Request-Id: r\r\n"
				  "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
				  "X-Frame-Options: DENY\r\nETag: \"1\"\r\n\r\n";
		expect_written(&reply, expected);
		reply.content_type = "text/plain";
		reply.body = "ignored";
		reply.body_len = 7;
		expect_written(&reply, expected);
	}
}

Test(reply, keeps_caches_off)
{
	const struct reply reply = {.status = 204, .request_id = "r", .no_store = true};
	expect_written(&reply,
		"HTTP/1.1 204 No Content\r\nX-Request-Id: r\r\nCache-Control: no-store\r\n" HELD_BACK
		"\r\n");
}

Test(reply, appends_to_what_is_there)
{
	struct buf out = BUF_INIT(4096);
	const struct reply reply = {.status = 204, .request_id = "r"};
	reply_write(&out, &reply);
	reply_write(&out, &reply);
	cr_expect_str_eq(out.data,
		"HTTP/1.1 204 No Content\r\nX-Request-Id: r\r\n" HELD_BACK "\r\n"
		"HTTP/1.1 204 No Content\r\nX-Request-Id: r\r\n" HELD_BACK "\r\n");
	buf_free(&out);
}

Test(reply, fails_whole_past_the_limit)
{
	static char body[1000];
	struct buf out = BUF_INIT(1000);
	buf_append_text(&out, "before");
	const struct reply reply = {.status = 200,
		.content_type = "text/plain",
		.request_id = "r",
		.body = body,
		.body_len = sizeof(body)};
	reply_write(&out, &reply);
	cr_expect(out.failed);
	cr_expect_str_eq(out.data, "before");
	buf_free(&out);
}

Test(reply, knows_a_reason_for_every_problem)
{
	static const int statuses[] = {
#define PROBLEM(name, code, status, title, detail) status,
#include "proto/problem.def"
#undef PROBLEM
	};
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		cr_expect_str_neq(reply_reason(statuses[i]), "Unknown", "%d", statuses[i]);
	cr_expect_str_eq(reply_reason(404), "Not Found");
	cr_expect_str_eq(reply_reason(299), "Unknown");
	const struct reply unlisted = {.status = 299, .request_id = "r"};
	expect_written(&unlisted,
		"HTTP/1.1 299 \r\nContent-Length: 0\r\nX-Request-Id: r\r\n" HELD_BACK "\r\n");
}

Test(reply, writes_the_head_of_a_stream)
{
	struct reply reply = {.status = 200,
		.content_type = "text/event-stream",
		.request_id = "r1",
		.streamed = true,
		.close = true};
	expect_written(&reply,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: r1\r\n"
		"Connection: close\r\n" HELD_BACK "\r\n");
	reply.chunked = true;
	expect_written(&reply,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
		"X-Request-Id: r1\r\nConnection: close\r\n" HELD_BACK "\r\n");
}
