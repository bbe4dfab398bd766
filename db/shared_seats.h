/* What instances tell each other through Redis of seats: a copy of the letters of a performance (one byte a seat),
 * which the next instance takes instead of asking PostgreSQL, and a message to all when a seat has changed hands.
 *
 * Keys of event E, performance P:
 *   onsale:{E}:seats:P         the letters; expires when they may be wrong by themselves: after a minute, or
 *                              when the next hold lapses
 *   onsale:{E}:seats:P:fence   anew at each change: what was read before it is not stored
 * Messages on the channel onsale:seats: "P:<who>".
 *
 * Redis may be wrong, absent or rolled back; the caller bounds for how long it believes it. */
#ifndef ONSALE_DB_SHARED_SEATS_H
#define ONSALE_DB_SHARED_SEATS_H

#include <stdbool.h>
#include <stdint.h>
#include "db/redis.h"

enum { SHARED_SEATS_LIFE_MS = 60000, SHARED_SEATS_FENCE_SIZE = 48 };

#define SHARED_SEATS_CHANNEL "onsale:seats"

/* The scripts, for redis_new; NULL-terminated. */
extern const struct redis_script *const shared_seats_scripts[];

struct shared_seats;

/* The connection is the caller's; it is freed first. */
struct shared_seats *shared_seats_new(struct redis *redis);
void shared_seats_free(struct shared_seats *shared);

/* Looks for a copy; embedded in the caller's struct. `done` is called once, never before shared_seats_read
 * returns. */
struct shared_seats_read {
	/* in */
	int64_t event_id, performance_id;
	void (*done)(struct shared_seats_read *read, enum db_result result);
	void *owner;
	/* out; with DB_OK */
	const char *letters; /* until `done` returns; NULL: there is no copy */
	size_t letters_len;
	int64_t left_ms; /* for how long they may be believed */
	char fence[SHARED_SEATS_FENCE_SIZE]; /* of no copy: for shared_seats_store */
};
void shared_seats_read(struct shared_seats *shared, struct shared_seats_read *read);

/* Stores what PostgreSQL said after the read that gave the fence, for that long at most. Nobody waits for it. */
void shared_seats_store(struct shared_seats *shared, const struct shared_seats_read *read,
	const char *letters, size_t letters_len, int64_t life_ms);

/* A seat has changed hands: drops the copy and tells all instances. Whatever is read on this connection after
 * this call comes behind it. */
void shared_seats_changed(struct shared_seats *shared, int64_t event_id, int64_t performance_id,
	redis_done *done, void *context);

/* A message of the channel: which performance. False where it is none, or our own. */
bool shared_seats_heard(
	const struct shared_seats *shared, const char *text, size_t len, int64_t *performance_id);

#endif
