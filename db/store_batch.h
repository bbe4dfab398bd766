/* What the stores' batched statements have in common: how a batch becomes arrays, and its rows replies.
 * Each array parameter has an element an operation, in the batch's order; each row says in its first
 * column, counting from 1, which operation it answers. */
#ifndef ONSALE_DB_STORE_BATCH_H
#define ONSALE_DB_STORE_BATCH_H

#include "db/store.h"
#include "proto/base/check.h"
#include "proto/problem.h"

/* The next parameter: an array of a member of the struct that embeds each operation. */
#define STORE_ARRAY(params, element, add, ops, count, type, member) \
	do { \
		pg_array_begin(params, element); \
		for (unsigned array_i = 0; array_i < (count); array_i++) \
			add(params, CONTAINER_OF((ops)[array_i], struct type, op)->member); \
		pg_array_end(params); \
	} while (0)
#define STORE_ARRAY_I64(params, ops, count, type, member) \
	STORE_ARRAY(params, PG_INT8, pg_array_i64, ops, count, type, member)
#define STORE_ARRAY_BOOL(params, ops, count, type, member) \
	STORE_ARRAY(params, PG_BOOL, pg_array_bool, ops, count, type, member)
#define STORE_ARRAY_TEXT(params, ops, count, type, member) \
	STORE_ARRAY(params, PG_TEXT, pg_array_text, ops, count, type, member)
#define STORE_ARRAY_DIGEST(params, ops, count, type, member) \
	STORE_ARRAY(params, PG_BYTEA, store_array_digest, ops, count, type, member)

void store_array_digest(struct pg_params *params, struct digest digest);

/* The next three parameters: the numbers that the keys are locked by, ascending; the keys; the bodies. */
void store_param_idem(struct pg_params *params, struct pg_op *const *ops, unsigned count,
	const struct idem *(*idem_of)(const struct pg_op *op));

/* The next parameter: the problems' documents up to the request id, in this order. */
void store_param_heads(struct pg_params *params, const enum problem *problems, size_t count);

/* Which operation a row answers. False where it is none of the batch; *op is NULL where the operation has
 * ended meanwhile. */
bool store_row_op(const struct pg_rows *rows, unsigned row, struct pg_op *const *ops,
	unsigned count, struct pg_op **op);

/* The outcome in a column; false where it is none. */
bool store_row_outcome(
	const struct pg_rows *rows, unsigned row, unsigned column, enum store_outcome *outcome);

/* The reply whose status and body stand in these columns. */
void store_row_reply(const struct pg_rows *rows, unsigned row, unsigned status_column,
	unsigned body_column, struct store_reply *reply);

/* A digest in a column; zeroes where it is null. */
struct digest store_row_digest(const struct pg_rows *rows, unsigned row, unsigned column);

/* A text in a column, on the heap. */
char *store_row_copy(const struct pg_rows *rows, unsigned row, unsigned column, size_t *len);

int store_compare_i64(const void *left, const void *right); /* for qsort and bsearch */

#endif
