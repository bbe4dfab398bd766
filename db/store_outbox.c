/* A batch of events is one block of memory: the list, and behind it the texts that it points to. */
#include "db/store_outbox.h"

#include <stdlib.h>
#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_outbox_take_sql, "db/statements/outbox_take.sql");
EMBED(store_outbox_mark_sql, "db/statements/outbox_mark.sql");

#define TAKE(pointer) CONTAINER_OF(pointer, struct store_outbox_take, op)
#define MARK(pointer) CONTAINER_OF(pointer, struct store_outbox_mark, op)

enum column { PENDING_ID, ID, RESERVATION_ID, KIND, PAYLOAD, CREATED_AT, AGE_MS };

/* --- what is to be told --- */

static void take_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1 && TAKE(ops[0])->limit <= STORE_OUTBOX_MAX);
	pg_param_i64(params, TAKE(ops[0])->taker);
	pg_param_i64(params, TAKE(ops[0])->lease_ms);
	pg_param_i64(params, TAKE(ops[0])->limit);
}

static size_t texts_size(const struct pg_rows *rows, unsigned row)
{
	size_t size = 0, len;

	for (unsigned column = KIND; column <= CREATED_AT; column++) {
		pg_row_text(rows, row, column, &len);
		size += len + 1;
	}
	return size;
}

/* Moves the place on to the next text. */
static const char *copy_text(
	const struct pg_rows *rows, unsigned row, unsigned column, char **place)
{
	size_t len;
	const char *text = pg_row_text(rows, row, column, &len);
	char *copy = *place;

	memcpy(copy, text, len + 1);
	*place += len + 1;
	return copy;
}

static void read_events(struct store_outbox_take *take, const struct pg_rows *rows)
{
	unsigned count = pg_row_count(rows);
	size_t size = count * sizeof *take->events;

	for (unsigned row = 0; row < count; row++)
		size += texts_size(rows, row);
	take->events = must_malloc(size);
	take->count = count;
	char *place = (char *)(take->events + count);
	for (unsigned row = 0; row < count; row++)
		take->events[row] = (struct outbox_event){
			.pending_id = pg_row_i64(rows, row, PENDING_ID),
			.id = pg_row_i64(rows, row, ID),
			.reservation_id = pg_row_i64(rows, row, RESERVATION_ID),
			.kind = copy_text(rows, row, KIND, &place),
			.payload = copy_text(rows, row, PAYLOAD, &place),
			.created_at = copy_text(rows, row, CREATED_AT, &place),
		};
}

static bool take_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > STORE_OUTBOX_MAX)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_outbox_take *take = TAKE(ops[0]);
	take->any = true;
	take->age_ms = pg_row_i64(rows, 0, AGE_MS);
	if (!pg_row_null(rows, 0, ID))
		read_events(take, rows);
	return true;
}

const struct pg_statement store_outbox_take_statement = {.name = "outbox_take",
	.sql = store_outbox_take_sql,
	.repeatable = true,
	.encode = take_encode,
	.decode = take_decode};

void store_outbox_take(struct pg *pg, struct store_outbox_take *take)
{
	take->any = false;
	take->age_ms = 0;
	take->events = NULL;
	take->count = 0;
	pg_submit(pg, &take->op, &store_outbox_take_statement);
}

void store_outbox_take_free(struct store_outbox_take *take)
{
	free(take->events);
	take->events = NULL;
	take->count = 0;
}

/* --- they were told --- */

static void mark_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1 && MARK(ops[0])->count <= STORE_OUTBOX_MAX);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < MARK(ops[0])->count; i++)
		pg_array_i64(params, MARK(ops[0])->pending_ids[i]);
	pg_array_end(params);
}

/* How many were still there, which nobody asks. */
static bool mark_decode(
	const struct pg_rows *rows, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	return pg_row_count(rows) == 1;
}

const struct pg_statement store_outbox_mark_statement = {.name = "outbox_mark",
	.sql = store_outbox_mark_sql,
	.repeatable = true,
	.encode = mark_encode,
	.decode = mark_decode};

void store_outbox_mark(struct pg *pg, struct store_outbox_mark *mark)
{
	pg_submit(pg, &mark->op, &store_outbox_mark_statement);
}
