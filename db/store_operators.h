/* What operators look at: how an event sells, and whether the books are right. Both only read. */
#ifndef ONSALE_DB_STORE_OPERATORS_H
#define ONSALE_DB_STORE_OPERATORS_H

#include "db/store.h"

enum { STORE_CHECKED_AT_SIZE = 32 };

/* Seats held and sold of an event, and the money that was paid for the sold ones. */
struct store_stats {
	struct pg_op op;
	int64_t event_id;
	bool found;
	int64_t held, sold, revenue;
};
void store_stats(struct pg *pg, struct store_stats *stats);

/* What db/functions/audit.sql counts, in one snapshot. */
struct store_audit {
	struct pg_op op;
	int64_t double_sold, negative_balances, ledger_imbalance, orphan_holds, unpublished_events;
	char checked_at[STORE_CHECKED_AT_SIZE]; /* RFC 3339 */
};
void store_audit(struct pg *pg, struct store_audit *audit);

#endif
