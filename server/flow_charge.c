/* Charge the prepaid balance.
 *   charge_start -> charge_first -> charged -> end */
#include "db/store_accounts.h"
#include "proto/json.h"
#include "server/flows.h"
#include "server/keyed_flow.h"

struct charge {
	struct keyed_flow keyed;
	struct store_charge store;
};

static void charge_first(struct keyed_flow *keyed);
static void charged(struct pg_op *op, enum db_result result);

static void charge_cleanup(struct flow *flow)
{
	store_reply_free(&((struct charge *)flow)->store.reply);
}

void charge_start(const struct request *request)
{
	struct charge *charge = flow_new(sizeof *charge, request);
	struct json_errors errors = {0};
	struct json_object *body;

	if (charge == NULL)
		return;
	struct flow *flow = &charge->keyed.flow;
	flow->cleanup = charge_cleanup;
	if (!flow_read_idem(flow, request, &charge->keyed.idem) ||
		(body = flow_read_body(flow, request, false)) == NULL)
		return;
	json_read_i64(body, "amount", JSON_REQUIRED, 1, flow->app->settings.pay_charge_max,
		&charge->store.amount, &errors);
	json_object_free(body);
	if (errors.count > 0) {
		flow_fail_validation(flow, &errors);
		return;
	}
	charge->store.user_id = request->user_id;
	keyed_start(&charge->keyed, charge_first);
}

static void charge_first(struct keyed_flow *keyed)
{
	struct charge *charge = (struct charge *)keyed;

	charge->store.op.done = charged;
	charge->store.op.owner = charge;
	charge->store.idem = keyed->idem;
	store_charge(keyed->flow.app->pg, &charge->store);
}

static void charged(struct pg_op *op, enum db_result result)
{
	struct charge *charge = op->owner;
	const struct store_reply *reply = &charge->store.reply;

	flow_mark(&charge->keyed.flow, STAGE_POSTGRESQL);
	if (result != DB_OK)
		keyed_fail_db(&charge->keyed, result);
	else if (charge->store.outcome == STORE_REPLY)
		keyed_reply(&charge->keyed, reply->status, reply->body, reply->body_len,
			reply->replayed);
	else /* refused: the balance would pass what an account may hold */
		keyed_fail_store(&charge->keyed, charge->store.outcome, PROBLEM_UNAUTHORIZED,
			PROBLEM_VALIDATION_FAILED);
}
