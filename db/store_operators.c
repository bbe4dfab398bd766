/* One call each. */
#include "db/store_operators.h"

#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_stats_sql, "db/statements/stats.sql");
EMBED(store_audit_sql, "db/statements/audit.sql");

#define STATS(pointer) CONTAINER_OF(pointer, struct store_stats, op)
#define AUDIT(pointer) CONTAINER_OF(pointer, struct store_audit, op)

/* --- how an event sells --- */

static void stats_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, STATS(ops[0])->event_id);
}

static bool stats_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_stats *stats = STATS(ops[0]);
	stats->found = true;
	stats->held = pg_row_i64(rows, 0, 0);
	stats->sold = pg_row_i64(rows, 0, 1);
	stats->revenue = pg_row_i64(rows, 0, 2);
	return true;
}

const struct pg_statement store_stats_statement = {.name = "stats",
	.sql = store_stats_sql,
	.repeatable = true,
	.encode = stats_encode,
	.decode = stats_decode};

void store_stats(struct pg *pg, struct store_stats *stats)
{
	stats->found = false;
	pg_submit(pg, &stats->op, &store_stats_statement);
}

/* --- the books --- */

static void audit_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	(void)params;
	(void)ops;
	CHECK(count == 1);
}

static bool audit_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	size_t len;

	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_audit *audit = AUDIT(ops[0]);
	audit->double_sold = pg_row_i64(rows, 0, 0);
	audit->negative_balances = pg_row_i64(rows, 0, 1);
	audit->ledger_imbalance = pg_row_i64(rows, 0, 2);
	audit->orphan_holds = pg_row_i64(rows, 0, 3);
	audit->unpublished_events = pg_row_i64(rows, 0, 4);
	const char *checked_at = pg_row_text(rows, 0, 5, &len);
	if (len >= sizeof audit->checked_at)
		return false;
	memcpy(audit->checked_at, checked_at, len + 1);
	return true;
}

const struct pg_statement store_audit_statement = {.name = "audit",
	.sql = store_audit_sql,
	.repeatable = true,
	.encode = audit_encode,
	.decode = audit_decode};

void store_audit(struct pg *pg, struct store_audit *audit)
{
	pg_submit(pg, &audit->op, &store_audit_statement);
}
