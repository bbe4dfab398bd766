/* The cached clocks, and times as text both ways, by gmtime_r and timegm: no time zone of the machine can
 * come in. */
#include "proto/base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

/* The last millisecond of the year 9999. */
#define UNIX_MS_MAX INT64_C(253402300799999)
#define DAY_SECONDS INT64_C(86400)

static uint64_t turn_mono_us; /* 0: to be read */
static int64_t turn_unix_ms;

static int64_t unix_ms_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_mono_us_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void clock_turn(void)
{
	turn_mono_us = 0;
}

static void read_clocks(void)
{
	if (turn_mono_us != 0)
		return;
	turn_mono_us = clock_mono_us_now();
	turn_unix_ms = unix_ms_now();
}

uint64_t clock_mono_us(void)
{
	read_clocks();
	return turn_mono_us;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_unix_ms(void)
{
	read_clocks();
	return turn_unix_ms;
}

const char *clock_http_date(void)
{
	static char text[sizeof "Sat, 21 Nov 2026 10:00:00 GMT"];
	static time_t of;
	time_t now = (time_t)(clock_unix_ms() / 1000);
	struct tm utc;
	if (now != of && gmtime_r(&now, &utc) != NULL) {
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
		of = now;
	}
	return text;
}

static void put_digits(char *text, int64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		text[i] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Of times that are written most follow one another within a second. */
void clock_format(int64_t unix_ms, char text[CLOCK_TEXT_SIZE])
{
	static _Thread_local char second[CLOCK_TEXT_SIZE];
	static _Thread_local time_t of = -1;
	if (unix_ms < 0)
		unix_ms = 0;
	if (unix_ms > UNIX_MS_MAX)
		unix_ms = UNIX_MS_MAX;
	time_t seconds = (time_t)(unix_ms / 1000);
	if (seconds != of) {
		struct tm utc;
		gmtime_r(&seconds, &utc);
		strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S.000Z", &utc);
		of = seconds;
	}
	memcpy(text, second, CLOCK_TEXT_SIZE);
	put_digits(text + 20, unix_ms % 1000, 3);
}

/* Reads exactly `digits` digits and moves on. */
static bool take_number(const char **text, int digits, int max, int *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++) {
		char c = **text;
		if (c < '0' || c > '9')
			return false;
		*value = *value * 10 + (c - '0');
		(*text)++;
	}
	return *value <= max;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool take_date(const char **text, int64_t *days)
{
	int year, month, day;
	if (!take_number(text, 4, 9999, &year) || !take_char(text, '-') ||
		!take_number(text, 2, 12, &month) || !take_char(text, '-') ||
		!take_number(text, 2, 31, &day))
		return false;
	/* 1969-12-31 can still be 1970 in UTC. */
	struct tm date = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	if (year < 1969 || month < 1 || day < 1)
		return false;
	*days = (timegm(&date) + DAY_SECONDS) / DAY_SECONDS - 1; /* of 1969: -1 and before */
	return date.tm_mday == day; /* else the month has no such day */
}

/* Seconds of the day, which may be 24:00:00 less nothing: second 60 is told apart by *leap. */
static bool take_time(const char **text, int64_t *seconds, int64_t *ms, bool *leap)
{
	int hour, minute, second;
	if (!take_number(text, 2, 23, &hour) || !take_char(text, ':') ||
		!take_number(text, 2, 59, &minute) || !take_char(text, ':') ||
		!take_number(text, 2, 60, &second))
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	*leap = second == 60;
	*ms = 0;
	if (!take_char(text, '.'))
		return true;
	int digits = 0;
	for (int64_t place = 100; **text >= '0' && **text <= '9'; (*text)++, digits++, place /= 10)
		*ms += place * (**text - '0');
	return digits > 0;
}

static bool take_offset(const char **text, int64_t *seconds)
{
	*seconds = 0;
	if (take_char(text, 'Z') || take_char(text, 'z'))
		return true;
	int sign = **text == '-' ? -1 : 1, hours, minutes;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return false;
	if (!take_number(text, 2, 23, &hours) || !take_char(text, ':') ||
		!take_number(text, 2, 59, &minutes))
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool clock_parse(const char *text, int64_t *unix_ms)
{
	int64_t days, seconds, ms, offset;
	bool leap;
	if (!take_date(&text, &days) || (!take_char(&text, 'T') && !take_char(&text, 't')) ||
		!take_time(&text, &seconds, &ms, &leap) || !take_offset(&text, &offset) ||
		*text != '\0')
		return false;
	int64_t utc = days * DAY_SECONDS + seconds - offset;
	/* A leap second is the last one of a UTC day; Unix time counts it as the next day's first. */
	if (leap && utc % DAY_SECONDS != 0)
		return false;
	int64_t result = utc * 1000 + ms;
	if (utc < 0 || result > UNIX_MS_MAX)
		return false;
	*unix_ms = result;
	return true;
}
