/* The balance.
 *   balance_start -> balance_read -> end */
#include "db/store_accounts.h"
#include "server/flow.h"
#include "server/flows.h"

struct balance {
	struct flow flow;
	struct store_balance store;
};

static void balance_read(struct pg_op *op, enum db_result result);

void balance_start(const struct request *request)
{
	struct balance *balance = flow_new(sizeof *balance, request);

	if (balance == NULL)
		return;
	balance->store.op.done = balance_read;
	balance->store.op.owner = balance;
	balance->store.user_id = request->user_id;
	store_balance(balance->flow.app->pg, &balance->store);
}

static void balance_read(struct pg_op *op, enum db_result result)
{
	struct balance *balance = op->owner;
	const struct store_balance *store = &balance->store;
	struct buf body = BUF_INIT(256);

	flow_mark(&balance->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		flow_fail_db(&balance->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	if (!store->found) { /* a token of ours for somebody who is not there */
		flow_fail(&balance->flow, PROBLEM_UNAUTHORIZED);
		return;
	}
	buf_printf(&body, "{\"balance\":%lld,\"points\":%lld,\"currency\":\"%s\"}",
		(long long)store->balance, (long long)store->points,
		balance->flow.app->settings.pay_currency);
	flow_reply_json(&balance->flow, 200, body.data, body.len);
	buf_free(&body);
}
