/* The shuffle of a pre-sale line, as Redis sees it: the list of entrants is closed at the opening, read, and
 * given its numbers. Who comes when in it is not decided here. Any instance may do any step at any time; nobody
 * is admitted before the last one.
 *
 * Until then a place's number is provisional: epoch * 2^37 + the order of arrival. Tokens are given the epoch
 * alone, counter 0, which stands for whatever place the user has. */
#ifndef ONSALE_QUEUE_SHUFFLE_H
#define ONSALE_QUEUE_SHUFFLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/redis.h"

enum {
	QUEUE_SHUFFLE_PART = 1000
}; /* users read or numbered in one call: numbering keeps Redis for 6 ms */

/* How far it is; meta's `shuffle` in Redis. */
enum queue_shuffle {
	QUEUE_SHUFFLE_NONE, /* a line that is not shuffled */
	QUEUE_SHUFFLE_PENDING, /* before the opening */
	QUEUE_SHUFFLE_CLOSED, /* the list is closed; numbers are still provisional */
	QUEUE_SHUFFLE_DONE
};

/* One step, embedded in the caller's struct; `done` is called once, never before the submitting call returns. */
struct queue_shuffle_op {
	/* the caller's */
	void (*done)(struct queue_shuffle_op *op, enum db_result result);
	void *owner;
	int64_t event_id;
	int64_t epoch; /* out of closing, into the others */
	int64_t base; /* out of closing: what a position is added to, to be a number in line */
	int64_t number; /* reading: go on after it, 0 at first; ranking: the number of the first user */
	int64_t users[QUEUE_SHUFFLE_PART]; /* out of reading; into ranking, in their order */
	size_t count; /* of them; reading: fewer than QUEUE_SHUFFLE_PART at the end */
	bool last; /* ranking: there are no more: the line is shuffled */
	/* out */
	enum queue_shuffle state; /* of closing */
	bool gone; /* reading, ranking: Redis was lost meanwhile, or others have finished */
};

/* Closes the list, if the sale is open by Redis's clock and nobody is awaited after a loss; says how far the
 * shuffle is. */
void queue_shuffle_close(struct redis *redis, struct queue_shuffle_op *op, int64_t opens_unix_ms);
void queue_shuffle_read(struct redis *redis, struct queue_shuffle_op *op);
void queue_shuffle_rank(struct redis *redis, struct queue_shuffle_op *op);

#endif
