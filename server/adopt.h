/* What Redis has to be told about an event: the epoch of its line, a number from PostgreSQL that no other
 * start of the line ever had; the places and passes that it has lost and that people still have; and whether
 * PostgreSQL keeps idempotency keys of the event's holds that Redis may have lost. */
#ifndef ONSALE_SERVER_ADOPT_H
#define ONSALE_SERVER_ADOPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "db/store_places.h"
#include "queue/queue.h"
#include "server/app.h"

struct catalog_event;

struct adopt_wait {
	void (*done)(struct adopt_wait *wait, bool adopted);
	void *owner;
	STAILQ_ENTRY(adopt_wait) link;
};

/* Starts a new epoch of the line: Redis said that it knows none, or too old a one. One at a time for each
 * event: who comes meanwhile waits for it. wait may be NULL; `done` is called once, never before this
 * returns. number: of the place that showed the need; 0 where no line was known. The first epoch of a line starts at once; later ones rest for two of the longest poll
 * intervals, so that people come back before anybody is admitted. */
void adopt_epoch(
	struct app *app, struct catalog_event *event, int64_t number, struct adopt_wait *wait);

/* A place that Redis has lost, or a pass: may it come back? Not where it was used up by a purchase, of which
 * PostgreSQL knows. A pass is put back at once; a place by queue_poll with may_return. */
enum adopt_result {
	ADOPT_USED, /* the place has ended */
	ADOPT_MAY_RETURN,
	ADOPT_PASS_LIVE,
	ADOPT_UNKNOWN /* a store does not answer */
};
struct adopt_place {
	/* the caller's; `done` is called once, never before adopt_place returns */
	void (*done)(struct adopt_place *place, enum adopt_result result);
	void *owner;
	struct catalog_event *event;
	int64_t user_id;
	int64_t seen_unix_ms; /* when the place's token was given; not asked for where there is a pass */
	uint64_t pass_nonce; /* 0: no pass is presented */
	int64_t pass_expires_unix_ms;

	/* adopt.c's */
	struct app *app;
	struct store_place_used store;
	struct queue_restore restore;
	struct adopt_wait wait;
	bool epoch_begun;
};
void adopt_place(struct app *app, struct adopt_place *place);

/* Tells Redis since when it knows all keys of the event, where it has not been told. Done when an event is
 * first seen and when Redis comes back. Nobody waits for it. */
void adopt_keys(struct app *app, struct catalog_event *event);

#endif
