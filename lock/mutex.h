/* A named mutex in Redis with a bounded wait: SET NX PX by a random owner, released and extended by that
 * owner alone (Lua). It keeps work from being done twice at once; it is no proof against a paused holder:
 * what it guards must also be right without it. */
#ifndef ONSALE_LOCK_MUTEX_H
#define ONSALE_LOCK_MUTEX_H

#include <stdbool.h>
#include <stdint.h>
#include "db/redis.h"

struct event_base;
struct mutex;

enum mutex_result {
	MUTEX_OURS,
	MUTEX_TAKEN, /* somebody else has it, and had it all through wait_ms */
	MUTEX_AWAY /* no Redis, or no answer in time */
};

/* name: at most 64 characters; the key is onsale:mutex:<name>. ttl_ms: after so long it is free again. */
struct mutex *mutex_new(struct event_base *base, struct redis *redis, const char *name,
	unsigned ttl_ms, unsigned wait_ms);
void mutex_free(struct mutex *mutex); /* not while an acquire or an extension is under way */

/* Tries at once, then at jittered intervals until wait_ms have gone by. One acquire at a time. `done` is
 * called once, never before this returns. */
void mutex_acquire(
	struct mutex *mutex, void (*done)(void *context, enum mutex_result result), void *context);

/* Sets the remaining life to ttl_ms again. done: MUTEX_OURS, or MUTEX_TAKEN where it was lost. One extension
 * at a time. */
void mutex_extend(
	struct mutex *mutex, void (*done)(void *context, enum mutex_result result), void *context);

/* Gives it back, if it is still ours. Nobody waits for it. */
void mutex_release(struct mutex *mutex);

#endif
