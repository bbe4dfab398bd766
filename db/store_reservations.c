/* Payments and cancellations, a batch at a time: arrays out, a row an operation back. What decides is in
 * db/functions/; here only the way there and back. Holds are in db/store_holds.c. */
#include "db/store_reservations.h"

#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_pay_sql, "db/statements/pay.sql");
EMBED(store_cancel_sql, "db/statements/cancel.sql");
EMBED(store_reservation_sql, "db/statements/reservation.sql");
EMBED(store_reservation_page_sql, "db/statements/reservation_page.sql");
EMBED(store_sweep_sql, "db/statements/sweep.sql");
EMBED(store_keys_known_sql, "db/statements/keys_known.sql");

#define PAY(pointer) CONTAINER_OF(pointer, struct store_pay, op)
#define CANCEL(pointer) CONTAINER_OF(pointer, struct store_cancel, op)
#define RESERVATION(pointer) CONTAINER_OF(pointer, struct store_reservation, op)
#define RESERVATION_PAGE(pointer) CONTAINER_OF(pointer, struct store_reservation_page, op)
#define SWEEP(pointer) CONTAINER_OF(pointer, struct store_sweep, op)
#define KEYS_KNOWN(pointer) CONTAINER_OF(pointer, struct store_keys_known, op)

/* --- pay --- */

static const struct idem *pay_idem(const struct pg_op *op)
{
	return &PAY(op)->idem;
}

static void pay_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	static const enum problem heads[] = {PROBLEM_INSUFFICIENT_BALANCE, PROBLEM_ALREADY_PAID,
		PROBLEM_RESERVATION_CANCELLED, PROBLEM_HOLD_EXPIRED};

	store_param_idem(params, ops, count, pay_idem);
	STORE_ARRAY_TEXT(params, ops, count, store_pay, idem.request_id);
	STORE_ARRAY_I64(params, ops, count, store_pay, user_id);
	STORE_ARRAY_I64(params, ops, count, store_pay, reservation_id);
	STORE_ARRAY_I64(params, ops, count, store_pay, use_points);
	STORE_ARRAY_I64(params, ops, count, store_pay, reward_percent);
	pg_param_text(params, PAY(ops[0])->currency);
	store_param_heads(params, heads, ARRAY_LEN(heads));
}

static bool pay_read(struct store_pay *pay, const struct pg_rows *rows, unsigned row)
{
	if (!store_row_outcome(rows, row, 1, &pay->outcome))
		return false;
	if (pay->outcome != STORE_REPLY)
		return true;
	store_row_reply(rows, row, 2, 4, &pay->reply);
	pay->reply.replayed = pg_row_bool(rows, row, 3);
	pay->paid = pay->reply.status == 201;
	if (!pay->paid)
		return true;
	pay->performance_id = pg_row_i64(rows, row, 5);
	pay->seat_count = pg_row_ids(rows, row, 6, pay->seat_ids, STORE_SEATS_MAX);
	pay->hold_key = store_row_digest(rows, row, 7);
	pay->pass_nonce = pg_row_i64(rows, row, 8);
	return true;
}

static bool pay_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++)
		if (!store_row_op(rows, row, ops, count, &op) ||
			(op != NULL && !pay_read(PAY(op), rows, row)))
			return false;
	return true;
}

const struct pg_statement store_pay_statement = {.name = "pay",
	.sql = store_pay_sql,
	.batched = true,
	.repeatable = true,
	.encode = pay_encode,
	.decode = pay_decode};

void store_pay(struct pg *pg, struct store_pay *pay)
{
	store_reply_free(&pay->reply);
	pay->paid = false;
	pay->seat_count = 0;
	pg_submit(pg, &pay->op, &store_pay_statement);
}

/* --- cancel --- */

static void cancel_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	static const enum problem heads[] = {PROBLEM_HOLD_EXPIRED};

	STORE_ARRAY_I64(params, ops, count, store_cancel, user_id);
	STORE_ARRAY_I64(params, ops, count, store_cancel, reservation_id);
	STORE_ARRAY_TEXT(params, ops, count, store_cancel, request_id);
	store_param_heads(params, heads, ARRAY_LEN(heads));
}

static bool cancel_read(struct store_cancel *cancel, const struct pg_rows *rows, unsigned row)
{
	if (!store_row_outcome(rows, row, 1, &cancel->outcome))
		return false;
	if (cancel->outcome != STORE_REPLY)
		return true;
	store_row_reply(rows, row, 2, 3, &cancel->reply);
	cancel->freed = pg_row_bool(rows, row, 4);
	if (!cancel->freed)
		return true;
	cancel->was_paid = pg_row_bool(rows, row, 5);
	cancel->performance_id = pg_row_i64(rows, row, 6);
	cancel->seat_count = pg_row_ids(rows, row, 7, cancel->seat_ids, STORE_SEATS_MAX);
	cancel->hold_key = store_row_digest(rows, row, 8);
	return true;
}

static bool cancel_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++)
		if (!store_row_op(rows, row, ops, count, &op) ||
			(op != NULL && !cancel_read(CANCEL(op), rows, row)))
			return false;
	return true;
}

const struct pg_statement store_cancel_statement = {.name = "cancel",
	.sql = store_cancel_sql,
	.batched = true,
	.repeatable = true,
	.encode = cancel_encode,
	.decode = cancel_decode};

void store_cancel(struct pg *pg, struct store_cancel *cancel)
{
	store_reply_free(&cancel->reply);
	cancel->freed = false;
	cancel->was_paid = false;
	cancel->seat_count = 0;
	pg_submit(pg, &cancel->op, &store_cancel_statement);
}

/* --- one reservation --- */

static void reservation_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_I64(params, ops, count, store_reservation, user_id);
	STORE_ARRAY_I64(params, ops, count, store_reservation, reservation_id);
	pg_param_text(params, RESERVATION(ops[0])->currency);
}

static bool reservation_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++) {
		if (!store_row_op(rows, row, ops, count, &op))
			return false;
		if (op == NULL || pg_row_null(rows, row, 1))
			continue;
		struct store_reservation *reservation = RESERVATION(op);
		store_reply_free(&reservation->reply);
		reservation->outcome = STORE_REPLY;
		reservation->reply.status = 200;
		reservation->reply.body = store_row_copy(
			rows, row, 1, &reservation->reply.body_len);
	}
	return true;
}

const struct pg_statement store_reservation_statement = {.name = "reservation",
	.sql = store_reservation_sql,
	.batched = true,
	.repeatable = true,
	.encode = reservation_encode,
	.decode = reservation_decode};

void store_reservation(struct pg *pg, struct store_reservation *reservation)
{
	store_reply_free(&reservation->reply);
	reservation->outcome = STORE_NOT_FOUND;
	pg_submit(pg, &reservation->op, &store_reservation_statement);
}

/* --- a page of them --- */

static void reservation_page_encode(
	struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	const struct store_reservation_page *page = RESERVATION_PAGE(ops[0]);
	pg_param_i64(params, page->user_id);
	pg_param_i64(params, page->after);
	pg_param_i64(params, page->limit);
	pg_param_text(params, page->currency);
}

static bool reservation_page_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_reply *reply = &RESERVATION_PAGE(ops[0])->reply;
	store_reply_free(reply);
	reply->status = 200;
	reply->body = store_row_copy(rows, 0, 0, &reply->body_len);
	return true;
}

const struct pg_statement store_reservation_page_statement = {.name = "reservation_page",
	.sql = store_reservation_page_sql,
	.repeatable = true,
	.encode = reservation_page_encode,
	.decode = reservation_page_decode};

void store_reservation_page(struct pg *pg, struct store_reservation_page *page)
{
	store_reply_free(&page->reply);
	pg_submit(pg, &page->op, &store_reservation_page_statement);
}

/* --- the sweep --- */

static void sweep_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, SWEEP(ops[0])->limit);
	pg_param_i64(params, SWEEP(ops[0])->keep_days);
	pg_param_bool(params, SWEEP(ops[0])->nobody_told);
}

static bool sweep_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	SWEEP(ops[0])->swept = pg_row_i64(rows, 0, 0);
	SWEEP(ops[0])->keys_dropped = pg_row_i64(rows, 0, 1);
	SWEEP(ops[0])->revocations_dropped = pg_row_i64(rows, 0, 2);
	SWEEP(ops[0])->events_dropped = pg_row_i64(rows, 0, 3);
	SWEEP(ops[0])->untold_dropped = pg_row_i64(rows, 0, 4);
	return true;
}

const struct pg_statement store_sweep_statement = {.name = "sweep",
	.sql = store_sweep_sql,
	.repeatable = true,
	.encode = sweep_encode,
	.decode = sweep_decode};

void store_sweep(struct pg *pg, struct store_sweep *sweep)
{
	sweep->swept = 0;
	sweep->keys_dropped = 0;
	sweep->revocations_dropped = 0;
	sweep->events_dropped = 0;
	sweep->untold_dropped = 0;
	pg_submit(pg, &sweep->op, &store_sweep_statement);
}

/* --- are there any keys? --- */

static void keys_known_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, KEYS_KNOWN(ops[0])->event_id);
}

static bool keys_known_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] != NULL)
		KEYS_KNOWN(ops[0])->any = pg_row_bool(rows, 0, 0);
	return true;
}

const struct pg_statement store_keys_known_statement = {.name = "keys_known",
	.sql = store_keys_known_sql,
	.repeatable = true,
	.encode = keys_known_encode,
	.decode = keys_known_decode};

void store_keys_known(struct pg *pg, struct store_keys_known *known)
{
	known->any = false;
	pg_submit(pg, &known->op, &store_keys_known_statement);
}
