/* The log: a line a message,
 *   2026-11-21T10:00:00.000Z info  message
 *   {"time":"2026-11-21T10:00:00.000Z","level":"info","message":"message"}
 * and whatever other lines a caller puts together itself (log_text.h). CR, LF, ESC and other control
 * characters in a message are escaped: what a client sends cannot forge a line.
 *
 * Until log_open, and after log_close, a line is written to standard error at once; in between a thread writes
 * (log_writer.h), so that nobody waits for it. From any thread. */
#ifndef ONSALE_PROTO_BASE_LOG_H
#define ONSALE_PROTO_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/base/check.h"
#include "proto/base/log_text.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AS_TEXT, LOG_AS_JSON };

/* Lines above this level are dropped; LOG_INFO until said otherwise. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* LOG_AS_TEXT until said otherwise. */
void log_set_format(enum log_format format);
enum log_format log_format(void);

void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* What every line begins with: {"time":"…","level":"info" or the same as text, ending in a space. */
void log_begin(struct log_text *text, enum log_level level, int64_t unix_ms);

/* Puts a line that log_text_end has ended; it may be written some milliseconds later, together with others. */
void log_put(const struct log_text *text);

/* From here on a thread writes, to the file (appended to; made where there is none) or, where `path` is empty, to
 * standard error. What is said before log_settled goes to standard error as well. False where the file cannot be
 * opened, with the reason in errno. */
bool log_open(const char *path);
void log_settled(void);

/* True where people read along: standard error is a terminal, and the log goes there. */
bool log_is_read_along(const char *path);

/* Opens the file again, as after a rotation. */
void log_reopen(void);

/* Lines that were dropped, since they came faster than they could be written, or could not be written. */
uint64_t log_dropped(void);

/* Writes what waits, for a second at most; log_close also ends the thread, when no other one says anything any
 * more. */
void log_flush(void);
void log_close(void);

/* Last words of a process that is about to abort: what waits is written, and then the message, before it returns;
 * for a second at most. */
void log_last_words(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
