#include "proto/header.h"

#include <criterion/criterion.h>
#include <string.h>
#include "proto/base/check.h"

Test(header, content_type)
{
	static const char *const json[] = {"application/json", "Application/JSON",
		"application/json; charset=utf-8", "application/json\t;a=b"};
	static const char *const others[] = {
		NULL, "", "application/jsonp", "application/json,", "application/jso", "text/json"};

	for (size_t i = 0; i < ARRAY_LEN(json); i++)
		cr_expect(header_is_json(json[i]), "%s", json[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		cr_expect(!header_is_json(others[i]), "%s", others[i]);
}

Test(header, bearer)
{
	cr_expect_str_eq(header_bearer("bearer a.b.c"), "a.b.c");
	cr_expect_str_eq(header_bearer("Bearer "), "");
	cr_expect_null(header_bearer("Bearer"));
	cr_expect_null(header_bearer("Basic a"));
	cr_expect_null(header_bearer(NULL));
}

Test(header, idempotency_key)
{
	char longest[IDEMPOTENCY_KEY_MAX + 2];
	const char *key;
	size_t len;

	memset(longest, 'a', sizeof longest);
	longest[IDEMPOTENCY_KEY_MAX] = '\0';
	cr_expect(header_idempotency_key(longest, &key, &len) && len == IDEMPOTENCY_KEY_MAX);
	longest[IDEMPOTENCY_KEY_MAX] = 'a';
	longest[IDEMPOTENCY_KEY_MAX + 1] = '\0';
	cr_expect(!header_idempotency_key(longest, &key, &len));
	cr_expect(header_idempotency_key("\"a b\"", &key, &len) && len == 3 &&
		  memcmp(key, "a b", len) == 0);
	cr_expect(header_idempotency_key("\"", &key, &len) && len == 1);
	cr_expect(!header_idempotency_key("\"\"", &key, &len));
	cr_expect(!header_idempotency_key("", &key, &len));
	cr_expect(!header_idempotency_key("a\tb", &key, &len));
	cr_expect(!header_idempotency_key("\u00e9", &key, &len));
	cr_expect(!header_idempotency_key(NULL, &key, &len));
}

Test(header, request_id)
{
	char longest[REQUEST_ID_SIZE + 1];

	memset(longest, 'a', sizeof longest);
	longest[REQUEST_ID_SIZE - 1] = '\0';
	cr_expect(header_request_id_ok(longest));
	longest[REQUEST_ID_SIZE - 1] = 'a';
	longest[REQUEST_ID_SIZE] = '\0';
	cr_expect(!header_request_id_ok(longest));
	cr_expect(header_request_id_ok("Az09._-"));
	cr_expect(!header_request_id_ok("a b"));
	cr_expect(!header_request_id_ok("a\"b"));
	cr_expect(!header_request_id_ok(""));
	cr_expect(!header_request_id_ok(NULL));
}

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"

Test(header, traceparent)
{
	static const char *const good[] = {"00-" TRACE_ID "-" SPAN_ID "-01",
		"00-" TRACE_ID "-" SPAN_ID "-00", "00-" TRACE_ID "-" SPAN_ID "-ff",
		"01-" TRACE_ID "-" SPAN_ID "-01", "fe-" TRACE_ID "-" SPAN_ID "-01-more",
		"cc-" TRACE_ID "-" SPAN_ID "-01-"};
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_assert(header_traceparent(good[i], &trace), "%s", good[i]);
		cr_expect_str_eq(trace.trace_id, TRACE_ID);
		cr_expect_str_eq(trace.span_id, SPAN_ID);
	}
}

Test(header, traceparent_refused)
{
	static const char *const bad[] = {NULL, "", "00", "00-", "00-" TRACE_ID,
		"00-" TRACE_ID "-" SPAN_ID, "00-" TRACE_ID "-" SPAN_ID "-",
		"00-" TRACE_ID "-" SPAN_ID "-1", "00-" TRACE_ID "-" SPAN_ID "-0x",
		"00-" TRACE_ID "-" SPAN_ID "-01-", "00-" TRACE_ID "-" SPAN_ID "-01-more",
		"00-" TRACE_ID "-" SPAN_ID "-01 ", "00-" TRACE_ID "-" SPAN_ID "-011",
		" 00-" TRACE_ID "-" SPAN_ID "-01", "ff-" TRACE_ID "-" SPAN_ID "-01",
		"01-" TRACE_ID "-" SPAN_ID "-01more", "0-" TRACE_ID "-" SPAN_ID "-01",
		"0g-" TRACE_ID "-" SPAN_ID "-01", "00_" TRACE_ID "-" SPAN_ID "-01",
		"00-" TRACE_ID "_" SPAN_ID "-01", "00-" TRACE_ID "-" SPAN_ID "_01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN_ID "-01",
		"00-" TRACE_ID "-00F067AA0BA902B7-01", "00-" TRACE_ID "-" SPAN_ID "-0A",
		"00-00000000000000000000000000000000-" SPAN_ID "-01",
		"00-" TRACE_ID "-0000000000000000-01", "00-" TRACE_ID "0-" SPAN_ID "-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN_ID "-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473\"-" SPAN_ID "-01"};
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect(!header_traceparent(bad[i], &trace), "%s",
			bad[i] != NULL ? bad[i] : "none");
}

Test(header, has_tag)
{
	cr_expect(header_has_tag("\"a\"", "\"a\""));
	cr_expect(header_has_tag("W/\"a\"", "\"a\""));
	cr_expect(header_has_tag("\"b\", \"a\"", "\"a\""));
	cr_expect(header_has_tag("*", "\"a\""));
	cr_expect(!header_has_tag("\"ab\"", "\"a\""));
	cr_expect(!header_has_tag("\"ba\"", "\"a\""));
	cr_expect(!header_has_tag("", "\"a\""));
	cr_expect(!header_has_tag(NULL, "\"a\""));
}
