/*   seat_map_read -> refill -> refilled -> each wait's done */
#include "server/seat_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "db/store_catalog.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/digest.h"
#include "proto/gzip.h"
#include "server/app.h"

enum {
	DROPPED_AGE_MS = 50,
	MAP_BODY_MAX = 64 * 1024 * 1024,
	GZIP_MIN = 1400, /* what one packet carries anyway */
	GZIP_MAX = 2 * 1024 * 1024 /* takes 5 ms: the loop stands still for no longer */
};

struct gzipped {
	struct seat_map_gzip body;
	struct buf bytes;
	bool tried; /* for the version at hand; body.len 0: it did not pay */
};

struct entry {
	int64_t performance_id;
	struct seat_map map;
	struct buf seats, status; /* what map points into */
	struct gzipped gzipped[2]; /* of seats, of status */
	uint64_t read_ms; /* when the read began; 0: never read */
	bool dropped; /* a seat has changed since */
	uint64_t refill_begun_ms;
	bool refilling;
	struct store_seats store;
	STAILQ_HEAD(, seat_map_wait) waits;
	struct seat_maps *maps;
	UT_hash_handle hh;
};

struct seat_maps {
	struct app *app;
	struct entry *entries; /* in the order in which they were first asked for */
};

static void refill(struct entry *entry);
static void refilled(struct pg_op *op, enum db_result result);

static void entry_free(struct seat_maps *maps, struct entry *entry)
{
	HASH_DEL(maps->entries, entry);
	store_seats_free(&entry->store);
	buf_free(&entry->seats);
	buf_free(&entry->status);
	for (size_t i = 0; i < ARRAY_LEN(entry->gzipped); i++)
		buf_free(&entry->gzipped[i].bytes);
	free(entry);
}

/* Makes room: the oldest entry that is not just being read goes. */
static void make_room(struct seat_maps *maps)
{
	struct entry *entry, *next;

	if (HASH_COUNT(maps->entries) < SEAT_MAPS_MAX)
		return;
	HASH_ITER (hh, maps->entries, entry, next) {
		if (!entry->refilling) {
			entry_free(maps, entry);
			return;
		}
	}
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
	entry->seats = BUF_INIT(MAP_BODY_MAX);
	entry->status = BUF_INIT(MAP_BODY_MAX);
	for (size_t i = 0; i < ARRAY_LEN(entry->gzipped); i++)
		entry->gzipped[i].bytes = BUF_INIT(GZIP_MAX);
	STAILQ_INIT(&entry->waits);
	HASH_ADD(hh, maps->entries, performance_id, sizeof entry->performance_id, entry);
	return entry;
}

const struct seat_map *seat_map_young(struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry = entry_find(maps, performance_id);

	if (entry == NULL || entry->read_ms == 0)
		return NULL;
	uint64_t max_age_ms = entry->dropped ? DROPPED_AGE_MS : SEAT_MAP_MAX_AGE_MS;
	return clock_mono_ms() - entry->read_ms < max_age_ms ? &entry->map : NULL;
}

static void compress(struct gzipped *gzipped, const char *bytes, size_t len, const char *tag)
{
	struct seat_map_gzip *body = &gzipped->body;

	gzipped->tried = true;
	buf_clear(&gzipped->bytes);
	if (len >= GZIP_MIN && len <= GZIP_MAX)
		gzip_write(&gzipped->bytes, bytes, len);
	body->bytes = gzipped->bytes.data;
	body->len = gzipped->bytes.len;
	snprintf(body->tag, sizeof body->tag, "\"z%s", tag + 1); /* its quote stands first */
}

const struct seat_map_gzip *seat_map_gzip(
	struct seat_maps *maps, int64_t performance_id, bool letters)
{
	struct entry *entry = entry_find(maps, performance_id);

	if (entry == NULL || entry->read_ms == 0)
		return NULL;
	struct gzipped *gzipped = &entry->gzipped[letters];
	const struct seat_map *map = &entry->map;
	if (!gzipped->tried && letters)
		compress(gzipped, map->status, map->status_len, map->status_tag);
	else if (!gzipped->tried)
		compress(gzipped, map->seats, map->seats_len, map->seats_tag);
	return gzipped->body.len > 0 ? &gzipped->body : NULL;
}

void seat_map_read(struct seat_maps *maps, int64_t performance_id, struct seat_map_wait *wait)
{
	struct entry *entry = entry_get(maps, performance_id);

	STAILQ_INSERT_TAIL(&entry->waits, wait, link);
	if (!entry->refilling)
		refill(entry);
}

void seat_map_drop(struct seat_maps *maps, int64_t performance_id)
{
	struct entry *entry = entry_find(maps, performance_id);

	if (entry != NULL)
		entry->dropped = true;
}

static void refill(struct entry *entry)
{
	entry->refilling = true;
	entry->refill_begun_ms = clock_mono_ms();
	entry->dropped = false;
	entry->store = (struct store_seats){
		.op = {.done = refilled, .owner = entry}, .performance_id = entry->performance_id};
	store_seats(entry->maps->app->pg, &entry->store);
}

/* The version is a digest of what the body says: the same seats in the same states have the same one. */
static void take_map(struct entry *entry)
{
	const struct store_seats *store = &entry->store;
	struct digest_part parts[] = {{store->letters, store->letters_len}};
	struct digest digest = digest_of(parts, 1);
	struct seat_map *map = &entry->map;
	char version[DIGEST_HEX_SIZE];

	digest_hex(&digest, version);
	version[16] = '\0';
	buf_clear(&entry->seats);
	buf_printf(&entry->seats, "{\"performance_id\":%lld,\"version\":\"%s\",\"seats\":",
		(long long)entry->performance_id, version);
	buf_append(&entry->seats, store->seats_json, store->seats_json_len);
	buf_append_char(&entry->seats, '}');
	buf_clear(&entry->status);
	buf_printf(&entry->status, "{\"performance_id\":%lld,\"version\":\"%s\",\"status\":\"",
		(long long)entry->performance_id, version);
	buf_append(&entry->status, store->letters, store->letters_len);
	buf_append_text(&entry->status, "\"}");
	if (strstr(map->seats_tag, version) == NULL)
		entry->gzipped[0].tried = entry->gzipped[1].tried = false;
	snprintf(map->seats_tag, sizeof map->seats_tag, "\"l-%s\"", version);
	snprintf(map->status_tag, sizeof map->status_tag, "\"s-%s\"", version);
	map->seats = entry->seats.data;
	map->seats_len = entry->seats.len;
	map->status = entry->status.data;
	map->status_len = entry->status.len;
}

static void refilled(struct pg_op *op, enum db_result result)
{
	struct entry *entry = op->owner;
	STAILQ_HEAD(, seat_map_wait) waits = STAILQ_HEAD_INITIALIZER(waits);
	struct seat_map_wait *wait;

	if (result == DB_OK && entry->store.found) {
		take_map(entry);
		entry->read_ms = entry->refill_begun_ms;
	}
	store_seats_free(&entry->store);
	STAILQ_CONCAT(&waits, &entry->waits);
	const struct seat_map *map = entry->read_ms != 0 ? &entry->map : NULL;
	while ((wait = STAILQ_FIRST(&waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&waits, link);
		wait->done(wait, map);
	}
	entry->refilling = false;
	if (!STAILQ_EMPTY(&entry->waits))
		refill(entry);
}

struct seat_maps *seat_maps_new(struct app *app)
{
	struct seat_maps *maps = must_calloc(1, sizeof *maps);

	maps->app = app;
	return maps;
}

void seat_maps_free(struct seat_maps *maps)
{
	struct entry *entry, *next;

	HASH_ITER (hh, maps->entries, entry, next)
		entry_free(maps, entry);
	free(maps);
}
