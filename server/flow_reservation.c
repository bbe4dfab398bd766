/* One reservation of the person who asks.
 *   reservation_start -> reservation_read -> end */
#include "db/store_reservations.h"
#include "server/flow.h"
#include "server/flows.h"

struct one_reservation {
	struct flow flow;
	struct store_reservation store;
};

static void reservation_read(struct pg_op *op, enum db_result result);

static void reservation_cleanup(struct flow *flow)
{
	store_reply_free(&((struct one_reservation *)flow)->store.reply);
}

void reservation_start(const struct request *request)
{
	struct one_reservation *one = flow_new(sizeof *one, request);

	if (one == NULL)
		return;
	one->flow.cleanup = reservation_cleanup;
	one->store.op.done = reservation_read;
	one->store.op.owner = one;
	one->store.user_id = request->user_id;
	one->store.reservation_id = request->path_ids[0];
	one->store.currency = one->flow.app->settings.pay_currency;
	store_reservation(one->flow.app->pg, &one->store);
}

static void reservation_read(struct pg_op *op, enum db_result result)
{
	struct one_reservation *one = op->owner;

	flow_mark(&one->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) /* reading changes nothing */
		flow_fail_db(&one->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
	else if (one->store.outcome != STORE_REPLY)
		flow_fail(&one->flow, PROBLEM_RESERVATION_NOT_FOUND);
	else
		flow_reply_json(&one->flow, one->store.reply.status, one->store.reply.body,
			one->store.reply.body_len);
}
