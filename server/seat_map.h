/* Seat maps: the list of a performance's seats and their states, kept in the process for at most 400 ms, and shared
 * by all instances through Redis for a minute. Whoever changes a seat drops the map on all of them, so that another
 * reader sees a hold some 50 ms later. One refill at a time; who comes meanwhile waits for it.
 *
 * A refill asks Redis for a copy of the letters, and PostgreSQL where there is none. With Redis away, or a message
 * lost, the 400 ms are what bounds how long a map is believed: also where a refill first waits in vain for Redis, for
 * the 500 ms of redis.deadline_ms, a hold is seen within a second. Whether a copy is right is also judged by the
 * counts that the catalog reads: an instance that died before it could tell of a sale hides it no longer.
 * While PostgreSQL is away, or does not answer within 300 ms, the last map read is given, and said to be stale. */
#ifndef ONSALE_SERVER_SEAT_MAP_H
#define ONSALE_SERVER_SEAT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "server/seat_bodies.h"

struct app;
struct seat_maps;

enum { SEAT_MAP_MAX_AGE_MS = 400, SEAT_MAPS_MAX = 512 };

struct seat_map_wait {
	/* bodies NULL: the map could not be read. They live until the callback returns. */
	void (*done)(struct seat_map_wait *wait, struct seat_bodies *bodies);
	void *owner;
	STAILQ_ENTRY(seat_map_wait) link;
};

struct seat_maps *seat_maps_new(struct app *app);

/* After pg_free and redis_free, which answer what is in flight. */
void seat_maps_free(struct seat_maps *maps);

/* The map of a performance, where it is young enough, else NULL. It lives until the loop turns. */
struct seat_bodies *seat_map_young(struct seat_maps *maps, int64_t performance_id);

/* How old the map is, in seconds, where it is older than it should be; else 0. */
unsigned seat_map_stale_s(const struct seat_maps *maps, int64_t performance_id);

/* Waits for a new one: `done` is called once, never before this returns. */
void seat_map_read(struct seat_maps *maps, int64_t performance_id, struct seat_map_wait *wait);

/* A seat has changed: the next reader gets a new map, though no more often than each 50 ms; here now, and on the
 * other instances when the turn ends. */
void seat_map_drop(struct seat_maps *maps, int64_t performance_id);

/* What PostgreSQL counted, in a read that was sent at as_of_ms: drops a map that is older and says otherwise. */
void seat_map_check(struct seat_maps *maps, int64_t performance_id, int64_t available, int64_t sold,
	uint64_t as_of_ms);

/* A message of shared_seats.h. */
void seat_maps_heard(struct seat_maps *maps, const char *text, size_t len);

/* Messages may have been missed: all maps are dropped, here. */
void seat_maps_missed(struct seat_maps *maps);

/* Redis is back: what it holds may be older than what was told it, or than what it was to be told. */
void seat_maps_redis_back(struct seat_maps *maps);

/* Tells of changes, and answers who has waited long enough; the loop calls it at the end of each turn, before redis_turn. */
void seat_maps_turn(struct seat_maps *maps);

#endif
