/* Origins: exact, or nothing. */
#include "proto/cors.h"

#include <criterion/criterion.h>

static const char list[] = "https://shop.example, http://localhost:3000 ,https://b.example";

Test(cors, lists)
{
	static const char *const wrong[] = {"*", "shop.example", "https://", "https://a.example/",
		"https://A.example", "https://a.example https://b.example", "ftp://a.example",
		"null", "https://*.example", "https://a.example;x", ",https://a.example"};

	cr_expect(cors_list_ok("") && cors_list_ok(list) && cors_list_ok("http://[::1]:8080"));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect(!cors_list_ok(wrong[i]), "%s", wrong[i]);
}

Test(cors, allows)
{
	static const char *const allowed[] = {
		"https://shop.example", "http://localhost:3000", "https://b.example"};
	static const char *const denied[] = {"https://shop.example.evil", "https://shop.exampl",
		"http://shop.example", "https://shop.example:443", "null", "", "*",
		"https://shop.example, http://localhost:3000"};

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		cr_expect(cors_allows(list, allowed[i]), "%s", allowed[i]);
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		cr_expect(!cors_allows(list, denied[i]), "%s", denied[i]);
	cr_expect(!cors_allows(list, NULL) && !cors_allows("", "https://shop.example"));
}

static void expect_lines(const char *origins, const char *origin, const char *expected)
{
	struct buf out = BUF_INIT(1024);

	cors_write(&out, origins, origin);
	cr_expect_str_eq(out.data != NULL ? out.data : "", expected);
	buf_free(&out);
}

Test(cors, lines)
{
	expect_lines("", "https://shop.example", "");
	expect_lines(list, NULL, "Vary: Origin\r\n");
	expect_lines(list, "https://evil.example", "Vary: Origin\r\n");
	expect_lines(list, "https://b.example",
		"Access-Control-Allow-Origin: https://b.example\r\n"
		"Access-Control-Expose-Headers: Age, Allow, Cache-Status, ETag, Idempotent-Replayed, RateLimit, "
		"RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id\r\n"
		"Vary: Origin\r\n");
}
