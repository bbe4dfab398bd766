/* The thread that writes the log: into a pipe that is read late or never, and into a file that is moved away.
 * What it wrote is read back: all of it, once, in order, in whole lines. */
#include "proto/base/log_writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/base/clock.h"
#include "proto/base/log_text.h"
#include "tests/support/wait.h"

enum { RING = 16 * LOG_TEXT_MAX, LIMIT_MS = 20000, READ_MAX = 8 * 1024 * 1024, PRODUCERS = 4 };

TestSuite(log_writer, .timeout = 60);

static char folder[64], path[96], moved[96];
static uint64_t told_lost;
static atomic_uint told_failed;
static struct log_writer *talking; /* where tell_lost puts its line */

static void tell_lost(uint64_t lost)
{
	char line[64];
	int len = snprintf(line, sizeof line, "lost %llu\n", (unsigned long long)lost);

	told_lost += lost;
	log_writer_put(talking, line, (size_t)len, LOG_NOW);
}

static void tell_failed(const char *file, int error)
{
	cr_expect_str_eq(file, path);
	cr_expect_eq(error, ENOTDIR);
	told_failed++;
}

static struct log_writer *open_writer(const char *file, int fd)
{
	struct log_writer_options options = {.path = file,
		.fd = fd,
		.size = RING,
		.tell_lost = tell_lost,
		.tell_failed = tell_failed};

	signal(SIGPIPE, SIG_IGN);
	talking = log_writer_new(&options);
	return talking;
}

static void make_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/onsale-log-%d", (int)getpid());
	snprintf(path, sizeof path, "%s/log", folder);
	snprintf(moved, sizeof moved, "%s/log.1", folder);
	cr_assert_eq(mkdir(folder, 0700), 0);
}

static void remove_folder(void)
{
	unlink(path);
	unlink(moved);
	cr_expect_eq(rmdir(folder), 0);
}

static void put(struct log_writer *writer, unsigned n, size_t len, enum log_urgency urgency)
{
	char line[LOG_TEXT_MAX];
	int head = snprintf(line, sizeof line, "%06u ", n);

	memset(line + head, 'x', len - (size_t)head - 1);
	line[len - 1] = '\n';
	log_writer_put(writer, line, len, urgency);
}

/* The lines of a text that put() made, each of its length; *last is the number of the last one. */
static unsigned count_in_order(const char *text, size_t len, unsigned *last)
{
	unsigned lines = 0;

	for (const char *line = text, *end; line < text + len; line = end + 1) {
		end = memchr(line, '\n', len - (size_t)(line - text));
		cr_assert_not_null(end, "the last line has no end");
		if (strncmp(line, "lost ", 5) == 0)
			continue;
		unsigned n = (unsigned)strtoul(line, NULL, 10);
		cr_assert(lines == 0 || n > *last, "%u after %u", n, *last);
		cr_assert(strspn(line + 7, "x") == (size_t)(end - line) - 7);
		*last = n;
		lines++;
	}
	return lines;
}

static size_t read_file(const char *file, char *text)
{
	int fd = open(file, O_RDONLY);
	size_t len = 0;

	cr_assert_geq(fd, 0);
	for (ssize_t got; (got = read(fd, text + len, READ_MAX - len)) > 0;)
		len += (size_t)got;
	close(fd);
	return len;
}

static size_t read_pipe(int fd, char *text)
{
	size_t len = 0;

	for (ssize_t got; (got = read(fd, text + len, READ_MAX - len)) > 0;)
		len += (size_t)got;
	return len;
}

/* Lines of every length. */
Test(log_writer, keeps_order_and_loses_nothing, .init = make_folder, .fini = remove_folder)
{
	struct log_writer *writer = open_writer(path, -1);
	char *text = malloc(READ_MAX);
	unsigned last = 0;

	for (unsigned n = 1; n <= 4000; n++) {
		put(writer, n, 8 + n * 37 % (LOG_TEXT_MAX - 8), n % 50 == 0 ? LOG_NOW : LOG_SOON);
		if (n % 8 == 0)
			cr_assert(log_writer_drain(writer, LIMIT_MS));
	}
	cr_expect_eq(log_writer_lost(writer), 0);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	size_t len = read_file(path, text);
	cr_expect_eq(count_in_order(text, len, &last), 4000);
	cr_expect_eq(last, 4000);
	free(text);
}

static bool file_has_one(void *context)
{
	struct stat status;
	(void)context;

	return stat(path, &status) == 0 && status.st_size == 100;
}

/* Nobody asks for it to be written: it is, shortly. */
Test(log_writer, writes_by_itself, .init = make_folder, .fini = remove_folder)
{
	struct log_writer *writer = open_writer(path, -1);

	put(writer, 1, 100, LOG_SOON);
	cr_expect(wait_until(file_has_one, NULL, LIMIT_MS));
	cr_assert(log_writer_stop(writer, LIMIT_MS));
}

struct producer {
	struct log_writer *writer;
	char letter;
};

static void *produce(void *context)
{
	struct producer *producer = context;

	for (unsigned n = 0; n < 1000; n++) {
		char line[32];
		int len = snprintf(line, sizeof line, "%c %u\n", producer->letter, n);
		log_writer_put(producer->writer, line, (size_t)len, n % 2 ? LOG_NOW : LOG_SOON);
	}
	return NULL;
}

/* Each thread's lines are whole and in its order. */
Test(log_writer, takes_lines_of_several_threads, .init = make_folder, .fini = remove_folder)
{
	struct log_writer *writer = open_writer(path, -1);
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	unsigned next[PRODUCERS] = {0};
	char line[64];

	for (int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){writer, (char)('a' + i)};
		cr_assert_eq(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	FILE *file = fopen(path, "re");
	while (fgets(line, sizeof line, file) != NULL)
		cr_assert_eq(strtoul(line + 2, NULL, 10), next[line[0] - 'a']++, "%s", line);
	fclose(file);
	for (int i = 0; i < PRODUCERS; i++)
		cr_expect_eq(next[i], 1000);
}

static void *read_late(void *context)
{
	char *text = malloc(READ_MAX);
	unsigned last = 0;
	size_t len = read_pipe(*(int *)context, text);
	unsigned *lines = malloc(sizeof *lines);

	*lines = count_in_order(text, len, &last);
	free(text);
	return lines;
}

/* Until the pipe takes no more; returns how many lines were put. */
static unsigned fill_pipe(struct log_writer *writer)
{
	unsigned n = 0;

	do
		put(writer, ++n, 200, LOG_SOON);
	while (n % 100 != 0 || log_writer_drain(writer, 50));
	return n;
}

/* The pipe and the ring fill up; putting goes on, and what did not fit is counted and told. */
Test(log_writer, never_waits_for_a_reader)
{
	struct log_writer *writer;
	pthread_t reader;
	void *lines;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	writer = open_writer(NULL, ends[1]);
	unsigned n = fill_pipe(writer);
	uint64_t begun = clock_mono_us_now();
	while (n < 20000)
		put(writer, ++n, 200, LOG_SOON);
	uint64_t took_us = clock_mono_us_now() - begun;
	uint64_t lost = log_writer_lost(writer);
	cr_expect_gt(lost, 10000);
	cr_expect_lt(took_us, 5 * 1000000, "%llu us", (unsigned long long)took_us);
	/* What was kept for urgent ones still takes one. */
	put(writer, 20001, 200, LOG_NOW);
	cr_expect_eq(log_writer_lost(writer), lost);
	cr_expect_not(log_writer_drain(writer, 50), "nobody has read");

	cr_assert_eq(pthread_create(&reader, NULL, read_late, &ends[0]), 0);
	cr_assert(log_writer_drain(writer, LIMIT_MS));
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	close(ends[1]);
	pthread_join(reader, &lines);
	cr_expect_eq(*(unsigned *)lines, 20001 - lost);
	cr_expect_eq(told_lost, lost);
	free(lines);
}

/* The ring is never empty while ten times its size go through it, nor full: it has room for all that is not read at
 * any time, whenever its thread comes to write. */
Test(log_writer, goes_round_its_ring)
{
	enum { A_ROUND = 80, LEN = 200, ROUNDS = 40, PIPE_SIZE = 16 * 1024 };
	char *text = malloc(READ_MAX);
	size_t len = 0;
	unsigned last = 0;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
	struct log_writer *writer = open_writer(NULL, ends[1]);
	unsigned n = fill_pipe(writer);
	for (int i = 0; i < A_ROUND + 20; i++)
		put(writer, ++n, LEN, LOG_SOON);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t end = len + (size_t)A_ROUND * LEN; len < end;) {
			ssize_t got = read(ends[0], text + len, end - len);
			cr_assert_gt(got, 0);
			len += (size_t)got;
		}
		for (int i = 0; i < A_ROUND; i++)
			put(writer, ++n, LEN, LOG_SOON);
		cr_assert_not(log_writer_drain(writer, 0));
	}
	for (size_t end = (size_t)n * LEN; len < end;)
		len += (size_t)read(ends[0], text + len, end - len);
	cr_expect_eq(log_writer_lost(writer), 0);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	cr_expect_eq(count_in_order(text, len, &last), n);
	free(text);
}

/* The end does not wait for a reader either. */
Test(log_writer, stops_in_time)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	struct log_writer *writer = open_writer(NULL, ends[1]);

	fill_pipe(writer);
	uint64_t begun = clock_mono_us_now();
	cr_expect_not(log_writer_stop(writer, 100));
	cr_expect_lt(clock_mono_us_now() - begun, 5 * 1000000);
}

/* A pipe takes no more than whole lines at once, so that another process's stay apart from ours. */
Test(log_writer, mixes_with_nobody_on_a_pipe)
{
	int ends[2];
	char *text = malloc(READ_MAX);
	size_t len = 0;
	ssize_t got;

	/* Each write is read by itself. */
	cr_assert_eq(pipe2(ends, O_DIRECT), 0);
	struct log_writer *writer = open_writer(NULL, ends[1]);
	for (unsigned n = 1; n <= 12; n++)
		put(writer, n, 700, LOG_SOON);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	close(ends[1]);
	while ((got = read(ends[0], text + len, PIPE_BUF)) > 0) {
		len += (size_t)got;
		cr_expect_eq(text[len - 1], '\n');
	}
	cr_expect_eq(len, 12 * 700);
	free(text);
}

/* Whoever reads has gone: the lines are lost, and nothing else happens. */
Test(log_writer, outlives_its_reader)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	struct log_writer *writer = open_writer(NULL, ends[1]);

	close(ends[0]);
	for (unsigned n = 1; n <= 10; n++)
		put(writer, n, 100, LOG_NOW);
	cr_assert(log_writer_drain(writer, LIMIT_MS));
	cr_expect_eq(log_writer_lost(writer), 10);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	cr_expect_eq(told_lost, 0, "there was nobody to tell");
}

Test(log_writer, waits_where_a_descriptor_must_not_block)
{
	int ends[2];
	pthread_t reader;
	void *lines;

	cr_assert_eq(pipe2(ends, 0), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	struct log_writer *writer = open_writer(NULL, ends[1]);
	unsigned n = fill_pipe(writer);
	cr_assert_eq(pthread_create(&reader, NULL, read_late, &ends[0]), 0);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	close(ends[1]);
	pthread_join(reader, &lines);
	cr_expect_eq(*(unsigned *)lines, n);
	cr_expect_eq(told_lost, 0);
	free(lines);
}

static bool file_is_there(void *context)
{
	return access(context, F_OK) == 0;
}

/* Moved away and opened again while lines come: each is in one of the two files. */
Test(log_writer, reopens, .init = make_folder, .fini = remove_folder)
{
	struct log_writer *writer = open_writer(path, -1);
	char *text = malloc(READ_MAX);
	unsigned last = 0, n = 0;

	while (n < 100)
		put(writer, ++n, 100, LOG_SOON);
	cr_assert_eq(rename(path, moved), 0);
	while (n < 200)
		put(writer, ++n, 100, LOG_SOON);
	cr_assert(log_writer_drain(writer, LIMIT_MS));
	cr_expect_not(file_is_there(path));
	log_writer_reopen(writer);
	cr_assert(wait_until(file_is_there, path, LIMIT_MS));
	while (n < 300)
		put(writer, ++n, 100, LOG_SOON);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	size_t len = read_file(moved, text);
	cr_expect_eq(len, 20000);
	len += read_file(path, text + len);
	cr_expect_eq(count_in_order(text, len, &last), 300);
	free(text);
}

static bool failure_was_told(void *context)
{
	(void)context;
	return told_failed > 0;
}

/* The folder has become a file: it goes on with what it has. */
Test(log_writer, goes_on_where_reopening_fails)
{
	make_folder();
	struct log_writer *writer = open_writer(path, -1);
	char away[80], in_it[96];

	snprintf(away, sizeof away, "%s.away", folder);
	snprintf(in_it, sizeof in_it, "%s/log", away);
	cr_assert_eq(rename(folder, away), 0);
	close(open(folder, O_CREAT | O_WRONLY, 0600));
	log_writer_reopen(writer);
	cr_assert(wait_until(failure_was_told, NULL, LIMIT_MS));
	put(writer, 1, 100, LOG_SOON);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	struct stat status;
	cr_expect(stat(in_it, &status) == 0 && status.st_size == 100);
	unlink(in_it);
	rmdir(away);
	unlink(folder);
}

Test(log_writer, says_why_a_file_cannot_be_opened)
{
	cr_expect_null(open_writer("/nowhere/at/all", -1));
	cr_expect_eq(errno, ENOENT);
}

/* Half a line fits on the disk: what comes later, once there is room, begins on a line of its own. */
Test(log_writer, ends_a_torn_line, .init = make_folder, .fini = remove_folder)
{
	struct log_writer *writer = open_writer(path, -1);
	struct rlimit limit, before;
	char *text = malloc(READ_MAX);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 150;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put(writer, 1, 100, LOG_NOW);
	cr_assert(log_writer_drain(writer, LIMIT_MS));
	put(writer, 2, 100, LOG_NOW);
	cr_assert(log_writer_drain(writer, LIMIT_MS));
	cr_expect_eq(log_writer_lost(writer), 1);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	put(writer, 3, 100, LOG_NOW);
	cr_assert(log_writer_stop(writer, LIMIT_MS));
	size_t len = read_file(path, text);
	cr_assert_eq(len, 251 + strlen("lost 1\n"));
	cr_expect_eq(memcmp(text + 149, "x\n000003 ", 9), 0);
	cr_expect_eq(memcmp(text + 251, "lost 1\n", 7), 0);
	cr_expect_eq(told_lost, 1);
	free(text);
}
