/* A page of one's own ledger, oldest entry first.
 *   ledger_start -> ledger_read -> end */
#include "db/store_accounts.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/page.h"

struct ledger {
	struct flow flow;
	struct store_ledger store;
};

static void ledger_read(struct pg_op *op, enum db_result result);

static void ledger_cleanup(struct flow *flow)
{
	store_reply_free(&((struct ledger *)flow)->store.reply);
}

void ledger_start(const struct request *request)
{
	struct ledger *ledger = flow_new(sizeof *ledger, request);
	struct page page;

	if (ledger == NULL)
		return;
	ledger->flow.cleanup = ledger_cleanup;
	if (!page_read(&ledger->flow, request, &page))
		return;
	ledger->store.op.done = ledger_read;
	ledger->store.op.owner = ledger;
	ledger->store.user_id = request->user_id;
	ledger->store.after = page.after;
	ledger->store.limit = page.limit;
	store_ledger(ledger->flow.app->pg, &ledger->store);
}

static void ledger_read(struct pg_op *op, enum db_result result)
{
	struct ledger *ledger = op->owner;
	const struct store_reply *reply = &ledger->store.reply;

	flow_mark(&ledger->flow, STAGE_POSTGRESQL);
	if (result != DB_OK)
		flow_fail_db(&ledger->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
	else if (ledger->store.outcome != STORE_REPLY)
		flow_fail(&ledger->flow, PROBLEM_UNAUTHORIZED);
	else
		flow_reply_json(&ledger->flow, reply->status, reply->body, reply->body_len);
}
