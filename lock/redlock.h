/* Redlock: a lock that most of several Redis hold, which know nothing of each other, so that losing the fewer of them
 * loses no lock. The algorithm, its validity and its drift are those of
 * https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/ ("Distributed Locks with Redis").
 *
 * It differs in one thing: who is refused must be right to be refused, and so somebody else must hold most of the
 * nodes. Where nobody does (everyone has a few, or too few nodes answer), nothing is said of the seats, and PostgreSQL
 * decides, as it does anyway.
 *
 * A node has the markers that lock/seat_lock.h describes, and besides them
 *   onsale:redlock:meta   hash: lock_generation, a part of the markers' names
 * A node that was away has missed releases and sales, or has forgotten locks: when it is back its generation moves on,
 * and its older markers bind nobody. Each node has a deadline and a breaker of its own (db/redis.h): one that hangs
 * costs an acquire nothing once most others agree, and its deadline at most.
 *
 * `done` is called once, never before the submitting call returns. */
#ifndef ONSALE_LOCK_REDLOCK_H
#define ONSALE_LOCK_REDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/redis.h"

#define REDLOCK_META "onsale:redlock:meta"

struct event_base;
struct redlock;

struct redlock_settings {
	const char *urls; /* of the nodes, an odd number from 3 to 7, separated by commas */
	struct redis_settings node; /* of each; its url is none of these */
	unsigned life_ms; /* of a lock */
};

/* NULL, with the reason in `why`, where they are too few or too many, or one is malformed or its host unknown. */
struct redlock *redlock_new(struct event_base *base, const struct redlock_settings *settings,
	char *why, size_t why_size);

/* Acquires under way end as REDLOCK_AWAY. */
void redlock_free(struct redlock *redlock);

/* Sends what was gathered; the loop calls it at the end of each turn. */
void redlock_turn(struct redlock *redlock);

enum redlock_result {
	REDLOCK_OURS, /* most nodes have all seats locked for us, and will for some time */
	REDLOCK_TAKEN, /* of some seats most nodes name the same other owner */
	REDLOCK_LOCKING, /* … and all of those are still deciding */
	REDLOCK_SPLIT, /* nobody has most of the nodes; or it took longer than a lock lives */
	REDLOCK_AWAY /* most of the nodes did not answer in time */
};

/* taken_ids: of REDLOCK_TAKEN and REDLOCK_LOCKING; until the callback returns. */
typedef void redlock_done(
	void *context, enum redlock_result result, const int64_t *taken_ids, size_t taken_count);

/* All seats or none. Whatever is not REDLOCK_OURS leaves nothing locked, but where a node cannot be told. prefix: of
 * the event's keys; owner: what stands in them, shorter than a DIGEST_HEX_SIZE. Everything is copied. */
void redlock_acquire(struct redlock *redlock, const char *prefix, const char *owner,
	const int64_t *seat_ids, size_t seat_count, redlock_done *done, void *context);

/* Sends a script of one key, which is REDLOCK_META, to every node. Nobody waits for it. */
void redlock_tell(
	struct redlock *redlock, const struct redis_script *script, const struct redis_args *args);

/* Commands in flight. */
unsigned redlock_pending(const struct redlock *redlock);

/* Nodes that are up; and whether they are most of them. */
unsigned redlock_nodes_up(const struct redlock *redlock);
bool redlock_up(const struct redlock *redlock);

/* Acquires since redlock_new that ended as REDLOCK_SPLIT, and as REDLOCK_AWAY. */
struct redlock_stats {
	uint64_t split, away;
};
const struct redlock_stats *redlock_stats(const struct redlock *redlock);

#endif
