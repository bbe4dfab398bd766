/* The list of all statements, and what the stores' batches have in common. A statement with an
 * Idempotency-Key is repeatable whatever it does: the second run finds the first one's reply. */
#include "db/store.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"

_Static_assert(STORE_REPLY == 0 && STORE_KEY_REUSED == 1 && STORE_KEY_UNKNOWN == 2 &&
		       STORE_NOT_FOUND == 3 && STORE_REFUSED == 4 && STORE_UNDECIDED == 5,
	"db/functions/ give outcomes by these numbers");

const struct pg_statement *const store_statements[] = {
	&store_hold_statement,
	&store_hold_optimistic_statement,
	&store_hold_quantity_statement,
	&store_hold_quantity_waiting_statement,
	&store_pay_statement,
	&store_cancel_statement,
	&store_reservation_statement,
	&store_reservation_page_statement,
	&store_sweep_statement,
	&store_keys_known_statement,
	&store_charge_statement,
	&store_balance_statement,
	&store_login_statement,
	&store_sign_up_statement,
	&store_me_statement,
	&store_ledger_statement,
	&store_identify_statement,
	&store_revoke_statement,
	&store_revoked_statement,
	&store_outbox_take_statement,
	&store_outbox_mark_statement,
	&store_changes_statement,
	&store_availability_statement,
	&store_seat_list_statement,
	&store_seat_letters_statement,
	&store_event_create_statement,
	&store_performance_create_statement,
	&store_queue_update_statement,
	&store_epoch_statement,
	&store_places_used_statement,
	&store_shuffle_begin_statement,
	&store_shuffle_add_statement,
	&store_shuffle_publish_statement,
	&store_shuffle_page_statement,
	&store_shuffle_number_statement,
	&store_shuffle_statement,
	&store_stats_statement,
	&store_audit_statement,
	NULL,
};

void store_reply_free(struct store_reply *reply)
{
	free(reply->body);
	*reply = (struct store_reply){0};
}

/* --- parameters --- */

void store_array_digest(struct pg_params *params, struct digest digest)
{
	pg_array_bytes(params, digest.bytes, sizeof digest.bytes);
}

/* Half of a digest is as good as a digest: two keys that share a number only wait for each other. */
static int64_t key_lock(const struct digest *key)
{
	uint64_t number;

	memcpy(&number, key->bytes, sizeof number);
	return (int64_t)be64toh(number);
}

void store_param_idem(struct pg_params *params, struct pg_op *const *ops, unsigned count,
	const struct idem *(*idem_of)(const struct pg_op *op))
{
	int64_t *locks = must_malloc(count * sizeof *locks);

	for (unsigned i = 0; i < count; i++)
		locks[i] = key_lock(&idem_of(ops[i])->key);
	qsort(locks, count, sizeof *locks, store_compare_i64);
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < count; i++)
		pg_array_i64(params, locks[i]);
	pg_array_end(params);
	free(locks);

	pg_array_begin(params, PG_BYTEA);
	for (unsigned i = 0; i < count; i++)
		store_array_digest(params, idem_of(ops[i])->key);
	pg_array_end(params);
	pg_array_begin(params, PG_BYTEA);
	for (unsigned i = 0; i < count; i++)
		store_array_digest(params, idem_of(ops[i])->body);
	pg_array_end(params);
}

void store_param_heads(struct pg_params *params, const enum problem *problems, size_t count)
{
	pg_array_begin(params, PG_TEXT);
	for (size_t i = 0; i < count; i++)
		pg_array_text(params, problem_head(problems[i]));
	pg_array_end(params);
}

int store_compare_i64(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* --- rows --- */

bool store_row_op(const struct pg_rows *rows, unsigned row, struct pg_op *const *ops,
	unsigned count, struct pg_op **op)
{
	int64_t nth = pg_row_i64(rows, row, 0);

	if (nth < 1 || nth > count)
		return false;
	*op = ops[nth - 1];
	return true;
}

bool store_row_outcome(
	const struct pg_rows *rows, unsigned row, unsigned column, enum store_outcome *outcome)
{
	int64_t number = pg_row_i64(rows, row, column);

	if (number < STORE_REPLY || number > STORE_UNDECIDED)
		return false;
	*outcome = (enum store_outcome)number;
	return true;
}

char *store_row_copy(const struct pg_rows *rows, unsigned row, unsigned column, size_t *len)
{
	const char *text = pg_row_text(rows, row, column, len);
	char *copy = must_malloc(*len + 1);

	memcpy(copy, text, *len);
	copy[*len] = '\0';
	return copy;
}

void store_row_reply(const struct pg_rows *rows, unsigned row, unsigned status_column,
	unsigned body_column, struct store_reply *reply)
{
	store_reply_free(reply);
	reply->status = (int)pg_row_i64(rows, row, status_column);
	reply->body = store_row_copy(rows, row, body_column, &reply->body_len);
}

struct digest store_row_digest(const struct pg_rows *rows, unsigned row, unsigned column)
{
	struct digest digest = {0};
	size_t len;
	const char *bytes = pg_row_text(rows, row, column, &len);

	if (len == sizeof digest.bytes)
		memcpy(digest.bytes, bytes, len);
	return digest;
}
