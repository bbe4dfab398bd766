/* Log out: the token is refused here from the reply on, and by every instance soon after. Places and passes
 * have tokens of their own, and stay.
 *   logout_start -> logged_out -> end */
#include "db/store_revocations.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/revocations.h"

struct logout {
	struct flow flow;
	struct store_revoke store;
};

static void logged_out(struct pg_op *op, enum db_result result);

void logout_start(const struct request *request)
{
	struct logout *logout = flow_new(sizeof *logout, request);

	if (logout == NULL)
		return;
	if (revocations_count(request->app->revocations) >= REVOCATIONS_MAX) {
		flow_fail(&logout->flow, PROBLEM_BUSY);
		return;
	}
	logout->store = (struct store_revoke){.op = {.done = logged_out, .owner = logout},
		.token = revocation_digest(request->token),
		.user_id = request->user_id,
		.expires_unix_s = request->token_expires_unix_s};
	store_revoke(logout->flow.app->pg, &logout->store);
}

static void logged_out(struct pg_op *op, enum db_result result)
{
	struct logout *logout = op->owner;
	const struct store_revoke *store = &logout->store;

	flow_mark(&logout->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		flow_fail_db(&logout->flow, result);
		return;
	}
	revocations_add(logout->flow.app->revocations, &store->token, store->expires_unix_s);
	flow_reply_empty(&logout->flow, 204, NULL);
}
