/* Each form of redis.url, and what is none. */
#include "db/redis_url.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/check.h"

static struct redis_url parse(const char *text)
{
	struct redis_url url;
	char why[256] = "";
	cr_assert(redis_url_parse(text, &url, why, sizeof why), "%s: %s", text, why);
	return url;
}

static void expect_tcp(const char *text, const char *user, const char *password, const char *host,
	int port, unsigned db)
{
	struct redis_url url = parse(text);
	cr_expect_eq(url.kind, REDIS_URL_TCP, "%s", text);
	cr_expect_str_eq(url.user, user, "%s", text);
	cr_expect_str_eq(url.password, password, "%s", text);
	cr_expect_str_eq(url.host, host, "%s", text);
	cr_expect_eq(url.port, port, "%s", text);
	cr_expect_eq(url.db, db, "%s", text);
}

Test(redis_url, tcp)
{
	expect_tcp("redis://localhost", "", "", "localhost", 6379, 0);
	expect_tcp("redis://localhost/", "", "", "localhost", 6379, 0);
	expect_tcp("redis://10.0.0.1:6380/15", "", "", "10.0.0.1", 6380, 15);
	expect_tcp("redis://:secret@cache", "", "secret", "cache", 6379, 0);
	expect_tcp("redis://secret@cache", "", "secret", "cache", 6379, 0);
	expect_tcp("redis://shop:a:b@cache:1/2", "shop", "a:b", "cache", 1, 2);
	expect_tcp("redis://:a%40b%2Fc@cache", "", "a@b/c", "cache", 6379, 0);
	expect_tcp("redis://[::1]:7000/1", "", "", "::1", 7000, 1);
	expect_tcp("redis://[fe80::1]", "", "", "fe80::1", 6379, 0);
}

Test(redis_url, sockets_and_none)
{
	struct redis_url url = parse("unix:///run/redis.sock");
	cr_expect_eq(url.kind, REDIS_URL_UNIX);
	cr_expect_str_eq(url.path, "/run/redis.sock");
	cr_expect_eq(url.db, 0);
	url = parse("unix:///run/redis.sock?db=7");
	cr_expect_str_eq(url.path, "/run/redis.sock");
	cr_expect_eq(url.db, 7);
	cr_expect_eq(parse("none").kind, REDIS_URL_NONE);
}

Test(redis_url, what_is_wrong_is_refused_without_the_password)
{
	const char *const wrong[] = {"", "None", "http://a", "redis:/a", "redis://",
		"redis://:hush@", "redis://a:", "redis://a:0", "redis://a:65536", "redis://a:-1",
		"redis://a:1x", "redis://a/x", "redis://a/-1", "redis://a/1/2", "redis://[::1",
		"redis://[]", "redis://[::1]x", "redis://:%zzhush@a", "redis://:%00hush@a",
		"redis://:hush%4@a", "redis://:hush@a:x", "unix://", "unix://relative",
		"unix:///a?db=", "unix:///a?db=x", "unix:///a?other=1"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct redis_url url;
		char why[256] = "";
		cr_expect_not(redis_url_parse(wrong[i], &url, why, sizeof why), "%s", wrong[i]);
		cr_expect_eq(strncmp(why, "redis.url: ", 11), 0, "%s: %s", wrong[i], why);
		cr_expect_null(strstr(why, "hush"), "%s", why);
	}
}

Test(redis_url, what_is_too_long_is_refused)
{
	char text[2048], why[256], long_part[1024];
	const char *const forms[] = {"redis://%s", "redis://:%s@a", "redis://%s:x@a", "unix:///%s"};
	struct redis_url url;
	memset(long_part, 'a', sizeof long_part - 1);
	long_part[sizeof long_part - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char *percent = strstr(forms[i], "%s");
		int before = (int)(percent - forms[i]);
		snprintf(text, sizeof text, "%.*s%s%s", before, forms[i], long_part, percent + 2);
		cr_expect_not(redis_url_parse(text, &url, why, sizeof why), "%s", forms[i]);
	}
}
