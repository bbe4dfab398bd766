/* Redis on the event loop: one connection, pipelined. The only file that includes hiredis is redis.c.
 *
 * Each command has a deadline of our own (hiredis 0.14 knows none). Scripts are loaded at each connect
 * and called by their SHA-1; a NOSCRIPT is answered by sending the source once. After
 * breaker_failures failures in a row (no reply in time, no connection) the breaker opens: commands
 * fail at once, until after breaker_open_ms a probe (PING) is answered. Reconnects by itself with
 * jittered backoff. */
#ifndef ONSALE_DB_REDIS_H
#define ONSALE_DB_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/result.h"
#include "proto/base/histogram.h"

struct event_base;
struct redis;
struct redis_value;

struct redis_settings {
	const char
		*url; /* as in the setting redis.url; "none": never connects, all fails at once */
	unsigned deadline_ms;
	unsigned in_flight_max;
	unsigned breaker_failures;
	unsigned breaker_open_ms;
};

/* A Lua script; static, one beside the code that calls it. */
struct redis_script {
	const char *name;
	const char *source; /* a .lua file, embedded */
};

/* result: DB_OK with the reply; DB_FAILED with an error reply (value is its text); DB_UNAVAILABLE and
 * DB_UNKNOWN without (value is NULL). The value lives until the callback returns. */
typedef void redis_done(void *context, enum db_result result, const struct redis_value *value);

/* Host names are looked up once, here, which may block. scripts: NULL-terminated, at most 32. NULL,
 * with the reason in `why`, where the url is malformed or its host unknown. */
struct redis *redis_new(struct event_base *base, const struct redis_settings *settings,
	const struct redis_script *const *scripts, char *why, size_t why_size);

/* Makes of a connection that was just made (without scripts) one that listens: `message` is called with each
 * message of the channel from the event loop, and redis_up says whether it is subscribed. It takes no commands
 * and has no breaker; each second it asks whether it is still heard. What is said while it is not up is lost. */
typedef void redis_message(void *context, const char *text, size_t len);
void redis_listen(struct redis *redis, const char *channel, redis_message *message, void *context);

/* Closes; commands in flight are answered (DB_UNKNOWN). */
void redis_free(struct redis *redis);

/* Called with true when the connection is ready (scripts loaded, breaker closed), with false when it is
 * lost or the breaker opens. */
void redis_on_change(struct redis *redis, void (*change)(void *context, bool up), void *context);

/* The connection is ready and the breaker closed. */
bool redis_up(const struct redis *redis);

/* The server process that the connection is with: another one may have lost what the former was told. "" where
 * it is not known. */
enum { REDIS_RUN_ID_SIZE = 41 };
const char *redis_run_id(const struct redis *redis);

enum redis_breaker { REDIS_BREAKER_CLOSED, REDIS_BREAKER_OPEN, REDIS_BREAKER_HALF_OPEN };
enum redis_breaker redis_breaker(const struct redis *redis);

/* An argument list, built on the caller's stack: text and integers, copied when sent. */
struct redis_args {
	const char **argv;
	size_t *argvlen;
	char (*numbers)[24];
	unsigned count, max;
};
/* struct redis_args name with room for max arguments, the command's own words included. */
#define REDIS_ARGS(name, max_args) \
	const char *name##_argv[max_args]; \
	size_t name##_lens[max_args]; \
	char name##_numbers[max_args][24]; \
	struct redis_args name = {name##_argv, name##_lens, name##_numbers, 0, max_args}
void redis_arg_text(struct redis_args *args, const char *text);
void redis_arg_bytes(struct redis_args *args, const char *bytes, size_t len);
void redis_arg_i64(struct redis_args *args, int64_t value);

/* Sends a command: its name is the first argument. done NULL: nobody waits for the reply. `done` is
 * called once, from the event loop, never before this returns. */
void redis_command(
	struct redis *redis, const struct redis_args *args, redis_done *done, void *context);

/* Calls a script: the arguments are its keys, then its arguments. */
void redis_eval(struct redis *redis, const struct redis_script *script, unsigned keys,
	const struct redis_args *args, redis_done *done, void *context);

/* Answers what failed without being sent; the loop calls it at the end of each turn. */
void redis_turn(struct redis *redis);

/* Commands in flight that still await their answer. */
unsigned redis_pending(const struct redis *redis);

/* Counts since redis_new. */
struct redis_stats {
	uint64_t commands; /* sent */
	uint64_t timeouts; /* not answered within their deadline */
	uint64_t refused; /* never sent: no connection, breaker open, too many in flight */
	uint64_t connections; /* that became ready: the first one, and each reconnect */
	uint64_t breaker_openings; /* out of its closed state */
	/* From a command's submission until the turn in which its reply was read; those without one not among them. */
	struct histogram round_trips_us;
};
const struct redis_stats *redis_stats(const struct redis *redis);

/* --- replies; NULL is read as nil --- */
bool redis_is_nil(const struct redis_value *value);
int64_t redis_int(const struct redis_value *value); /* integer, or text that is one; else 0 */
const char *redis_text(const struct redis_value *value, size_t *len); /* else "" */
size_t redis_len(const struct redis_value *value); /* elements of an array; else 0 */
const struct redis_value *redis_at(
	const struct redis_value *value, size_t i); /* NULL past the end */

#endif
