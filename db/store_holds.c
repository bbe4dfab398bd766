/* Holds, a batch at a time: arrays out, a row an operation back. What decides is in db/functions/; here only the way
 * there and back.
 *
 * The seats of a batch go out once each, ascending, as that is the order in which they are locked; a hold names its
 * own by their places in that list. Of those that ask for a quantity there are two statements: one that waits for
 * seats which others have locked, and one that does not. */
#include "db/store_reservations.h"

#include <stdlib.h>
#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_hold_sql, "db/statements/hold.sql");
EMBED(store_hold_optimistic_sql, "db/statements/hold_optimistic.sql");
EMBED(store_hold_quantity_sql, "db/statements/hold_quantity.sql");

#define HOLD(pointer) CONTAINER_OF(pointer, struct store_hold, op)

/* --- hold --- */

static const struct idem *hold_idem(const struct pg_op *op)
{
	return &HOLD(op)->idem;
}

/* How many seats a hold asks for: none where it only looks for its key. */
static size_t hold_seats(const struct pg_op *op)
{
	const struct store_hold *hold = HOLD(op);

	return hold->replay_only ? 0 : hold->seat_count;
}

/* All seats of the batch, ascending, each once; the caller frees. */
static int64_t *batch_seats(struct pg_op *const *ops, unsigned count, size_t *seat_count)
{
	size_t all = 0, distinct = 0;

	for (unsigned i = 0; i < count; i++)
		all += hold_seats(ops[i]);
	int64_t *seats = must_malloc((all + 1) * sizeof *seats);
	all = 0;
	for (unsigned i = 0; i < count; i++) {
		memcpy(seats + all, HOLD(ops[i])->seat_ids, hold_seats(ops[i]) * sizeof *seats);
		all += hold_seats(ops[i]);
	}
	qsort(seats, all, sizeof *seats, store_compare_i64);
	for (size_t i = 0; i < all; i++)
		if (distinct == 0 || seats[distinct - 1] != seats[i])
			seats[distinct++] = seats[i];
	*seat_count = distinct;
	return seats;
}

/* For each hold the first and the last of its places, then the places. */
static void hold_param_places(struct pg_params *params, struct pg_op *const *ops, unsigned count,
	const int64_t *seats, size_t seat_count)
{
	int64_t next = 1;

	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < count; i++) {
		pg_array_i64(params, next);
		next += (int64_t)hold_seats(ops[i]);
	}
	pg_array_end(params);
	next = 0;
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < count; i++) {
		next += (int64_t)hold_seats(ops[i]);
		pg_array_i64(params, next);
	}
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < count; i++) {
		for (size_t j = 0; j < hold_seats(ops[i]); j++) {
			const int64_t *seat = bsearch(&HOLD(ops[i])->seat_ids[j], seats, seat_count,
				sizeof *seats, store_compare_i64);
			CHECK(seat != NULL);
			pg_array_i64(params, seat - seats + 1);
		}
	}
	pg_array_end(params);
}

/* The first parameters of a hold, whatever it asks for. */
static void hold_param_requests(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	store_param_idem(params, ops, count, hold_idem);
	STORE_ARRAY_TEXT(params, ops, count, store_hold, idem.request_id);
	STORE_ARRAY_I64(params, ops, count, store_hold, user_id);
	STORE_ARRAY_I64(params, ops, count, store_hold, performance_id);
	STORE_ARRAY_I64(params, ops, count, store_hold, hold_ttl_ms);
	STORE_ARRAY_BOOL(params, ops, count, store_hold, replay_only);
}

static void hold_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	static const enum problem heads[] = {PROBLEM_SEAT_UNAVAILABLE};
	size_t seat_count;
	int64_t *seats = batch_seats(ops, count, &seat_count);

	hold_param_requests(params, ops, count);
	hold_param_places(params, ops, count, seats, seat_count);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < seat_count; i++)
		pg_array_i64(params, seats[i]);
	pg_array_end(params);
	pg_param_text(params, HOLD(ops[0])->currency);
	store_param_heads(params, heads, ARRAY_LEN(heads));
	STORE_ARRAY_I64(params, ops, count, store_hold, pass_nonce);
	pg_param_i64(params, HOLD(ops[0])->user_limit);
	free(seats);
}

/* The first columns of a hold, whatever it asked for. */
static bool hold_read_reply(struct store_hold *hold, const struct pg_rows *rows, unsigned row)
{
	if (!store_row_outcome(rows, row, 1, &hold->outcome))
		return false;
	if (hold->outcome != STORE_REPLY)
		return true;
	store_row_reply(rows, row, 2, 4, &hold->reply);
	hold->reply.replayed = pg_row_bool(rows, row, 3);
	hold->reservation_id = pg_row_i64(rows, row, 5);
	hold->hold_left_ms = pg_row_i64(rows, row, 6);
	return true;
}

static bool hold_read(struct store_hold *hold, const struct pg_rows *rows, unsigned row)
{
	int64_t sold[STORE_SEATS_MAX];

	if (!hold_read_reply(hold, rows, row))
		return false;
	hold->taken_count = pg_row_ids(rows, row, 7, hold->taken_ids, STORE_SEATS_MAX);
	if (pg_row_ids(rows, row, 8, sold, STORE_SEATS_MAX) != hold->taken_count)
		return false;
	for (size_t i = 0; i < hold->taken_count; i++)
		hold->taken_sold[i] = sold[i] != 0;
	return true;
}

static bool hold_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++)
		if (!store_row_op(rows, row, ops, count, &op) ||
			(op != NULL && !hold_read(HOLD(op), rows, row)))
			return false;
	return true;
}

const struct pg_statement store_hold_statement = {.name = "hold",
	.sql = store_hold_sql,
	.batched = true,
	.repeatable = true,
	.encode = hold_encode,
	.decode = hold_decode};

/* The same by another strategy, and so in batches of their own: here nobody waits for a seat that is taken. */
const struct pg_statement store_hold_optimistic_statement = {.name = "hold_optimistic",
	.sql = store_hold_optimistic_sql,
	.batched = true,
	.repeatable = true,
	.encode = hold_encode,
	.decode = hold_decode};

/* --- hold, where PostgreSQL chooses the seats --- */

static void quantity_encode(
	struct pg_params *params, struct pg_op *const *ops, unsigned count, bool waits)
{
	static const enum problem heads[] = {PROBLEM_SOLD_OUT};

	hold_param_requests(params, ops, count);
	STORE_ARRAY_I64(params, ops, count, store_hold, quantity);
	STORE_ARRAY_TEXT(params, ops, count, store_hold, section);
	pg_param_text(params, HOLD(ops[0])->currency);
	store_param_heads(params, heads, ARRAY_LEN(heads));
	STORE_ARRAY_I64(params, ops, count, store_hold, pass_nonce);
	pg_param_i64(params, HOLD(ops[0])->user_limit);
	pg_param_bool(params, waits);
}

static void hold_quantity_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	quantity_encode(params, ops, count, false);
}

static void hold_quantity_waiting_encode(
	struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	quantity_encode(params, ops, count, true);
}

static bool hold_quantity_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++) {
		if (!store_row_op(rows, row, ops, count, &op) ||
			(op != NULL && !hold_read_reply(HOLD(op), rows, row)))
			return false;
		if (op != NULL)
			HOLD(op)->seat_count = pg_row_ids(
				rows, row, 7, HOLD(op)->seat_ids, STORE_SEATS_MAX);
	}
	return true;
}

const struct pg_statement store_hold_quantity_statement = {.name = "hold_quantity",
	.sql = store_hold_quantity_sql,
	.batched = true,
	.repeatable = true,
	.encode = hold_quantity_encode,
	.decode = hold_quantity_decode};

/* A statement of its own, and so batches of their own: those who wait hold nobody else up. */
const struct pg_statement store_hold_quantity_waiting_statement = {.name = "hold_quantity_waiting",
	.sql = store_hold_quantity_sql,
	.batched = true,
	.repeatable = true,
	.encode = hold_quantity_waiting_encode,
	.decode = hold_quantity_decode};

/* --- hold, either way --- */

static const struct pg_statement *hold_statement(const struct store_hold *hold)
{
	if (hold->quantity == 0)
		return hold->optimistic && !hold->waits ? &store_hold_optimistic_statement
							: &store_hold_statement;
	return hold->waits ? &store_hold_quantity_waiting_statement
			   : &store_hold_quantity_statement;
}

void store_hold(struct pg *pg, struct store_hold *hold)
{
	CHECK(hold->seat_count <= STORE_SEATS_MAX && hold->quantity <= STORE_SEATS_MAX);
	store_reply_free(&hold->reply);
	hold->reservation_id = 0;
	hold->hold_left_ms = 0;
	hold->taken_count = 0;
	if (hold->quantity > 0)
		hold->seat_count = 0;
	qsort(hold->seat_ids, hold->seat_count, sizeof hold->seat_ids[0], store_compare_i64);
	pg_submit(pg, &hold->op, hold_statement(hold));
}
