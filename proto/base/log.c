/* A message is formatted, escaped and put, all on the stack: logging works when memory is out. */
#include "proto/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "proto/base/clock.h"
#include "proto/base/log_writer.h"

enum {
	MESSAGE_MAX_BYTES = 3072,
	RING_SIZE = 4 * 1024 * 1024,
	CLOSE_MS = 1000,
	LAST_WORDS_MS = 500
};

static enum log_level level_max = LOG_INFO;
static enum log_format format_used = LOG_AS_TEXT;
static struct log_writer *writer; /* NULL: lines are written at once */
static atomic_bool settled = true; /* standard error is not told as well */

void log_set_level(enum log_level level)
{
	level_max = level;
}

bool log_enabled(enum log_level level)
{
	return level <= level_max;
}

void log_set_format(enum log_format format)
{
	format_used = format;
}

enum log_format log_format(void)
{
	return format_used;
}

/* --- lines --- */

static int64_t unix_ms_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void log_begin(struct log_text *text, enum log_level level, int64_t unix_ms)
{
	static const char words[][8] = {" error ", " warn  ", " info  ", " debug "};
	static const char members[][20] = {"\",\"level\":\"error\"", "\",\"level\":\"warn\"",
		"\",\"level\":\"info\"", "\",\"level\":\"debug\""};
	bool json = format_used == LOG_AS_JSON;
	char time_text[CLOCK_TEXT_SIZE];

	clock_format(unix_ms, time_text);
	log_text_begin(text);
	log_text_add(text, json ? "{\"time\":\"" : "");
	log_text_put(text, time_text, CLOCK_TEXT_SIZE - 1);
	log_text_add(text, json ? members[level] : words[level]);
}

static void compose(struct log_text *text, enum log_level level, const char *format, va_list words)
{
	char message[MESSAGE_MAX_BYTES];
	int printed = vsnprintf(message, sizeof(message), format, words);
	size_t len = printed > 0 ? (size_t)printed : 0;

	if (len >= sizeof(message)) {
		len = sizeof(message) - 1;
		memcpy(message + len - 3, "...", 3);
	}
	log_begin(text, level, unix_ms_now());
	if (format_used == LOG_AS_JSON) {
		log_text_add(text, ",\"message\":\"");
		log_text_json(text, message, len);
		log_text_end(text, "\"}");
	} else {
		log_text_escaped(text, message, len);
		log_text_end(text, "");
	}
}

static void write_now(int fd, const struct log_text *text)
{
	ssize_t written;

	do
		written = write(fd, text->bytes, text->len);
	while (written < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *format, ...)
{
	struct log_text text;
	va_list words;

	if (level > level_max)
		return;
	int errno_before = errno;
	va_start(words, format);
	compose(&text, level, format, words);
	va_end(words);
	if (writer != NULL)
		log_writer_put(writer, text.bytes, text.len, LOG_NOW);
	if (writer == NULL || !settled)
		write_now(STDERR_FILENO, &text);
	errno = errno_before;
}

void log_put(const struct log_text *text)
{
	if (writer != NULL)
		log_writer_put(writer, text->bytes, text->len, LOG_SOON);
	else
		write_now(STDERR_FILENO, text);
}

/* --- the writer --- */

static void tell_lost(uint64_t lost)
{
	log_warn("%llu lines of the log were dropped: they could not be written fast enough",
		(unsigned long long)lost);
}

static void tell_failed(const char *path, int error)
{
	log_error("log.file: %s: %s; the one at hand is gone on with", path, strerror(error));
}

bool log_open(const char *path)
{
	struct log_writer_options options = {.path = path[0] != '\0' ? path : NULL,
		.fd = STDERR_FILENO,
		.size = RING_SIZE,
		.tell_lost = tell_lost,
		.tell_failed = tell_failed};

	writer = log_writer_new(&options);
	settled = options.path == NULL;
	return writer != NULL;
}

void log_settled(void)
{
	settled = true;
}

bool log_is_read_along(const char *path)
{
	return path[0] == '\0' && isatty(STDERR_FILENO);
}

void log_reopen(void)
{
	if (writer != NULL)
		log_writer_reopen(writer);
}

uint64_t log_dropped(void)
{
	return writer != NULL ? log_writer_lost(writer) : 0;
}

void log_flush(void)
{
	if (writer != NULL)
		log_writer_drain(writer, CLOSE_MS);
}

void log_close(void)
{
	struct log_writer *closing = writer;

	writer = NULL;
	settled = true;
	if (closing != NULL)
		log_writer_stop(closing, CLOSE_MS);
}

/* --- last words --- */

/* A pipe that nobody reads must not keep a process from its end. */
static void write_if_taken(int fd, const struct log_text *text)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	if (poll(&wait, 1, LAST_WORDS_MS) == 1)
		write_now(fd, text);
}

void log_last_words(const char *format, ...)
{
	struct log_text text;
	va_list words;

	va_start(words, format);
	compose(&text, LOG_ERROR, format, words);
	va_end(words);
	int fd = writer != NULL ? log_writer_fd(writer) : STDERR_FILENO;
	if (writer != NULL)
		log_writer_drain(writer, LAST_WORDS_MS);
	write_if_taken(fd, &text);
	if (fd != STDERR_FILENO)
		write_if_taken(STDERR_FILENO, &text);
}
