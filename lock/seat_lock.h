/* Seat locks in Redis, in front of PostgreSQL: latecomers lose here, in one round trip. A script takes
 * all seats of a request or none, and knows the request's idempotency key; it judges many requests a call. Redis may be wrong, absent or
 * rolled back: PostgreSQL alone decides a sale.
 *
 * With a Redlock (lock/redlock.h) the markers are on its nodes, and Redis has the keys and passes alone.
 *
 * Keys of event E:
 *   onsale:{E}:lock:<generation>:<seat>   "<owner>:L" locking, while PostgreSQL decides; "<owner>:H"
 *                                         held; "<owner>:S" sold. Always with an expiry (PX).
 *   onsale:{E}:idem:<key digest>          "P" whatever comes under it goes to PostgreSQL, or a stored
 *                                         refusal: generation, body digest, seats, request id; 24 h
 *   onsale:{E}:meta                       hash (shared with queue/): lock_generation, keys_since
 *   onsale:{E}:pass                       hash (queue/'s): user -> "nonce:…"
 * An owner is the digest of user and idempotency key, in hex: repeats under a key are the same owner.
 * Release and extension ask for the owner; nothing is released by a plain DEL.
 *
 * Operations are embedded in the caller's struct; `done` is called once, never before the submitting
 * call returns. */
#ifndef ONSALE_LOCK_SEAT_LOCK_H
#define ONSALE_LOCK_SEAT_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "db/redis.h"
#include "proto/base/histogram.h"
#include "proto/digest.h"

enum { SEAT_LOCK_MAX = 100, SEAT_LOCK_REQUEST_ID_SIZE = 129 };

/* The scripts of this room, for redis_new; NULL-terminated. */
extern const struct redis_script *const lock_scripts[];

struct event_base;
struct redlock;
struct seat_locks;

struct seat_lock_settings {
	unsigned locking_ms; /* life of a lock while PostgreSQL decides */
	unsigned wait_ms; /* for seats that others are just locking; 0: nobody waits */
	struct redlock *redlock; /* the caller's; NULL: the locks are in `redis` */
};

struct seat_locks *seat_locks_new(
	struct event_base *base, struct redis *redis, const struct seat_lock_settings *settings);

/* Sends the acquires, and what was said of seats, that came up in this turn; the loop calls it before redis_turn. */
void seat_locks_turn(struct seat_locks *locks);

/* After redis_free, which answers what is in flight. Requests that wait for a seat end as SEAT_LOCK_AWAY. */
void seat_locks_free(struct seat_locks *locks);

enum seat_lock_result {
	SEAT_LOCK_OURS, /* all seats are locked for us, the key is noted as PostgreSQL's. With a Redlock also where
			 * nobody has most of its nodes: PostgreSQL decides */
	SEAT_LOCK_KEY_KNOWN, /* PostgreSQL has, or will have, the answer: go there without the locks. Says
			      * nothing of the pass */
	SEAT_LOCK_REPLAY, /* refused before, under this key: refused_* hold the first refusal */
	SEAT_LOCK_TAKEN, /* refused now, and kept under the key for 24 h: refused_* */
	SEAT_LOCK_LOOK_UP, /* to be refused (taken, no pass, or by a refusal kept before an outage), but
			     * PostgreSQL may know the key: ask it, and where it knows none, acquire
			     * again with key_is_new */
	SEAT_LOCK_NO_PASS, /* the pass is not the live one, or gone; nothing was locked or kept */
	SEAT_LOCK_AWAY /* no Redis, no answer in time, or an error: PostgreSQL decides alone */
};
enum { SEAT_LOCK_RESULTS = SEAT_LOCK_AWAY + 1 };

/* "ours", "taken" …: for what is counted. */
const char *seat_lock_result_name(enum seat_lock_result result);

/* What Redis is asked next: to judge all, seats included; or all but the seats, which the nodes of a Redlock judge then;
 * and what came of that. */
enum seat_lock_step { SEAT_LOCK_JUDGES, SEAT_LOCK_ASKS, SEAT_LOCK_CONFIRMS, SEAT_LOCK_REFUSES };

struct seat_lock {
	/* the caller's */
	void (*done)(struct seat_lock *lock, enum seat_lock_result result);
	void *owner;
	int64_t event_id, user_id;
	int64_t seat_ids[SEAT_LOCK_MAX];
	size_t seat_count;
	struct digest key, body; /* idem.key (the owner) and idem.body */
	const char *request_id; /* shorter than SEAT_LOCK_REQUEST_ID_SIZE; valid until done */
	bool need_pass; /* the event's line is enabled: the pass's nonce must be the live one */
	bool pass_bad; /* the pass is missing, forged or expired: only a known key counts */
	uint64_t pass_nonce;
	bool key_is_new; /* PostgreSQL was asked: the key is new, whatever Redis's age */
	/* out, of SEAT_LOCK_REPLAY and SEAT_LOCK_TAKEN */
	int64_t refused_ids[SEAT_LOCK_MAX];
	size_t refused_count;
	struct digest refused_body; /* REPLAY: if it differs from `body`, the key was reused */
	char refused_request_id[SEAT_LOCK_REQUEST_ID_SIZE];

	/* seat_lock.c's */
	struct seat_locks *locks;
	enum seat_lock_step step;
	uint64_t begun_us;
	uint64_t give_up_ms;
	unsigned tries;
	void *timer;
	TAILQ_ENTRY(seat_lock) link; /* while it is gathered, or Redis judges it */
};

/* Counted since seat_locks_new, and as it stands. */
struct seat_lock_stats {
	uint64_t attempts; /* requests that began to be asked for */
	uint64_t results[SEAT_LOCK_RESULTS]; /* how they ended */
	struct histogram waits_us; /* from beginning to end */
	unsigned queued; /* wait for their turn to be asked for */
	unsigned asked; /* Redis is being asked for */
	unsigned waiting; /* wait for a seat that others are just locking */
};
struct seat_lock_stats seat_lock_stats(const struct seat_locks *locks);

/* How many of a hundred of the latest answers sent a request on to PostgreSQL (100 before the first one). The others
 * refused it, or had it wait for seats that somebody else may get. */
unsigned seat_locks_passed_percent(const struct seat_locks *locks);

/* Order of judging: the key, then the pass, then the seats, which may be none: then nothing is locked. Of a crowd
 * some hundreds are asked for at a time, in the order of coming, so that no deadline ends while the others are
 * served. */
void seat_lock_acquire(struct seat_locks *locks, struct seat_lock *lock);

/* PostgreSQL said that these are held: the markers become *held* for hold_left_ms less a margin, so that none
 * outlives its hold, where they are ours or nobody's, or somebody else is just locking the seat; and the key is
 * noted as PostgreSQL's. Nobody waits for it. */
void seat_lock_hold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner, int64_t hold_left_ms);

/* PostgreSQL said that these are sold: latecomers lose in Redis for a minute. Sets the marker where it is
 * this owner's or nobody's (owner NULL: nobody's). */
void seat_lock_sold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner);

/* Gives back what is still this owner's. Nobody waits for it. */
void seat_lock_release(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner);

/* Prolongs locks that are being decided; only this owner's. */
void seat_lock_extend(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner);

/* Tells Redis since when it knows all idempotency keys of an event's holds: 0, where PostgreSQL keeps no
 * record that it could have lost; else now. Does nothing where it is told already. */
void seat_lock_keys_since(struct seat_locks *locks, int64_t event_id, bool all_known);

/* After an outage: moves the generation of an event's locks on, so that markers from before bind nobody.
 * Keys of the outage went past Redis: it knows them all only from now on. */
void seat_lock_new_generation(struct seat_locks *locks, int64_t event_id);

#endif
