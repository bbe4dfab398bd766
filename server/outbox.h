/* The relay of the outbox: tells others what happened to reservations, each event at least once, those of one
 * reservation in order, by a stream in Redis (db/outbox_stream.h) or by Kafka (db/kafka.h). Every instance runs one; a lease in PostgreSQL
 * lets one at a time work, so that duplicates are few. What cannot be delivered waits in PostgreSQL. */
#ifndef ONSALE_SERVER_OUTBOX_H
#define ONSALE_SERVER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct outbox;

/* *made is NULL where nobody is told: outbox.target is none, or redis while there is none. False, with the reason in
 * `why`, where the settings of Kafka are wrong. */
bool outbox_new(struct app *app, struct outbox **made, char *why, size_t why_size);
/* After the stores are closed, which ends what waits for them. May be NULL. */
void outbox_free(struct outbox *outbox);

/* A batch is on its way to Kafka. Redis and PostgreSQL say themselves what is under way in them. */
bool outbox_busy(const struct outbox *outbox);

struct outbox_counts {
	uint64_t published; /* by this instance */
	uint64_t failures; /* batches that a store or the target did not take */
	uint64_t lag_ms; /* age of the oldest event that is not published, by any instance */
};
/* Zeroes where it is NULL. */
struct outbox_counts outbox_counts(const struct outbox *outbox);

#endif
