/* The stream in Redis that tells others what happened to reservations:
 *   onsale:{outbox}:events   an entry an event: id, kind, reservation_id, payload (JSON), created_at
 *
 * An event may come twice, then with the same id. The first entries of a reservation's events stand in the order of
 * their ids, so that a reader who drops what is not above the highest id that it has of the reservation has each
 * once. What Redis loses of its data, the stream loses, too: it is not sent again. */
#ifndef ONSALE_DB_OUTBOX_STREAM_H
#define ONSALE_DB_OUTBOX_STREAM_H

#include "db/redis.h"
#include "db/store_outbox.h"

#define OUTBOX_STREAM "onsale:{outbox}:events"

/* The scripts, for redis_new; NULL-terminated. */
extern const struct redis_script *const outbox_stream_scripts[];

/* Appends up to STORE_OUTBOX_MAX events, in their order; about `length` entries stay. DB_OK: all of them are in the
 * stream. Else the first ones may be. done is called once, never before this returns; the events are copied. */
void outbox_stream_append(struct redis *redis, const struct outbox_event *events, size_t count,
	int64_t length, redis_done *done, void *context);

#endif
