/* The auditor: asks PostgreSQL each audit.interval_seconds whether the books are right, and remembers what it said, for
 * /metrics. Of several instances one does so at a time, where Redis is there to say which; what an operator asks for is
 * remembered as well. */
#ifndef ONSALE_SERVER_AUDITOR_H
#define ONSALE_SERVER_AUDITOR_H

#include <stdbool.h>
#include <stdint.h>

struct app;
struct auditor;
struct store_audit;

struct auditor *auditor_new(struct app *app);
/* After pg_free and redis_free: no audit is under way any more. */
void auditor_free(struct auditor *auditor);

/* An audit was made. */
void auditor_note(struct auditor *auditor, const struct store_audit *audit);

struct audit_counts {
	bool known; /* the last audit was this instance's; else the rest is of no meaning */
	int64_t double_sold, negative_balances, ledger_imbalance, orphan_holds, unpublished_events;
	int64_t made_unix_ms;
};
struct audit_counts auditor_counts(const struct auditor *auditor);

/* Audits that PostgreSQL did not make. */
uint64_t auditor_failures(const struct auditor *auditor);

#endif
