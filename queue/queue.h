/* The waiting line, in Redis. Knows no PostgreSQL and no HTTP: numbers in, numbers out.
 *
 * Keys of event E, all in one slot of a Redis Cluster:
 *   onsale:{E}:wait      sorted set  user -> number in line (epoch * 2^37 + counter; never a time)
 *   onsale:{E}:seen      sorted set  user -> last poll, ms
 *   onsale:{E}:pass      hash        user -> "nonce:number:expires_ms:claimed" of an admitted user
 *   onsale:{E}:live      sorted set  user -> when the slot lapses, ms (claim deadline, then expiry)
 *   onsale:{E}:holding   sorted set  user -> end of the hold, ms, of live users who hold seats
 *   onsale:{E}:gone      hash        "number:user" -> 1, of ended places whose number is of an older epoch;
 *                                    "0:user" of those that ended before the shuffle
 *   onsale:{E}:standing  bitmap      a bit for each number of the newest epoch: does it wait?
 *   onsale:{E}:meta      hash        epoch, next, run_id, tokens, … (queue/tick.lua)
 *   onsale:{E}:admitted  stream      user, number, live, at: an entry an admission, capped
 * Times are Redis's own. Each operation is one script; polls and joins of a loop turn share one call an
 * event. An operation is embedded in the caller's struct; `done` is called once, never before the
 * submitting call returns; the out members mean something with DB_OK only. */
#ifndef ONSALE_QUEUE_QUEUE_H
#define ONSALE_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "db/redis.h"
#include "queue/shuffle.h"

struct queue;

enum { QUEUE_EPOCH_SHIFT = 37 };

/* The scripts of this room, for redis_new; NULL-terminated. */
extern const struct redis_script *const queue_scripts[];

enum queue_state {
	QUEUE_WAITING,
	QUEUE_ADMITTED,
	QUEUE_GONE, /* left, abandoned or used up */
	QUEUE_LOST, /* of an older epoch: may_return, where it was not used up, then again */
	QUEUE_SHUFFLED, /* poll, with a token from before the shuffle: Redis has lost the place, whose number
			   the shuffle's list has; with that, poll again */
	QUEUE_NO_EPOCH /* Redis knows nothing of this line: queue_adopt with a new epoch, then again */
};

struct queue_op {
	/* the caller's */
	void (*done)(struct queue_op *op, enum db_result result);
	void *owner;
	int64_t event_id, user_id;
	/* In: the token's, for poll and leave; out, after join and poll: the place's, as its next token is to say
	 * it. Counter 0 stands for whatever place the user has (queue/shuffle.h). */
	int64_t number;
	int64_t abandon_after_ms; /* in, for poll: of the event */
	bool may_return; /* in, for poll: a place that Redis has lost is put back under its own number */
	/* out */
	enum queue_state state;
	bool created; /* join: a new place, not one that was there */
	bool shuffling; /* the line is to be shuffled and is not yet: `ahead` means nothing */
	int64_t ahead; /* waiting: people in front */
	int64_t waiting; /* people in the line */
	uint64_t nonce; /* admitted: the pass's */
	int64_t pass_expires_ms; /* admitted: Unix milliseconds */

	/* queue.c's */
	struct queue *queue;
	TAILQ_ENTRY(queue_op) link;
};

struct queue *queue_new(struct redis *redis);
void queue_free(struct queue *queue); /* operations still gathered end as DB_UNAVAILABLE */

/* Sends the polls, joins and heartbeats that were gathered; the loop calls it before redis_turn. */
void queue_turn(struct queue *queue);

/* One place a user an event: joining twice finds the place, or the pass. */
void queue_join(struct queue *queue, struct queue_op *op);

/* Where the place stands. It is also the heartbeat (written in batches, within a second), and claims
 * an admission. A place that waited at the last tick is answered as of then, without asking Redis. */
void queue_poll(struct queue *queue, struct queue_op *op);

/* Polls so far that were answered without asking. */
uint64_t queue_pictured(const struct queue *queue);

/* The line as of the last tick, until the next; NULL where that brought no picture. Pictures are brought as long as
 * somebody polls, or wants them: from one tick to the next. */
struct picture;
const struct picture *queue_picture(const struct queue *queue, int64_t event_id);
void queue_want_picture(struct queue *queue, int64_t event_id);

/* Gives the place, or the admitted slot, back. State QUEUE_GONE, whether it was there or not. */
void queue_leave(struct queue *queue, struct queue_op *op);

/* Ends the pass of a user who has paid, if its nonce is still the live one (nonce 0: whichever it is).
 * Nobody waits for it. */
void queue_end_pass(struct queue *queue, int64_t event_id, int64_t user_id, uint64_t nonce);

/* Tells the ticker that this live user holds seats until then: he is not counted as wanting one. A time
 * that has gone by: he holds none any more. */
void queue_holding(struct queue *queue, int64_t event_id, int64_t user_id, int64_t until_unix_ms);

/* Starts epoch `epoch` of a line that Redis knows nothing of, that began before Redis was started again, or whose
 * epoch is not above that of `number`, a place that it says QUEUE_NO_EPOCH of (0: it knew no line). Where another
 * instance was first, nothing changes. What is there stays. rest_ms: nobody is admitted for so long, so that people may come back first (0 for a new
 * line). shuffle: how far PostgreSQL knows it to be, for a line of which Redis does not: QUEUE_SHUFFLE_CLOSED
 * is not among it. begun: it was this call that started the epoch. */
void queue_adopt(struct queue *queue, int64_t event_id, int64_t epoch, int64_t number,
	int64_t rest_ms, enum queue_shuffle shuffle,
	void (*done)(void *context, enum db_result result, bool begun), void *context);

/* Puts a pass back that Redis has lost with its line, whose signature is good and with which nothing was bought.
 * State: QUEUE_ADMITTED where it is live, QUEUE_GONE where it has ended, QUEUE_NO_EPOCH as for the others. */
struct queue_restore {
	/* the caller's */
	void (*done)(struct queue_restore *restore, enum db_result result);
	void *owner;
	int64_t event_id, user_id;
	uint64_t nonce;
	int64_t expires_unix_ms, issued_unix_ms; /* of the pass */
	/* out */
	enum queue_state state;
};
void queue_restore_pass(struct queue *queue, struct queue_restore *restore);

/* One run of the admission script: safe from many instances at once. */
struct queue_tick {
	/* the caller's */
	void (*done)(struct queue_tick *tick, enum db_result result);
	void *owner;
	int64_t event_id;
	bool admit; /* false: paused, sale not open, database down, availability unknown: only tidies up */
	int64_t seats_available;
	int64_t capacity, admit_per_second, pass_ttl_ms, claim_within_ms, abandon_after_ms;
	/* out */
	enum queue_state state; /* QUEUE_NO_EPOCH: no such line in Redis; else QUEUE_WAITING */
	int64_t waiting, live; /* after the run */
	int64_t holding; /* of those who are live: who hold seats */
	int64_t admitted_now;
	int64_t joined_total, admitted_total,
		abandoned_total; /* of this line, by all instances, as Redis knows */
	int64_t now_ms; /* Redis's clock */
	enum queue_shuffle shuffle; /* of the line */

	/* queue.c's */
	struct queue *queue;
};
void queue_tick(struct queue *queue, struct queue_tick *tick);

/* --- for clients: how often to come, how long it may take (queue/pace.c; pure) --- */

struct queue_pace {
	int64_t poll_min_ms, poll_max_ms, polls_per_second;
};

/* The poll interval for a place with `ahead` people in front of it, in a line of `waiting`: short at
 * the front, longer far back, never so short that the line as a whole polls above polls_per_second;
 * jittered by up to ±15 % (random: any 32 bits); within poll_min_ms … poll_max_ms. */
int64_t queue_poll_after_ms(
	const struct queue_pace *pace, int64_t ahead, int64_t waiting, uint32_t random);

/* Admissions a second, from what ticks measured; one for each line. Zeroed is a valid start. */
struct queue_rate {
	int64_t first_ms, first_total, last_ms, last_total;
	double per_second; /* exponentially weighted, about 10 s; 0: unknown */
};
void queue_rate_measure(struct queue_rate *rate, int64_t now_ms, int64_t admitted_total);
/* Nobody waited since the last tick: that time says nothing of the rate. */
void queue_rate_rest(struct queue_rate *rate, int64_t now_ms, int64_t admitted_total);

/* Seconds until a place with `ahead` people in front is admitted, as a range. False where unknown. */
bool queue_eta(
	const struct queue_rate *rate, int64_t ahead, int64_t *min_seconds, int64_t *max_seconds);

#endif
