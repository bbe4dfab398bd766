/* A virtual user: one person after another, each with a connection, who takes the mode's steps.
 *
 *   get
 *   join -> poll … -> hold -> pay
 *                     hold -> (taken) -> look -> hold … -> (none left) -> leave
 *
 * The steps from the mode's first to its last are taken, then it has ended. Replies 429 and 503 and lost
 * connections are tried again, as told or in a moment, under the same key. */
#ifndef ONSALE_BENCH_SWARM_VISITOR_H
#define ONSALE_BENCH_SWARM_VISITOR_H

#include "bench/swarm/lines.h"
#include "bench/swarm/options.h"
#include "bench/swarm/seats.h"

enum { VISITOR_SEATS_MAX = 2, VISITOR_TOKEN_MAX = 2048 };

struct visitor;

/* What all visitors of a run share. */
struct visits {
	/* the owner's */
	const struct options *options;
	enum step first, last;
	unsigned tries, repeats_max;
	bool keep_back; /* the last byte of each first request; the owner releases it, after hooks.ready */
	struct lines people, passes, queue_tokens;
	struct seats seats;
	struct clients clients;
	struct report *report;
	char run[24]; /* in all keys, so that no two runs share one */
	uint64_t random; /* not 0 */
	void (*ended)(struct visitor *visitor, enum ending ending);
	/* The person has a place or, with the pass, was admitted. */
	void (*placed)(struct visitor *visitor, const char *token, const char *pass);

	/* visitor.c's */
	size_t next_seat;
};

struct visitor {
	struct visits *all;
	void *owner;
	uint64_t journey; /* which person of the run it is, from 0 */

	/* visitor.c's */
	struct client client;
	struct event timer;
	enum step step;
	enum ending ending; /* once it leaves */
	uint64_t intended_us;
	unsigned tried, repeats, keys;
	int64_t seat_ids[VISITOR_SEATS_MAX], reservation_id;
	struct buf token, pass;
};

/* Sets the hooks of the clients. */
void visits_start(struct visits *visits);

/* Uniform: 0 to limit - 1, and above 0 up to 1. */
uint64_t visits_random(struct visits *visits, uint64_t limit);
double visits_random_share(struct visits *visits);

void visitor_init(struct visits *visits, struct visitor *visitor, void *owner);
void visitor_free(struct visitor *visitor);

/* The journey's person begins at intended_us, or at once where that has gone by. */
void visitor_begin(struct visitor *visitor, uint64_t journey, uint64_t intended_us);

/* Sends what was kept back, which counts as intended now. */
void visitor_release(struct visitor *visitor, uint64_t now_us);

/* Whether a request waits for its reply. */
bool visitor_waits(const struct visitor *visitor);

#endif
