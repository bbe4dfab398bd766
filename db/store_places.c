#include "db/store_places.h"

#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_places_used_sql, "db/statements/places_used.sql");

#define PLACE(pointer) CONTAINER_OF(pointer, struct store_place_used, op)

static void places_used_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_I64(params, ops, count, store_place_used, event_id);
	STORE_ARRAY_I64(params, ops, count, store_place_used, user_id);
	STORE_ARRAY_I64(params, ops, count, store_place_used, seen_unix_ms);
	STORE_ARRAY_I64(params, ops, count, store_place_used, nonce);
}

static bool places_used_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	enum { OP, USED, HELD_UNTIL };

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct pg_op *op;
		if (!store_row_op(rows, i, ops, count, &op))
			return false;
		if (op == NULL)
			continue;
		PLACE(op)->used = pg_row_bool(rows, i, USED);
		PLACE(op)->held_until_unix_ms = pg_row_i64(rows, i, HELD_UNTIL);
	}
	return true;
}

const struct pg_statement store_places_used_statement = {.name = "places_used",
	.sql = store_places_used_sql,
	.batched = true,
	.repeatable = true,
	.encode = places_used_encode,
	.decode = places_used_decode};

void store_place_used(struct pg *pg, struct store_place_used *place)
{
	place->used = false;
	place->held_until_unix_ms = 0;
	pg_submit(pg, &place->op, &store_places_used_statement);
}
