/*   seat_map_read -> refill -> (list_read, once) -> ask_redis -> copy_read -> ask_postgresql -> letters_read
 *                                                                   -> refilled -> each wait's done
 *   seat_map_drop -> seat_maps_turn -> tell -> told, again where Redis did not take it
 *
 * The one thing to know: as long as Redis may hold a copy from before a change of ours, this instance believes
 * no copy. A refill that follows a change in the same turn sends the change first. */
#include "server/seat_map.h"

#include <stdlib.h>
#include <string.h>
#include "db/shared_seats.h"
#include "db/store_catalog.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "server/app.h"
#include "server/catalog.h"

enum { DROPPED_AGE_MS = 50, TELL_AGAIN_MS = 100, REFILL_PATIENCE_MS = 300, STALE_MS = 1500 };

struct entry {
	int64_t performance_id;
	struct seat_bodies bodies;
	bool filled; /* the bodies have letters */
	uint64_t read_ms; /* when the read began … */
	uint64_t taken_ms; /* … and when it ended */
	uint64_t life_ms; /* how long it may be believed, from when it began */
	bool dropped; /* a seat has changed since */

	uint64_t refill_begun_ms;
	bool refilling; /* in maps->refilling */
	TAILQ_ENTRY(entry) refilling_link;
	struct shared_seats_read copy;
	struct store_seat_list list;
	struct store_seat_letters letters;
	STAILQ_HEAD(, seat_map_wait) waits;

	bool untold; /* Redis is to be told of a change; in maps->untold */
	unsigned telling; /* calls that do so in flight */
	STAILQ_ENTRY(entry) untold_link;
	struct seat_maps *maps;
	UT_hash_handle hh;
};

struct seat_maps {
	struct app *app;
	struct shared_seats *shared; /* NULL where there is no Redis */
	struct entry *entries; /* in the order in which they were first asked for */
	TAILQ_HEAD(, entry) refilling; /* in the order in which they began */
	STAILQ_HEAD(, entry) untold;
	uint64_t tell_after_ms; /* the last try has failed */
};

static void refill(struct entry *entry);
static void list_read(struct pg_op *op, enum db_result result);
static void ask_redis(struct entry *entry);
static void copy_read(struct shared_seats_read *read, enum db_result result);
static void ask_postgresql(struct entry *entry);
static void letters_read(struct pg_op *op, enum db_result result);
static void refilled(struct entry *entry);
static void told(void *context, enum db_result result, const struct redis_value *value);

/* --- the entries --- */

static void entry_free(struct seat_maps *maps, struct entry *entry)
{
	HASH_DEL(maps->entries, entry);
	if (entry->untold)
		STAILQ_REMOVE(&maps->untold, entry, entry, untold_link);
	store_seat_list_free(&entry->list);
	store_seat_letters_free(&entry->letters);
	seat_bodies_free(&entry->bodies);
	free(entry);
}

/* Makes room: the oldest entry goes that nothing is under way for, and where there is a choice, of which there is
 * nothing to tell. */
static void make_room(struct seat_maps *maps)
{
	struct entry *entry, *next, *untold = NULL;

	if (HASH_COUNT(maps->entries) < SEAT_MAPS_MAX)
		return;
	HASH_ITER (hh, maps->entries, entry, next) {
		if (entry->refilling || entry->telling > 0)
			continue;
		if (!entry->untold) {
			entry_free(maps, entry);
			return;
		}
		if (untold == NULL)
			untold = entry;
	}
	if (untold != NULL)
		entry_free(maps, untold);
}

static struct entry *entry_find(const struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry;

	HASH_FIND(hh, maps->entries, &performance_id, sizeof performance_id, entry);
	return entry;
}

static struct entry *entry_get(struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry = entry_find(maps, performance_id);

	if (entry != NULL)
		return entry;
	make_room(maps);
	entry = must_calloc(1, sizeof *entry);
	entry->performance_id = performance_id;
	entry->maps = maps;
	seat_bodies_init(&entry->bodies, performance_id);
	STAILQ_INIT(&entry->waits);
	HASH_ADD(hh, maps->entries, performance_id, sizeof entry->performance_id, entry);
	return entry;
}

/* --- reading --- */

struct seat_bodies *seat_map_young(struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry = entry_find(maps, performance_id);

	if (entry == NULL || !entry->filled)
		return NULL;
	uint64_t max_age_ms = entry->dropped ? DROPPED_AGE_MS : entry->life_ms;
	return clock_mono_ms() - entry->read_ms < max_age_ms ? &entry->bodies : NULL;
}

void seat_map_read(struct seat_maps *maps, int64_t performance_id, struct seat_map_wait *wait)
{
	struct entry *entry = entry_get(maps, performance_id);

	STAILQ_INSERT_TAIL(&entry->waits, wait, link);
	if (!entry->refilling)
		refill(entry);
}

static void refill(struct entry *entry)
{
	entry->refilling = true;
	TAILQ_INSERT_TAIL(&entry->maps->refilling, entry, refilling_link);
	entry->refill_begun_ms = clock_mono_ms();
	entry->dropped = false;
	if (entry->bodies.listed) {
		ask_redis(entry);
		return;
	}
	entry->list = (struct store_seat_list){
		.op = {.done = list_read, .owner = entry}, .performance_id = entry->performance_id};
	store_seat_list(entry->maps->app->pg, &entry->list);
}

static void list_read(struct pg_op *op, enum db_result result)
{
	struct entry *entry = op->owner;
	const struct store_seat_list *list = &entry->list;

	bool listed = result == DB_OK && list->found &&
		      seat_bodies_list(&entry->bodies, list->lines, list->lines_len);
	store_seat_list_free(&entry->list);
	if (listed)
		ask_redis(entry);
	else
		refilled(entry);
}

/* The letters at hand are as of the refill's beginning, and right for life_ms from then on. Where a hold is about
 * to lapse, that is not so long that readers would not crowd in on PostgreSQL. */
static bool take_letters(struct entry *entry, const char *letters, size_t len, int64_t life_ms)
{
	if (!seat_bodies_letters(&entry->bodies, letters, len))
		return false;
	entry->filled = true;
	entry->read_ms = entry->refill_begun_ms;
	entry->taken_ms = clock_mono_ms();
	entry->life_ms = SEAT_MAP_MAX_AGE_MS;
	if (life_ms < DROPPED_AGE_MS)
		entry->life_ms = DROPPED_AGE_MS;
	else if (life_ms < SEAT_MAP_MAX_AGE_MS)
		entry->life_ms = (uint64_t)life_ms;
	return true;
}

static int64_t event_of(const struct entry *entry)
{
	const struct catalog_performance *performance = catalog_performance(
		entry->maps->app->catalog, entry->performance_id);

	return performance != NULL ? performance->event->row.id : 0;
}

static void tell(struct entry *entry, int64_t event_id)
{
	struct seat_maps *maps = entry->maps;

	entry->untold = false;
	STAILQ_REMOVE(&maps->untold, entry, entry, untold_link);
	entry->telling++;
	shared_seats_changed(maps->shared, event_id, entry->performance_id, told, entry);
}

static void ask_redis(struct entry *entry)
{
	struct seat_maps *maps = entry->maps;
	int64_t event_id = event_of(entry);

	if (maps->shared == NULL || !redis_up(maps->app->redis) || event_id == 0) {
		ask_postgresql(entry);
		return;
	}
	if (entry->untold)
		tell(entry, event_id);
	entry->copy = (struct shared_seats_read){.event_id = event_id,
		.performance_id = entry->performance_id,
		.done = copy_read,
		.owner = entry};
	shared_seats_read(maps->shared, &entry->copy);
}

static void copy_read(struct shared_seats_read *read, enum db_result result)
{
	struct entry *entry = read->owner;
	bool believed = result == DB_OK && read->letters != NULL && !entry->untold &&
			entry->telling == 0;

	if (!believed || !take_letters(entry, read->letters, read->letters_len, read->left_ms)) {
		ask_postgresql(entry);
		return;
	}
	entry->maps->app->counters.seat_map_copies++;
	refilled(entry);
}

static void ask_postgresql(struct entry *entry)
{
	entry->maps->app->counters.seat_map_reads++;
	entry->letters = (struct store_seat_letters){.op = {.done = letters_read, .owner = entry},
		.performance_id = entry->performance_id};
	store_seat_letters(entry->maps->app->pg, &entry->letters);
}

/* For the other instances; not what a hold's lapse makes wrong at once, nor what has changed meanwhile. */
static void share_letters(struct entry *entry, int64_t life_ms)
{
	const struct store_seat_letters *letters = &entry->letters;

	if (entry->maps->shared != NULL && entry->copy.fence[0] != '\0' && !entry->dropped &&
		life_ms > DROPPED_AGE_MS)
		shared_seats_store(entry->maps->shared, &entry->copy, letters->letters,
			letters->letters_len, life_ms);
}

static void letters_read(struct pg_op *op, enum db_result result)
{
	struct entry *entry = op->owner;
	struct store_seat_letters *letters = &entry->letters;
	int64_t life_ms = letters->lapses ? letters->lapse_in_ms : SHARED_SEATS_LIFE_MS;

	if (result == DB_OK && letters->found) {
		if (take_letters(entry, letters->letters, letters->letters_len, life_ms))
			share_letters(entry,
				life_ms - (int64_t)(clock_mono_ms() - entry->refill_begun_ms));
		else /* other seats than we know: the next refill reads them */
			entry->bodies.listed = false;
	}
	entry->copy.fence[0] = '\0';
	store_seat_letters_free(letters);
	refilled(entry);
}

static void answer_waits(struct entry *entry)
{
	STAILQ_HEAD(, seat_map_wait) waits = STAILQ_HEAD_INITIALIZER(waits);
	struct seat_bodies *bodies = entry->filled ? &entry->bodies : NULL;
	struct seat_map_wait *wait;

	STAILQ_CONCAT(&waits, &entry->waits);
	while ((wait = STAILQ_FIRST(&waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&waits, link);
		wait->done(wait, bodies);
	}
}

static void refilled(struct entry *entry)
{
	answer_waits(entry);
	entry->refilling = false;
	TAILQ_REMOVE(&entry->maps->refilling, entry, refilling_link);
	if (!STAILQ_EMPTY(&entry->waits))
		refill(entry);
}

/* A store that is slow to answer keeps nobody waiting who can have the last map. */
static void answer_overdue(struct seat_maps *maps)
{
	uint64_t now = clock_mono_ms();
	struct entry *entry;

	TAILQ_FOREACH (entry, &maps->refilling, refilling_link) {
		if (now - entry->refill_begun_ms < REFILL_PATIENCE_MS)
			return;
		if (entry->filled)
			answer_waits(entry);
	}
}

unsigned seat_map_stale_s(const struct seat_maps *maps, int64_t performance_id)
{
	const struct entry *entry = entry_find(maps, performance_id);
	uint64_t age_ms = entry != NULL && entry->filled ? clock_mono_ms() - entry->read_ms : 0;

	return age_ms < STALE_MS ? 0 : (unsigned)(age_ms / 1000);
}

/* --- changes --- */

static void mark_untold(struct entry *entry)
{
	struct seat_maps *maps = entry->maps;

	if (maps->shared == NULL || entry->untold)
		return;
	entry->untold = true;
	STAILQ_INSERT_TAIL(&maps->untold, entry, untold_link);
}

void seat_map_drop(struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry = maps->shared != NULL ? entry_get(maps, performance_id)
						   : entry_find(maps, performance_id);

	if (entry == NULL)
		return;
	entry->dropped = true;
	mark_untold(entry);
}

void seat_map_check(struct seat_maps *maps, int64_t performance_id, int64_t available, int64_t sold,
	uint64_t as_of_ms)
{
	const struct entry *entry = entry_find(maps, performance_id);

	if (entry == NULL || !entry->filled || entry->refilling || entry->dropped ||
		entry->taken_ms > as_of_ms)
		return;
	if (entry->bodies.available != available || entry->bodies.sold != sold)
		seat_map_drop(maps, performance_id);
}

/* Not our own: those were dropped when they were made, and may have been read anew since. */
void seat_maps_heard(struct seat_maps *maps, const char *text, size_t len)
{
	int64_t performance_id;

	if (maps->shared == NULL || !shared_seats_heard(maps->shared, text, len, &performance_id))
		return;
	struct entry *entry = entry_find(maps, performance_id);
	maps->app->counters.seat_map_messages++;
	if (entry != NULL)
		entry->dropped = true;
}

void seat_maps_missed(struct seat_maps *maps)
{
	struct entry *entry, *next;

	HASH_ITER (hh, maps->entries, entry, next)
		entry->dropped = true;
}

void seat_maps_redis_back(struct seat_maps *maps)
{
	struct entry *entry, *next;

	maps->tell_after_ms = 0;
	HASH_ITER (hh, maps->entries, entry, next) {
		entry->dropped = true;
		mark_untold(entry);
	}
}

/* One message a performance and turn, however many of its seats have changed. */
void seat_maps_turn(struct seat_maps *maps)
{
	struct entry *entry, *next;

	answer_overdue(maps);
	if (STAILQ_EMPTY(&maps->untold) || !redis_up(maps->app->redis) ||
		clock_mono_ms() < maps->tell_after_ms)
		return;
	for (entry = STAILQ_FIRST(&maps->untold); entry != NULL; entry = next) {
		next = STAILQ_NEXT(entry, untold_link);
		int64_t event_id = event_of(entry);
		if (event_id !=
			0) /* else made elsewhere just now; the catalog is about to know it */
			tell(entry, event_id);
	}
}

static void told(void *context, enum db_result result, const struct redis_value *value)
{
	struct entry *entry = context;
	struct seat_maps *maps = entry->maps;
	(void)value;

	entry->telling--;
	if (result == DB_OK)
		return;
	maps->tell_after_ms = clock_mono_ms() + TELL_AGAIN_MS;
	mark_untold(entry);
}

/* --- */

struct seat_maps *seat_maps_new(struct app *app)
{
	struct seat_maps *maps = must_calloc(1, sizeof *maps);

	maps->app = app;
	TAILQ_INIT(&maps->refilling);
	STAILQ_INIT(&maps->untold);
	if (strcmp(app->settings.redis_url, "none") != 0)
		maps->shared = shared_seats_new(app->redis);
	return maps;
}

void seat_maps_free(struct seat_maps *maps)
{
	struct entry *entry, *next;

	HASH_ITER (hh, maps->entries, entry, next)
		entry_free(maps, entry);
	if (maps->shared != NULL)
		shared_seats_free(maps->shared);
	free(maps);
}
