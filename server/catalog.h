/* What is on sale, as this instance knows it: every event with its line's settings and its performances,
 * read from PostgreSQL by revision each half second, so that requests need not ask; and for each event a
 * picture of its line (from the ticker) and of its seats (counted each half second while somebody wants
 * it). Owned by the app; entries live as long as the catalog. */
#ifndef ONSALE_SERVER_CATALOG_H
#define ONSALE_SERVER_CATALOG_H

#include "db/store_catalog.h"
#include "queue/queue.h"
#include "server/app.h"
#include "server/eta_check.h"

enum {
	CATALOG_REFRESH_MS = 500, /* how often changes and seat counts are read */
	AVAILABILITY_MAX_AGE_MS = 2000, /* older counts admit nobody */
	CATALOG_ACTIVE_MS = 10000 /* how long an event counts as active after a request for it */
};

struct catalog_performance {
	struct store_performance row;
	struct catalog_event *event;
	int64_t available, sold; /* as of the event's counted_ms */
	int64_t taken; /* here, since the count under way began */
};

struct catalog_event {
	struct store_event row;
	struct catalog_performance **performances; /* by id */
	size_t performance_count;

	/* its seats, over all performances */
	int64_t seats_total, seats_available, seats_sold;
	uint64_t counted_ms; /* monotonic time of the count; 0: never */

	/* its line, as of the last tick */
	int64_t waiting, live, holding, joined_total, admitted_total, abandoned_total;
	struct queue_rate rate;
	enum queue_shuffle shuffle;
	struct eta_watch eta;

	uint64_t active_until_ms; /* somebody asked for it lately */
	struct line_watch *watch; /* line_watch.c's: streams of its line are open */
	uint64_t last_tick_ms; /* ticker.c's */
	bool ticking; /* ticker.c's: a tick is under way */
	struct adoption *adoption; /* adopt.c's: under way */
	struct shuffling *shuffling; /* shuffler.c's: under way */
	uint64_t shuffle_not_before_ms; /* shuffler.c's: the last try failed */
};

struct catalog *catalog_new(struct app *app);
void catalog_free(struct catalog *catalog);

/* All there is has been read once. */
bool catalog_loaded(const struct catalog *catalog);

size_t catalog_event_count(const struct catalog *catalog);
struct catalog_event *catalog_event_at(const struct catalog *catalog, size_t i); /* by id */

/* NULL where it is not known (yet). */
struct catalog_event *catalog_event(const struct catalog *catalog, int64_t id);
struct catalog_performance *catalog_performance(const struct catalog *catalog, int64_t id);

/* The first event whose id is above `after`: its place for catalog_event_at. */
size_t catalog_events_after(const struct catalog *catalog, int64_t after);

/* Reads the changes now, and calls back when they are in (or could not be had). `done` is called once,
 * never before the call returns; a struct waits for one thing at a time. */
struct catalog_wait {
	void (*done)(struct catalog_wait *wait);
	void *owner;
	STAILQ_ENTRY(catalog_wait) link;
};
void catalog_refresh(struct catalog *catalog, struct catalog_wait *wait);

/* Counts the seats of active events now, and calls back when that is done (or could not be). */
void catalog_count(struct catalog *catalog, struct catalog_wait *wait);

/* An event's seats are wanted: they are counted from now on, for CATALOG_ACTIVE_MS. */
void catalog_touch(struct catalog_event *event);

/* Seats were just held here: they come off the picture at once, and off a count under way, which may have been
 * too early to see them. */
void catalog_seats_taken(struct catalog_performance *performance, int64_t count);

/* The count is young enough to judge by. */
bool catalog_counted(const struct catalog_event *event);

/* Every seat is sold, not merely held. */
bool catalog_sold_out(const struct catalog_event *event);

/* The sale has begun. */
bool catalog_open(const struct catalog_event *event);

/* The line is shuffled at the opening. */
bool catalog_has_shuffle(const struct catalog_event *event);

#endif
