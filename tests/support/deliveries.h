/* What the outbox has told others: the entries of its stream in Redis, in their order. */
#ifndef ONSALE_TESTS_SUPPORT_DELIVERIES_H
#define ONSALE_TESTS_SUPPORT_DELIVERIES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/support/redis_process.h"

enum { DELIVERY_KIND_SIZE = 32, DELIVERIES_TIME_SIZE = 40 };

struct delivery {
	int64_t id, reservation_id;
	char kind[DELIVERY_KIND_SIZE];
};

struct deliveries {
	struct delivery *list;
	size_t count, room;
	char read_at[DELIVERIES_TIME_SIZE]; /* what was published by then must be there */
	char since[DELIVERIES_TIME_SIZE]; /* "": all is judged; else what happened after it */
};

/* Everything that was published so far is about to be read. */
void deliveries_begin(struct deliveries *deliveries, PGconn *db);

/* What the stream has; each entry must be whole. */
void deliveries_read(struct deliveries *deliveries, PGconn *db, const struct redis_process *redis);
void deliveries_add(
	struct deliveries *deliveries, int64_t id, int64_t reservation_id, const char *kind);
void deliveries_free(struct deliveries *deliveries);

/* Redis was there again, and had lost something, before now. */
void deliveries_lost(struct deliveries *deliveries, PGconn *db);

/* Waits until every event is published; false where one is not within limit_ms. */
bool deliveries_await(PGconn *db, unsigned limit_ms);

#endif
