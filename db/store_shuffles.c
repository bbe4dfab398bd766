/* A list goes in and out in parts: a call's parameters and rows are put together on the loop. */
#include "db/store_shuffles.h"

#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_shuffle_begin_sql, "db/statements/shuffle_begin.sql");
EMBED(store_shuffle_add_sql, "db/statements/shuffle_add.sql");
EMBED(store_shuffle_publish_sql, "db/statements/shuffle_publish.sql");
EMBED(store_shuffle_page_sql, "db/statements/shuffle_page.sql");
EMBED(store_shuffle_number_sql, "db/statements/shuffle_number.sql");
EMBED(store_shuffle_sql, "db/statements/shuffle.sql");

#define BEGIN(pointer) CONTAINER_OF(pointer, struct store_shuffle_begin, op)
#define ADD(pointer) CONTAINER_OF(pointer, struct store_shuffle_add, op)
#define PUBLISH(pointer) CONTAINER_OF(pointer, struct store_shuffle_publish, op)
#define PAGE(pointer) CONTAINER_OF(pointer, struct store_shuffle_page, op)
#define NUMBER(pointer) CONTAINER_OF(pointer, struct store_shuffle_number, op)
#define SHUFFLE(pointer) CONTAINER_OF(pointer, struct store_shuffle, op)

static bool read_bytes(
	const struct pg_rows *rows, unsigned row, unsigned column, uint8_t *bytes, size_t size)
{
	size_t len;
	const char *found = pg_row_text(rows, row, column, &len);

	if (len != size)
		return false;
	memcpy(bytes, found, size);
	return true;
}

/* --- a draft --- */

static void begin_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, BEGIN(ops[0])->event_id);
}

static bool begin_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_shuffle_begin *begin = BEGIN(ops[0]);
	begin->found = true;
	begin->draft = pg_row_i64(rows, 0, 1);
	begin->done = pg_row_bool(rows, 0, 2);
	return read_bytes(rows, 0, 0, begin->seed, sizeof begin->seed);
}

const struct pg_statement store_shuffle_begin_statement = {.name = "shuffle_begin",
	.sql = store_shuffle_begin_sql,
	.repeatable = true, /* a draft that nobody writes does no harm */
	.encode = begin_encode,
	.decode = begin_decode};

void store_shuffle_begin(struct pg *pg, struct store_shuffle_begin *begin)
{
	begin->found = begin->done = false;
	pg_submit(pg, &begin->op, &store_shuffle_begin_statement);
}

static void add_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_shuffle_add *add = ADD(ops[0]);

	CHECK(count == 1);
	pg_param_i64(params, add->event_id);
	pg_param_i64(params, add->draft);
	pg_param_i64(params, add->written);
	pg_array_begin(params, PG_BYTEA);
	for (size_t i = 0; i < add->count; i++)
		pg_array_bytes(params, add->entrants[i].entrant, ENTRANT_SIZE);
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < add->count; i++)
		pg_array_i64(params, add->entrants[i].user_id);
	pg_array_end(params);
}

static bool add_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	(void)ops;
	return count == 1 && pg_row_count(rows) == 0;
}

const struct pg_statement store_shuffle_add_statement = {.name = "shuffle_add",
	.sql = store_shuffle_add_sql,
	.repeatable = true, /* what is there stays */
	.encode = add_encode,
	.decode = add_decode};

void store_shuffle_add(struct pg *pg, struct store_shuffle_add *add)
{
	CHECK(add->count <= STORE_SHUFFLE_PART);
	pg_submit(pg, &add->op, &store_shuffle_add_statement);
}

static void publish_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_shuffle_publish *publish = PUBLISH(ops[0]);

	CHECK(count == 1);
	pg_param_i64(params, publish->event_id);
	pg_param_i64(params, publish->draft);
	pg_param_bytes(params, publish->digest, sizeof publish->digest);
	pg_param_i64(params, publish->count);
	pg_param_i64(params, publish->base);
}

static bool publish_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_shuffle_publish *publish = PUBLISH(ops[0]);
	publish->done = !pg_row_null(rows, 0, 0);
	publish->own = publish->done && pg_row_i64(rows, 0, 0) == publish->draft;
	return true;
}

const struct pg_statement store_shuffle_publish_statement = {.name = "shuffle_publish",
	.sql = store_shuffle_publish_sql,
	.repeatable = true, /* the second run finds the first one's */
	.encode = publish_encode,
	.decode = publish_decode};

void store_shuffle_publish(struct pg *pg, struct store_shuffle_publish *publish)
{
	publish->done = publish->own = false;
	pg_submit(pg, &publish->op, &store_shuffle_publish_statement);
}

/* --- the list --- */

static void page_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, PAGE(ops[0])->event_id);
	pg_param_i64(params, PAGE(ops[0])->after);
	pg_param_i64(params, PAGE(ops[0])->limit);
}

/* Positions are without a gap. */
static bool page_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_shuffle_page *page = PAGE(ops[0]);
	if ((int64_t)pg_row_count(rows) > page->limit)
		return false;
	for (unsigned row = 0; row < pg_row_count(rows); row++) {
		struct shuffle_entrant *entrant = &page->entrants[row];

		if (pg_row_i64(rows, row, 0) != page->after + row + 1 ||
			!read_bytes(rows, row, 1, entrant->entrant, ENTRANT_SIZE))
			return false;
		entrant->user_id = pg_row_i64(rows, row, 2);
		page->base = pg_row_i64(rows, row, 3);
	}
	page->count = pg_row_count(rows);
	return true;
}

const struct pg_statement store_shuffle_page_statement = {.name = "shuffle_page",
	.sql = store_shuffle_page_sql,
	.repeatable = true,
	.encode = page_encode,
	.decode = page_decode};

void store_shuffle_page(struct pg *pg, struct store_shuffle_page *page)
{
	CHECK(page->limit >= 1 && page->limit <= STORE_SHUFFLE_PART);
	page->count = 0;
	page->base = 0;
	pg_submit(pg, &page->op, &store_shuffle_page_statement);
}

/* --- one's own number --- */

static void number_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_I64(params, ops, count, store_shuffle_number, event_id);
	STORE_ARRAY_I64(params, ops, count, store_shuffle_number, user_id);
}

static bool number_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	for (unsigned row = 0; row < pg_row_count(rows); row++) {
		if (!store_row_op(rows, row, ops, count, &op))
			return false;
		if (op == NULL)
			continue;
		NUMBER(op)->found = true;
		NUMBER(op)->number = pg_row_i64(rows, row, 1);
	}
	return true;
}

const struct pg_statement store_shuffle_number_statement = {.name = "shuffle_number",
	.sql = store_shuffle_number_sql,
	.batched = true,
	.repeatable = true,
	.encode = number_encode,
	.decode = number_decode};

void store_shuffle_number(struct pg *pg, struct store_shuffle_number *number)
{
	number->found = false;
	pg_submit(pg, &number->op, &store_shuffle_number_statement);
}

/* --- what is published --- */

static void shuffle_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, SHUFFLE(ops[0])->event_id);
}

static bool read_hex(const struct pg_rows *rows, unsigned column, char hex[SHUFFLE_HEX_SIZE])
{
	hex[SHUFFLE_HEX_SIZE - 1] = '\0';
	return read_bytes(rows, 0, column, (uint8_t *)hex, SHUFFLE_HEX_SIZE - 1);
}

static bool shuffle_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_shuffle *shuffle = SHUFFLE(ops[0]);
	shuffle->found = true;
	shuffle->count = pg_row_i64(rows, 0, 3);
	shuffle->opened_unix_ms = pg_row_i64(rows, 0, 4);
	return read_hex(rows, 0, shuffle->commitment) && read_hex(rows, 1, shuffle->seed) &&
	       read_hex(rows, 2, shuffle->digest);
}

const struct pg_statement store_shuffle_statement = {.name = "shuffle",
	.sql = store_shuffle_sql,
	.repeatable = true,
	.encode = shuffle_encode,
	.decode = shuffle_decode};

void store_shuffle(struct pg *pg, struct store_shuffle *shuffle)
{
	shuffle->found = false;
	pg_submit(pg, &shuffle->op, &store_shuffle_statement);
}
