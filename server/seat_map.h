/* Seat maps: the list of a performance's seats and their states, kept in the process for at most half a
 * second, so that any number of readers cost PostgreSQL two reads a second each performance. One refill at a
 * time; who comes meanwhile waits for it. While PostgreSQL is away, the last one read is given. */
#ifndef ONSALE_SERVER_SEAT_MAP_H
#define ONSALE_SERVER_SEAT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct app;
struct seat_maps;

enum { SEAT_MAP_MAX_AGE_MS = 500, SEAT_MAPS_MAX = 512 };

/* The bodies of both calls, ready to be sent, and their entity tags (quoted). */
struct seat_map {
	const char *seats, *status;
	size_t seats_len, status_len;
	char seats_tag[48], status_tag[48];
};

struct seat_map_wait {
	/* map NULL: it could not be read. The map lives until the callback returns. */
	void (*done)(struct seat_map_wait *wait, const struct seat_map *map);
	void *owner;
	STAILQ_ENTRY(seat_map_wait) link;
};

struct seat_maps *seat_maps_new(struct app *app);
void seat_maps_free(struct seat_maps *maps);

/* The map of a performance that exists, where it is young enough, else NULL. It lives until the loop turns. */
const struct seat_map *seat_map_young(struct seat_maps *maps, int64_t performance_id);

/* The body of one of the calls as gzip has it, with an entity tag of its own: made when the first reader wants it
 * of this version, which must be the one just given. NULL where it does not pay. It lives as long as the map. */
struct seat_map_gzip {
	const char *bytes;
	size_t len;
	char tag[48];
};
const struct seat_map_gzip *seat_map_gzip(
	struct seat_maps *maps, int64_t performance_id, bool letters);

/* Waits for a new one: `done` is called once, never before this returns. */
void seat_map_read(struct seat_maps *maps, int64_t performance_id, struct seat_map_wait *wait);

/* A seat has changed: the next reader gets a new map, though no more often than each 50 ms. */
void seat_map_drop(struct seat_maps *maps, int64_t performance_id);

#endif
