/* What the tests of lock/ share: an event loop with connections to the Redis that ONSALE_TEST_REDIS_URL
 * names, run until a condition holds. */
#ifndef ONSALE_TESTS_LIVE_LOCKING_H
#define ONSALE_TESTS_LIVE_LOCKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/redis.h"

struct event;
struct event_base;
struct redlock;
struct seat_locks;

enum { RIG_CONNECTIONS = 4, RIG_TEXT_SIZE = 512 };

struct rig {
	struct event_base *base;
	struct event *pulse; /* keeps the loop turning while nothing happens */
	struct redis *redis[RIG_CONNECTIONS];
	unsigned count;
	struct seat_locks *locks
		[RIG_CONNECTIONS]; /* the test's, those that it has: turned with the others, too */
	struct redlock *redlock; /* … likewise */
	char text[RIG_TEXT_SIZE]; /* the last answer of rig_ask */
	int64_t number;
};

/* Opens `count` connections to the test's Redis and waits until they are up; fails where the environment
 * names none. */
void rig_open(struct rig *rig, unsigned count);
/* … or to the Redis at this url ("none" never comes up, and is not waited for). */
void rig_open_at(struct rig *rig, unsigned count, const char *url, unsigned deadline_ms);
void rig_close_redis(struct rig *rig);
void rig_close(struct rig *rig);

/* Runs the loop until the condition holds; fails after 20 s. */
void rig_run_until(struct rig *rig, bool (*condition)(const void *context), const void *context);
/* … until the flag is set. */
void rig_run_until_set(struct rig *rig, const bool *flag);

/* Sends a command of up to 8 words (NULL-terminated) on the first connection, behind what was sent there
 * before, and waits for the reply: its text, "" for nil, "error" for an error. rig->number: the integer. */
const char *rig_ask(struct rig *rig, const char *const *words);
#define ASK(rig, ...) rig_ask(rig, (const char *const[]){__VA_ARGS__, NULL})

/* Runs until everything sent on all connections was answered. */
void rig_settle(struct rig *rig);

/* A number of this test's own. */
int64_t rig_random_id(void);

#endif
