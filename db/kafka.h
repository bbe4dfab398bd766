/* Kafka on the event loop: an idempotent producer that tells what happened to reservations. Only db/kafka.c includes
 * librdkafka, whose threads do the talking; what they report comes to the loop through a descriptor.
 *
 * A message an event: key the reservation's id, so that all of a reservation are in one partition; value the payload
 * (JSON); headers id, kind, created_at. A message may come twice, then with the same id; the first ones of a
 * reservation come in the order of their ids. */
#ifndef ONSALE_DB_KAFKA_H
#define ONSALE_DB_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include "db/result.h"
#include "db/store_outbox.h"

struct event_base;
struct kafka;

struct kafka_settings {
	const char *brokers; /* host:port, … */
	const char *topic;
	const char *options; /* further ones of librdkafka: name=value;name=value */
};

/* False, with the reason in `why`, where this build has no librdkafka or an option is wrong. The texts stay the
 * caller's, until kafka_free. Whether there are brokers shows later. */
bool kafka_new(struct event_base *base, const struct kafka_settings *settings, struct kafka **made,
	char *why, size_t why_size);
/* What is not acknowledged yet is given up; nobody is told. May take a moment. NULL is allowed. */
void kafka_free(struct kafka *kafka);

/* Sends up to STORE_OUTBOX_MAX events, in their order; one call at a time. Waits for the brokers as long as it takes:
 * a message that was given up while a later one went through would turn their order around. DB_OK: all in-sync
 * replicas have all of them. Else some may have come. done is called once, never before this returns; the events
 * are copied. */
void kafka_send(struct kafka *kafka, const struct outbox_event *events, size_t count,
	void (*done)(void *context, enum db_result result), void *context);

/* A send is under way. */
bool kafka_busy(const struct kafka *kafka);

#endif
