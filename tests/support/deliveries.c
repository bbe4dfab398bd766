/* The stream is read by pages: each begins behind the last entry of the one before. */
#include "tests/support/deliveries.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db/outbox_stream.h"
#include "proto/base/check.h"
#include "tests/support/database.h"
#include "tests/support/wait.h"

enum { PAGE = 5000, ENTRY_ID_SIZE = 64 };

static const char *field(const redisReply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (strcmp(fields->element[i]->str, name) == 0)
			return fields->element[i + 1]->str;
	cr_assert_fail("an event without its %s", name);
	return "";
}

void deliveries_add(
	struct deliveries *deliveries, int64_t id, int64_t reservation_id, const char *kind)
{
	if (deliveries->count == deliveries->room) {
		deliveries->room = 2 * deliveries->room + PAGE;
		deliveries->list = must_realloc(
			deliveries->list, deliveries->room * sizeof *deliveries->list);
	}
	struct delivery *delivery = &deliveries->list[deliveries->count++];
	*delivery = (struct delivery){.id = id, .reservation_id = reservation_id};
	cr_assert(strlen(kind) < sizeof delivery->kind);
	strcpy(delivery->kind, kind);
}

static void take_entry(struct deliveries *deliveries, const redisReply *fields)
{
	cr_assert(field(fields, "payload")[0] == '{' && field(fields, "created_at")[0] != '\0');
	deliveries_add(deliveries, strtoll(field(fields, "id"), NULL, 10),
		strtoll(field(fields, "reservation_id"), NULL, 10), field(fields, "kind"));
}

static void take_time(char time[DELIVERIES_TIME_SIZE], PGconn *db)
{
	PGresult *result = database_query(db, "SELECT clock_timestamp()", 0, NULL);

	cr_assert(PQgetlength(result, 0, 0) < DELIVERIES_TIME_SIZE);
	strcpy(time, PQgetvalue(result, 0, 0));
	PQclear(result);
}

void deliveries_begin(struct deliveries *deliveries, PGconn *db)
{
	take_time(deliveries->read_at, db);
	deliveries->count = 0;
}

void deliveries_read(struct deliveries *deliveries, PGconn *db, const struct redis_process *redis)
{
	redisContext *connection = redis_process_connect(redis);
	char from[ENTRY_ID_SIZE] = "-";
	size_t read;

	deliveries_begin(deliveries, db);
	do {
		redisReply *reply = redisCommand(
			connection, "XRANGE %s %s + COUNT %d", OUTBOX_STREAM, from, PAGE);
		cr_assert(reply != NULL && reply->type == REDIS_REPLY_ARRAY,
			"the stream of events cannot be read");
		read = reply->elements;
		for (size_t i = 0; i < read; i++)
			take_entry(deliveries, reply->element[i]->element[1]);
		if (read > 0)
			snprintf(from, sizeof from, "(%s",
				reply->element[read - 1]->element[0]->str);
		freeReplyObject(reply);
	} while (read == PAGE);
	redisFree(connection);
}

void deliveries_free(struct deliveries *deliveries)
{
	free(deliveries->list);
	*deliveries = (struct deliveries){0};
}

void deliveries_lost(struct deliveries *deliveries, PGconn *db)
{
	take_time(deliveries->since, db);
}

static bool is_published(void *context)
{
	return database_i64(context, "SELECT count(*) FROM outbox_pending", 0, NULL) == 0;
}

bool deliveries_await(PGconn *db, unsigned limit_ms)
{
	return wait_until(is_published, db, limit_ms);
}
