/* What seat_lock.c (who gets the seats) and seat_mark.c (what is said of them afterwards) share: both gather by event
 * what comes up in a turn of the loop, and send it in one script call for many. */
#ifndef ONSALE_LOCK_SEAT_LOCKS_H
#define ONSALE_LOCK_SEAT_LOCKS_H

#include <sys/queue.h>
#include "lock/seat_lock.h"
#include "proto/base/hash.h"

enum { EVENT_KEY_SIZE = 96 };

struct mark;
struct waiter;

/* An event with something to send. */
struct event_locks {
	int64_t event_id;
	TAILQ_HEAD(, seat_lock) acquires; /* to be judged */
	STAILQ_HEAD(, mark) marks;
	bool gathered; /* stands in the list of those that have any */
	STAILQ_ENTRY(event_locks) link;
	UT_hash_handle hh;
};

struct seat_locks {
	struct event_base *base;
	struct redis *redis;
	struct seat_lock_settings settings;
	LIST_HEAD(waiter_list, waiter) waiters; /* pausing, or trying again */
	unsigned waiting;
	struct event_locks *events;
	STAILQ_HEAD(, event_locks) gathered;
	unsigned asked; /* acquires that Redis is judging */
	struct seat_lock_stats stats; /* but for `asked` and `waiting` */
	int passed; /* seat_locks_passed_percent, in parts of PASSED_ALL */
};

/* The event's, which is sent with the turn. */
struct event_locks *seat_locks_gather(struct seat_locks *locks, int64_t event_id);

/* The key onsale:{event}:<rest>. */
const char *event_key(char key[EVENT_KEY_SIZE], int64_t event_id, const char *rest);

/* Whatever comes under the key from now on is PostgreSQL's. owner: the key's digest in hex. */
void note_key(struct seat_locks *locks, int64_t event_id, const char *owner);

/* Sends all marks that were gathered of the event. */
void marks_send(struct seat_locks *locks, struct event_locks *event);

/* Forgets them. */
void marks_drop(struct event_locks *event);

#endif
