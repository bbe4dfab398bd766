/* Log lines, read from a pipe in place of standard error. */
#include "proto/base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

/* The message of the one line, as a JSON parser reads it; the caller frees. */
static char *message_of(const char *line, const char *level)
{
	json_error_t error;
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(object, "%s: %s", error.text, line);
	cr_expect_eq(json_object_size(object), 3);
	int64_t unix_ms;
	cr_expect(clock_parse(json_string_value(json_object_get(object, "time")), &unix_ms));
	cr_expect_str_eq(json_string_value(json_object_get(object, "level")), level);
	char *message = strdup(json_string_value(json_object_get(object, "message")));
	json_decref(object);
	return message;
}

Test(log, is_json_where_asked)
{
	static const struct {
		const char *sent, *spelled;
	} cases[] = {
		{"plain", "plain"},
		{"a \"b\" \\c", "a \\\"b\\\" \\\\c"},
		{"a\r\n\t\x1b[2J\x7f", "a\\u000d\\u000a\\u0009\\u001b[2J\\u007f"},
		{"\xc2\x9b"
		 "31m",
			"\\u009b31m"},
		{"\xc3\xa9\xec\x84\x9d\xf0\x9f\x8e\xab", "\xc3\xa9\xec\x84\x9d\xf0\x9f\x8e\xab"},
		/* not UTF-8: alone, overlong, a surrogate, past the last one, cut off */
		{"\xff", "\\ufffd"},
		{"\xc0\xaf", "\\ufffd\\ufffd"},
		{"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},
		{"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
		{"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
		{"\xec\x84", "\\ufffd\\ufffd"},
	};
	log_set_format(LOG_AS_JSON);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[READ_SIZE], wanted[READ_SIZE];
		redirect();
		log_warn("%s", cases[i].sent);
		logged(text);
		free(message_of(text, "warn"));
		snprintf(wanted, sizeof wanted, "\"level\":\"warn\",\"message\":\"%s\"}\n",
			cases[i].spelled);
		cr_expect_not_null(strstr(text, wanted), "%s", text);
	}
}

/* Cut between two characters, never inside of one. */
Test(log, cuts_long_json)
{
	static char sent[10000];
	log_set_format(LOG_AS_JSON);
	for (size_t shift = 0; shift < 7; shift++) {
		memset(sent, 'm', sizeof sent - 1);
		for (size_t i = shift; i + 3 < sizeof sent; i += 3)
			memcpy(sent + i, i % 2 ? "\xec\x84\x9d" : "\x01\"\xff", 3);
		char text[READ_SIZE];
		redirect();
		log_info("%s", sent);
		logged(text);
		cr_expect_leq(strlen(text), 4096);
		char *message = message_of(text, "info");
		cr_expect_str_eq(message + strlen(message) - 3, "...");
		free(message);
	}
}

/* --- the file --- */

static char path[64];

static void remove_file(void)
{
	unlink(path);
}

static void name_file(void)
{
	snprintf(path, sizeof path, "/tmp/onsale-log-file-%d", (int)getpid());
}

static void read_path(char text[READ_SIZE])
{
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file);
	text[fread(text, 1, READ_SIZE - 1, file)] = '\0';
	fclose(file);
}

/* Standard error hears how the start goes; the file gets all of it. */
Test(log, goes_to_its_file, .init = name_file, .fini = remove_file)
{
	char text[READ_SIZE], file[READ_SIZE];
	struct log_text line;
	redirect();
	cr_assert(log_open(path));
	log_info("listening");
	log_settled();
	log_warn("later");
	log_begin(&line, LOG_INFO, 0);
	log_text_end(&line, "put");
	log_put(&line);
	log_close();
	log_info("closed");
	logged(text);
	read_path(file);
	cr_expect_not_null(strstr(text, " info  listening\n"));
	cr_expect_null(strstr(text, "later"));
	cr_expect_not_null(strstr(text, "closed"));
	cr_expect_not_null(strstr(file, " info  listening\n"));
	cr_expect_not_null(
		strstr(file, " warn  later\n1970-01-01T00:00:00.000Z info  put\n"), "%s", file);
	cr_expect_null(strstr(file, "closed"));
	cr_expect_eq(log_dropped(), 0);
}

Test(log, says_why_there_is_no_file)
{
	cr_expect_not(log_open("/nowhere/at/all"));
	cr_expect_eq(errno, ENOENT);
	char text[READ_SIZE];
	redirect();
	log_info("still heard");
	logged(text);
	cr_expect_not_null(strstr(text, "still heard"));
}

/* What was said before, then what failed; both are there when the process has gone. */
Test(check, leaves_its_words, .init = name_file, .fini = remove_file)
{
	char text[READ_SIZE], file[READ_SIZE];
	int status;
	redirect();
	pid_t child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		log_open(path);
		log_settled();
		for (int i = 0; i < 100; i++)
			log_info("before %d", i);
		CHECK(1 + 1 == 3);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	logged(text);
	read_path(file);
	cr_expect_not_null(strstr(text, "check failed: 1 + 1 == 3\n"));
	const char *last = strstr(file, "before 99\n");
	cr_assert_not_null(last, "%s", file);
	cr_expect_not_null(strstr(last, "check failed: 1 + 1 == 3\n"));
}

/* Nobody reads: it ends all the same. */
Test(check, ends_though_nobody_reads, .timeout = 30)
{
	int ends[2], status;
	cr_assert_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		log_open("");
		for (int i = 0; i < 10000; i++)
			log_info("%0200d", i);
		CHECK(1 + 1 == 3);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
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
