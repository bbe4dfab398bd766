/* Are the books right?
 *   admin_audit_start -> audit_read -> end */
#include "db/store_operators.h"
#include "server/auditor.h"
#include "server/flow.h"
#include "server/flows.h"

struct audit {
	struct flow flow;
	struct store_audit store;
};

static void audit_read(struct pg_op *op, enum db_result result);

void admin_audit_start(const struct request *request)
{
	struct audit *audit = flow_new(sizeof *audit, request);

	if (audit == NULL)
		return;
	audit->store.op.done = audit_read;
	audit->store.op.owner = audit;
	store_audit(audit->flow.app->pg, &audit->store);
}

static void audit_read(struct pg_op *op, enum db_result result)
{
	struct audit *audit = op->owner;
	const struct store_audit *store = &audit->store;
	struct buf body = BUF_INIT(512);

	flow_mark(&audit->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		flow_fail_db(&audit->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	auditor_note(audit->flow.app->auditor, store);
	buf_printf(&body,
		"{\"double_sold\":%lld,\"negative_balances\":%lld,\"ledger_imbalance\":%lld,"
		"\"orphan_holds\":%lld,\"unpublished_events\":%lld,\"checked_at\":\"%s\"}",
		(long long)store->double_sold, (long long)store->negative_balances,
		(long long)store->ledger_imbalance, (long long)store->orphan_holds,
		(long long)store->unpublished_events, store->checked_at);
	flow_reply_json(&audit->flow, 200, body.data, body.len);
	buf_free(&body);
}
