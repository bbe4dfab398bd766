/* Who the token stands for.
 *   me_start -> me_read -> end */
#include "db/store_accounts.h"
#include "server/flow.h"
#include "server/flows.h"

struct me {
	struct flow flow;
	struct store_me store;
};

static void me_read(struct pg_op *op, enum db_result result);

static void me_cleanup(struct flow *flow)
{
	store_reply_free(&((struct me *)flow)->store.reply);
}

void me_start(const struct request *request)
{
	struct me *me = flow_new(sizeof *me, request);

	if (me == NULL)
		return;
	me->flow.cleanup = me_cleanup;
	me->store.op.done = me_read;
	me->store.op.owner = me;
	me->store.user_id = request->user_id;
	me->store.currency = request->app->settings.pay_currency;
	store_me(me->flow.app->pg, &me->store);
}

static void me_read(struct pg_op *op, enum db_result result)
{
	struct me *me = op->owner;
	const struct store_reply *reply = &me->store.reply;

	flow_mark(&me->flow, STAGE_POSTGRESQL);
	if (result != DB_OK)
		flow_fail_db(&me->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
	else if (me->store.outcome !=
		 STORE_REPLY) /* a token of ours for somebody who is not there */
		flow_fail(&me->flow, PROBLEM_UNAUTHORIZED);
	else
		flow_reply_json(&me->flow, reply->status, reply->body, reply->body_len);
}
