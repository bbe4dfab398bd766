/* Times as text, both ways, and the cached clocks. */
#include "proto/base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "proto/base/check.h"

enum { DAYS_TO_10000 = 2932897 };
static const int64_t day_ms = 86400000;

Test(clock, formats)
{
	static const struct {
		int64_t unix_ms;
		const char *text;
	} examples[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.001Z"},
		{-1, "1970-01-01T00:00:00.000Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{1795255200123, "2026-11-21T10:00:00.123Z"},
		{4107542399999, "2100-02-28T23:59:59.999Z"},
		{4107542400000, "2100-03-01T00:00:00.000Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[CLOCK_TEXT_SIZE];
		clock_format(examples[i].unix_ms, text);
		cr_expect_str_eq(text, examples[i].text);
	}
}

/* Every day from 1970 to 9999, against the C library, there and back. */
Test(clock, agrees_with_the_library_on_every_day)
{
	for (int64_t day = 0; day < DAYS_TO_10000; day++) {
		int64_t unix_ms = day * day_ms + day * 37 % day_ms, back = -1;
		time_t seconds = (time_t)(unix_ms / 1000);
		struct tm tm;
		char text[CLOCK_TEXT_SIZE], expected[64];
		gmtime_r(&seconds, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec, (int)(unix_ms % 1000));
		clock_format(unix_ms, text);
		cr_assert_str_eq(text, expected);
		cr_assert(clock_parse(text, &back) && back == unix_ms, "%s", text);
	}
}

Test(clock, parses)
{
	static const struct {
		const char *text;
		int64_t unix_ms;
	} examples[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01t00:00:00z", 0},
		{"1970-01-01T00:00:00.5Z", 500},
		{"1970-01-01T00:00:00.123999Z", 123},
		{"1970-01-01T00:00:00.000000000000000000001Z", 0},
		{"1970-01-01T09:00:00+09:00", 0},
		{"1969-12-31T19:00:00-05:00", 0},
		{"1970-01-01T00:00:00-00:00", 0},
		{"2026-11-21T19:30:00.250+09:30", 1795255200250},
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"2017-01-01T08:59:60+09:00", 1483228800000},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		int64_t unix_ms = -1;
		cr_expect(clock_parse(examples[i].text, &unix_ms), "%s", examples[i].text);
		cr_expect_eq(unix_ms, examples[i].unix_ms, "%s", examples[i].text);
	}
}

Test(clock, refuses)
{
	static const char *const examples[] = {"", "x", "2026-11-21", "2026-11-21T10:00:00",
		"2026-11-21 10:00:00Z", "2026-11-21T10:00Z", "2026-11-21T10:00:00Zx",
		"2026-11-21T10:00:00.Z", "2026-11-21T10:00:00,5Z", "2026-11-21T10:00:00+0900",
		"2026-11-21T10:00:00+09", "2026-11-21T10:00:00+24:00", "2026-11-21T10:00:00+09:60",
		"2026-11-21T24:00:00Z", "2026-11-21T10:60:00Z", "2026-11-21T10:00:61Z",
		"2026-11-21T10:00:60Z", "2026-02-29T10:00:00Z", "2100-02-29T10:00:00Z",
		"2026-11-31T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
		"2026-01-00T10:00:00Z", "+026-01-01T10:00:00Z", "2026-1-01T10:00:00Z",
		"02026-01-01T10:00:00Z", " 2026-11-21T10:00:00Z", "1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:60Z", "2026-11-21T10:00:00-"};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		int64_t unix_ms = 42;
		cr_expect(!clock_parse(examples[i], &unix_ms), "%s", examples[i]);
		cr_expect_eq(unix_ms, 42, "left alone: %s", examples[i]);
	}
}

Test(clock, is_cached_for_a_turn)
{
	clock_turn();
	uint64_t turn = clock_mono_us();
	int64_t wall = clock_unix_ms();
	while (clock_mono_us_now() <= turn + 2000) {
	}
	cr_expect_eq(clock_mono_us(), turn);
	cr_expect_eq(clock_mono_ms(), turn / 1000);
	cr_expect_eq(clock_unix_ms(), wall);
	clock_turn();
	cr_expect_gt(clock_mono_us(), turn + 2000);
	cr_expect_geq(clock_unix_ms(), wall);
}

Test(clock, reads_before_the_first_turn)
{
	cr_expect_gt(clock_mono_us(), 0);
	cr_expect_geq(clock_unix_ms(), ((int64_t)time(NULL) - 2) * 1000);
}
