/* Log lines, read from a pipe in place of standard error. */
#include "proto/base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/clock.h"

enum { READ_SIZE = 16384, PREFIX_LEN = 31 };

static int reading, stderr_before;

static void redirect(void)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	stderr_before = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reading = ends[0];
}

/* What was logged since redirect(). */
static void logged(char text[READ_SIZE])
{
	dup2(stderr_before, STDERR_FILENO);
	close(stderr_before);
	size_t len = 0;
	for (ssize_t got; (got = read(reading, text + len, READ_SIZE - 1 - len)) > 0;)
		len += (size_t)got;
	text[len] = '\0';
	close(reading);
}

Test(log, stamps_and_names_the_level)
{
	char text[READ_SIZE];
	redirect();
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("never");
	log_set_level(LOG_DEBUG);
	log_debug("d");
	log_set_level(LOG_ERROR);
	log_warn("never");
	logged(text);
	static const char *const ends[] = {
		" error e 1\n", " warn  w\n", " info  i\n", " debug d\n"};
	const char *at = text;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char stamp[CLOCK_TEXT_SIZE];
		int64_t unix_ms;
		memcpy(stamp, at, sizeof(stamp) - 1);
		stamp[sizeof(stamp) - 1] = '\0';
		cr_expect(clock_parse(stamp, &unix_ms), "%s", stamp);
		at += CLOCK_TEXT_SIZE - 1;
		cr_assert_eq(strncmp(at, ends[i], strlen(ends[i])), 0, "%s", at);
		at += strlen(ends[i]);
	}
	cr_expect_str_empty(at);
}

Test(log, escapes_what_could_forge_a_line)
{
	char text[READ_SIZE];
	redirect();
	log_info("%s", "a\r\nb\tc\x1b[2J\x7f\x01 \xc2\x9b \xc3\xa9\xec\x84\x9d");
	logged(text);
	cr_expect_str_eq(text + PREFIX_LEN,
		"a\\r\\nb\\tc\\x1b[2J\\x7f\\x01 \\xc2\\x9b \xc3\xa9\xec\x84\x9d\n");
}

Test(log, cuts_long_messages)
{
	static char message[10000];
	memset(message, 'm', sizeof(message) - 1);
	char text[READ_SIZE];
	redirect();
	log_info("%s", message);
	memset(message, '\n', sizeof(message) - 1);
	log_info("%s", message);
	logged(text);
	char *second = strchr(text, '\n') + 1;
	cr_expect_lt(second - text, 4097);
	cr_expect_gt(second - text, 3000);
	cr_expect_eq(memcmp(second - 4, "...\n", 4), 0);
	cr_expect_lt(strlen(second), 4097);
	cr_expect_str_eq(second + strlen(second) - 4, "...\n");
	cr_expect_eq(strchr(second, '\n') - second, (long)strlen(second) - 1);
}

Test(log, keeps_errno)
{
	char text[READ_SIZE];
	redirect();
	errno = EAGAIN;
	log_info("x");
	int after = errno;
	logged(text);
	cr_expect_eq(after, EAGAIN);
}

Test(check, passes)
{
	CHECK(1 + 1 == 2);
	char *copy = must_strdup("copy");
	copy = must_realloc(copy, 100);
	cr_expect_str_eq(copy, "copy");
	free(copy);
	free(must_malloc(0));
	free(must_calloc(0, 8));
}

Test(check, aborts, .signal = SIGABRT)
{
	CHECK(1 + 1 == 3);
}
