/* Reads what changed (changes_done), then counts the seats of active events (counted_done), each half
 * second; one read and one count at a time. */
#include "server/catalog.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "server/adopt.h"
#include "server/seat_map.h"

enum { CHANGES_LIMIT = 1000, COUNTED_MAX = 4096 };

STAILQ_HEAD(waits, catalog_wait);

struct catalog {
	struct app *app;
	struct event *timer;
	struct catalog_event **events; /* by id */
	size_t event_count;
	struct catalog_performance **performances; /* by id */
	size_t performance_count;
	int64_t events_seen, performances_seen; /* the highest revisions read */
	bool loaded;

	struct store_changes changes;
	bool reading;
	struct waits now, next; /* of the read under way, and of the one after it */

	struct store_availability count;
	bool counting;
	struct waits count_now, count_next;
	uint64_t count_begun_ms;
	int64_t counted_ids[COUNTED_MAX], available[COUNTED_MAX], sold[COUNTED_MAX];
};

static void read_changes(struct catalog *catalog);
static void changes_done(struct pg_op *op, enum db_result result);
static void count_seats(struct catalog *catalog);
static void counted_done(struct pg_op *op, enum db_result result);

/* --- the arrays --- */

/* The first place whose id is not below `id`. */
static size_t event_place(const struct catalog *catalog, int64_t id)
{
	size_t low = 0, high = catalog->event_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (catalog->events[middle]->row.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t performance_place(struct catalog_performance *const *list, size_t count, int64_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (list[middle]->row.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void performance_insert(
	struct catalog_performance ***list, size_t *count, struct catalog_performance *performance)
{
	size_t place = performance_place(*list, *count, performance->row.id);

	*list = must_realloc(*list, (*count + 1) * sizeof **list);
	memmove(*list + place + 1, *list + place, (*count - place) * sizeof **list);
	(*list)[place] = performance;
	++*count;
}

struct catalog_event *catalog_event(const struct catalog *catalog, int64_t id)
{
	size_t place = event_place(catalog, id);

	if (place == catalog->event_count || catalog->events[place]->row.id != id)
		return NULL;
	return catalog->events[place];
}

struct catalog_performance *catalog_performance(const struct catalog *catalog, int64_t id)
{
	size_t place = performance_place(catalog->performances, catalog->performance_count, id);

	if (place == catalog->performance_count || catalog->performances[place]->row.id != id)
		return NULL;
	return catalog->performances[place];
}

size_t catalog_events_after(const struct catalog *catalog, int64_t after)
{
	return event_place(catalog, after + 1);
}

size_t catalog_event_count(const struct catalog *catalog)
{
	return catalog->event_count;
}

struct catalog_event *catalog_event_at(const struct catalog *catalog, size_t i)
{
	return catalog->events[i];
}

bool catalog_loaded(const struct catalog *catalog)
{
	return catalog->loaded;
}

/* Calls back all who wait there now; who comes meanwhile waits for the next time. */
static void call_back(struct waits *list)
{
	struct waits waits = STAILQ_HEAD_INITIALIZER(waits);
	struct catalog_wait *wait;

	STAILQ_CONCAT(&waits, list);
	while ((wait = STAILQ_FIRST(&waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&waits, link);
		wait->done(wait);
	}
}

/* --- reading what changed --- */

static void take_event(struct catalog *catalog, const struct store_event *row)
{
	struct catalog_event *event = catalog_event(catalog, row->id);

	if (event != NULL) {
		event->row = *row;
	} else {
		size_t place = event_place(catalog, row->id);

		event = must_calloc(1, sizeof *event);
		event->row = *row;
		catalog->events = must_realloc(
			catalog->events, (catalog->event_count + 1) * sizeof *catalog->events);
		memmove(catalog->events + place + 1, catalog->events + place,
			(catalog->event_count - place) * sizeof *catalog->events);
		catalog->events[place] = event;
		catalog->event_count++;
		catalog_touch(event);
		adopt_keys(catalog->app, event);
	}
	if (row->revision > catalog->events_seen)
		catalog->events_seen = row->revision;
}

static void take_performance(struct catalog *catalog, const struct store_performance *row)
{
	struct catalog_performance *performance = catalog_performance(catalog, row->id);
	struct catalog_event *event = catalog_event(catalog, row->event_id);

	if (row->revision > catalog->performances_seen)
		catalog->performances_seen = row->revision;
	if (performance != NULL) {
		performance->event->seats_total += row->seats_total - performance->row.seats_total;
		performance->row = *row;
		return;
	}
	CHECK(event != NULL); /* events are read in the same snapshot, or before */
	performance = must_calloc(1, sizeof *performance);
	performance->row = *row;
	performance->event = event;
	performance_insert(&catalog->performances, &catalog->performance_count, performance);
	performance_insert(&event->performances, &event->performance_count, performance);
	event->seats_total += row->seats_total;
	event->counted_ms = 0; /* the count lacks this one */
	catalog_touch(event);
}

static void read_changes(struct catalog *catalog)
{
	if (catalog->reading)
		return;
	catalog->reading = true;
	STAILQ_CONCAT(&catalog->now, &catalog->next);
	catalog->changes = (struct store_changes){
		.op = {.done = changes_done, .owner = catalog},
		.events_after = catalog->events_seen,
		.performances_after = catalog->performances_seen,
		.limit = CHANGES_LIMIT,
	};
	store_changes(catalog->app->pg, &catalog->changes);
}

static void changes_done(struct pg_op *op, enum db_result result)
{
	struct catalog *catalog = op->owner;
	struct store_changes *changes = &catalog->changes;
	bool more = false;

	catalog->reading = false;
	if (result == DB_OK) {
		more = changes->event_count == CHANGES_LIMIT ||
		       changes->performance_count == CHANGES_LIMIT;
		for (size_t i = 0; i < changes->event_count; i++)
			take_event(catalog, &changes->events[i]);
		/* With more events to come, a performance's event may not be in yet. */
		for (size_t i = 0;
			changes->event_count < CHANGES_LIMIT && i < changes->performance_count; i++)
			take_performance(catalog, &changes->performances[i]);
		catalog->loaded = catalog->loaded || !more;
	}
	store_changes_free(changes);
	if (more) {
		read_changes(catalog);
		return;
	}
	call_back(&catalog->now);
	if (!STAILQ_EMPTY(&catalog->next))
		read_changes(catalog);
}

void catalog_refresh(struct catalog *catalog, struct catalog_wait *wait)
{
	STAILQ_INSERT_TAIL(&catalog->next, wait, link);
	read_changes(catalog);
}

/* --- counting seats --- */

static int64_t less(int64_t count, int64_t taken)
{
	return count > taken ? count - taken : 0;
}

void catalog_touch(struct catalog_event *event)
{
	event->active_until_ms = clock_mono_ms() + CATALOG_ACTIVE_MS;
}

static void count_seats(struct catalog *catalog)
{
	uint64_t now = clock_mono_ms();
	size_t count = 0;

	if (catalog->counting)
		return;
	for (size_t i = 0; i < catalog->event_count; i++) {
		const struct catalog_event *event = catalog->events[i];
		if (event->active_until_ms <= now || count + event->performance_count > COUNTED_MAX)
			continue;
		for (size_t j = 0; j < event->performance_count; j++)
			catalog->counted_ids[count++] = event->performances[j]->row.id;
		for (size_t j = 0; j < event->performance_count; j++)
			event->performances[j]->taken = 0;
	}
	if (count == 0 && STAILQ_EMPTY(&catalog->count_next))
		return;
	catalog->counting = true;
	STAILQ_CONCAT(&catalog->count_now, &catalog->count_next);
	catalog->count_begun_ms = now;
	catalog->count = (struct store_availability){
		.op = {.done = counted_done, .owner = catalog},
		.performance_ids = catalog->counted_ids,
		.count = count,
		.available = catalog->available,
		.sold = catalog->sold,
	};
	store_availability(catalog->app->pg, &catalog->count);
}

static void sum_event(struct catalog_event *event, uint64_t counted_ms)
{
	event->seats_available = event->seats_sold = 0;
	for (size_t i = 0; i < event->performance_count; i++) {
		event->seats_available += event->performances[i]->available;
		event->seats_sold += event->performances[i]->sold;
	}
	event->counted_ms = counted_ms;
}

/* Whole events were counted, a new performance aside: then its event waits for the next count. */
static void sum_events(struct catalog *catalog)
{
	const struct store_availability *count = &catalog->count;

	for (size_t i = 0, done; i < count->count; i += done) {
		struct catalog_event
			*event = catalog_performance(catalog, count->performance_ids[i])->event;
		for (done = 0; i + done < count->count; done++)
			if (catalog_performance(catalog, count->performance_ids[i + done])->event !=
				event)
				break;
		if (done == event->performance_count)
			sum_event(event, catalog->count_begun_ms);
	}
}

static void counted_done(struct pg_op *op, enum db_result result)
{
	struct catalog *catalog = op->owner;
	const struct store_availability *count = &catalog->count;

	catalog->counting = false;
	for (size_t i = 0; result == DB_OK && i < count->count; i++) {
		struct catalog_performance *performance = catalog_performance(
			catalog, count->performance_ids[i]);
		performance->available = less(count->available[i], performance->taken);
		performance->sold = count->sold[i];
		seat_map_check(catalog->app->seat_maps, count->performance_ids[i],
			count->available[i], count->sold[i], catalog->count_begun_ms);
	}
	if (result == DB_OK)
		sum_events(catalog);
	call_back(&catalog->count_now);
	if (!STAILQ_EMPTY(&catalog->count_next))
		count_seats(catalog);
}

void catalog_count(struct catalog *catalog, struct catalog_wait *wait)
{
	STAILQ_INSERT_TAIL(&catalog->count_next, wait, link);
	count_seats(catalog);
}

void catalog_seats_taken(struct catalog_performance *performance, int64_t count)
{
	performance->taken += count;
	performance->available = less(performance->available, count);
	performance->event->seats_available = less(performance->event->seats_available, count);
}

bool catalog_counted(const struct catalog_event *event)
{
	return event->counted_ms != 0 &&
	       clock_mono_ms() - event->counted_ms <= AVAILABILITY_MAX_AGE_MS;
}

bool catalog_sold_out(const struct catalog_event *event)
{
	return event->counted_ms != 0 && event->seats_total > 0 &&
	       event->seats_sold == event->seats_total;
}

bool catalog_open(const struct catalog_event *event)
{
	return !event->row.has_opening || event->row.sale_opens_unix_ms <= clock_unix_ms();
}

bool catalog_has_shuffle(const struct catalog_event *event)
{
	return event->row.commitment[0] != '\0';
}

/* --- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct catalog *catalog = arg;
	(void)fd;
	(void)what;

	if (catalog->app->stopping)
		return;
	read_changes(catalog);
	count_seats(catalog);
}

struct catalog *catalog_new(struct app *app)
{
	struct catalog *catalog = must_calloc(1, sizeof *catalog);
	struct timeval period = {.tv_usec = CATALOG_REFRESH_MS * 1000};

	catalog->app = app;
	STAILQ_INIT(&catalog->now);
	STAILQ_INIT(&catalog->next);
	STAILQ_INIT(&catalog->count_now);
	STAILQ_INIT(&catalog->count_next);
	catalog->timer = event_new(app->base, -1, EV_PERSIST, on_timer, catalog);
	CHECK(catalog->timer != NULL);
	event_add(catalog->timer, &period);
	read_changes(catalog);
	return catalog;
}

void catalog_free(struct catalog *catalog)
{
	event_free(catalog->timer);
	for (size_t i = 0; i < catalog->performance_count; i++)
		free(catalog->performances[i]);
	for (size_t i = 0; i < catalog->event_count; i++) {
		free(catalog->events[i]->performances);
		free(catalog->events[i]);
	}
	free(catalog->performances);
	free(catalog->events);
	free(catalog);
}
