/* Log-outs go in a batch at a time, so that their lock is taken once a batch. */
#include "db/store_revocations.h"

#include <stdlib.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_revoke_sql, "db/statements/revoke.sql");
EMBED(store_revoked_sql, "db/statements/revoked.sql");

#define REVOKED(pointer) CONTAINER_OF(pointer, struct store_revoked, op)

/* --- one more --- */

static void revoke_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_DIGEST(params, ops, count, store_revoke, token);
	STORE_ARRAY_I64(params, ops, count, store_revoke, user_id);
	STORE_ARRAY_I64(params, ops, count, store_revoke, expires_unix_s);
}

/* How many were new, which nobody asks. */
static bool revoke_decode(
	const struct pg_rows *rows, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	return pg_row_count(rows) == 1;
}

const struct pg_statement store_revoke_statement = {.name = "revoke",
	.sql = store_revoke_sql,
	.batched = true,
	.repeatable = true,
	.encode = revoke_encode,
	.decode = revoke_decode};

void store_revoke(struct pg *pg, struct store_revoke *revoke)
{
	pg_submit(pg, &revoke->op, &store_revoke_statement);
}

/* --- all there are --- */

static void revoked_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, REVOKED(ops[0])->after);
	pg_param_i64(params, REVOKED(ops[0])->limit);
}

static bool revoked_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_revoked *revoked = REVOKED(ops[0]);
	revoked->list = must_calloc(pg_row_count(rows), sizeof *revoked->list);
	revoked->count = pg_row_count(rows);
	for (unsigned row = 0; row < revoked->count; row++)
		revoked->list[row] = (struct store_revocation){.revision = pg_row_i64(rows, row, 0),
			.token = store_row_digest(rows, row, 1),
			.expires_unix_s = pg_row_i64(rows, row, 2)};
	return true;
}

const struct pg_statement store_revoked_statement = {.name = "revoked",
	.sql = store_revoked_sql,
	.repeatable = true,
	.encode = revoked_encode,
	.decode = revoked_decode};

void store_revoked(struct pg *pg, struct store_revoked *revoked)
{
	revoked->list = NULL;
	revoked->count = 0;
	pg_submit(pg, &revoked->op, &store_revoked_statement);
}

void store_revoked_free(struct store_revoked *revoked)
{
	free(revoked->list);
	revoked->list = NULL;
	revoked->count = 0;
}
