/* Who polled lately, gathered in the process and written to Redis in batches: a heartbeat each poll
 * would cost as much as the poll. */
#ifndef ONSALE_QUEUE_HEARTBEATS_H
#define ONSALE_QUEUE_HEARTBEATS_H

#include <stdint.h>

struct redis;
struct heartbeats;

struct heartbeats *heartbeats_new(struct redis *redis);
void heartbeats_free(struct heartbeats *heartbeats); /* what was not written is lost */

/* The user waits and was seen now. Written within a second, and sooner where a line drops places
 * after so short a time (abandon_after_ms) that a second matters. */
void heartbeats_note(
	struct heartbeats *heartbeats, int64_t event_id, int64_t user_id, int64_t abandon_after_ms);

/* Writes what is due. */
void heartbeats_turn(struct heartbeats *heartbeats);

#endif
