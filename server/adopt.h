/* What Redis has to be told about an event: the epoch of its line, a number from PostgreSQL that no other
 * start of the line ever had; and whether PostgreSQL keeps idempotency keys of the event's holds that Redis
 * may have lost. */
#ifndef ONSALE_SERVER_ADOPT_H
#define ONSALE_SERVER_ADOPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
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

/* Tells Redis since when it knows all keys of the event, where it has not been told. Done when an event is
 * first seen and when Redis comes back. Nobody waits for it. */
void adopt_keys(struct app *app, struct catalog_event *event);

#endif
