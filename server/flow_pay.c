/* Pay a held reservation: debit, seats sold, reward and event in one transaction; then the pass ends.
 *   pay_start -> pay_first -> paid -> end */
#include "db/store_reservations.h"
#include "lock/seat_lock.h"
#include "proto/json.h"
#include "server/catalog.h"
#include "server/flows.h"
#include "server/keyed_flow.h"
#include "server/seat_map.h"

struct pay {
	struct keyed_flow keyed;
	struct store_pay store;
};

static void pay_first(struct keyed_flow *keyed);
static void paid(struct pg_op *op, enum db_result result);

static void pay_cleanup(struct flow *flow)
{
	store_reply_free(&((struct pay *)flow)->store.reply);
}

void pay_start(const struct request *request)
{
	struct pay *pay = flow_new(sizeof *pay, request);
	struct json_errors errors = {0};
	struct json_object *body;

	if (pay == NULL)
		return;
	struct flow *flow = &pay->keyed.flow;
	flow->cleanup = pay_cleanup;
	if (!flow_read_idem(flow, request, &pay->keyed.idem) ||
		(body = flow_read_body(flow, request, true)) == NULL)
		return;
	json_read_i64(
		body, "use_points", JSON_OPTIONAL, 0, INT64_MAX, &pay->store.use_points, &errors);
	json_object_free(body);
	if (errors.count > 0) {
		flow_fail_validation(flow, &errors);
		return;
	}
	pay->store.user_id = request->user_id;
	pay->store.reservation_id = request->path_ids[0];
	keyed_start(&pay->keyed, pay_first);
}

static void pay_first(struct keyed_flow *keyed)
{
	struct pay *pay = (struct pay *)keyed;
	struct app *app = keyed->flow.app;

	pay->store.op.done = paid;
	pay->store.op.owner = pay;
	pay->store.idem = keyed->idem;
	pay->store.reward_percent = app->settings.pay_reward_percent;
	pay->store.currency = app->settings.pay_currency;
	store_pay(app->pg, &pay->store);
}

/* Latecomers lose in Redis, and the slot in the line is free at once: also when a repeat finds it paid, since
 * whoever paid may not have come this far. A sold marker is not set anew then: the seats may be sold no more. */
static void mark_paid(struct pay *pay)
{
	struct app *app = pay->keyed.flow.app;
	const struct store_pay *store = &pay->store;
	bool fresh = !store->reply.replayed;
	const struct catalog_performance *performance = catalog_performance(
		app->catalog, store->performance_id);

	app->counters.payments += fresh;
	seat_map_drop(app->seat_maps, store->performance_id);
	if (performance == NULL) /* made elsewhere, less than half a second ago */
		return;
	const struct store_event *event = &performance->event->row;
	if (app->locks != NULL && fresh)
		seat_lock_sold(app->locks, event->id, store->seat_ids, store->seat_count,
			&store->hold_key);
	if (store->pass_nonce != 0)
		queue_end_pass(app->queue, event->id, store->user_id, (uint64_t)store->pass_nonce);
}

static void paid(struct pg_op *op, enum db_result result)
{
	struct pay *pay = op->owner;
	const struct store_reply *reply = &pay->store.reply;

	flow_mark(&pay->keyed.flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		keyed_fail_db(&pay->keyed, result);
		return;
	}
	if (pay->store.outcome != STORE_REPLY) {
		keyed_fail_store(&pay->keyed, pay->store.outcome, PROBLEM_RESERVATION_NOT_FOUND,
			PROBLEM_INTERNAL);
		return;
	}
	if (pay->store.paid)
		mark_paid(pay);
	keyed_reply(&pay->keyed, reply->status, reply->body, reply->body_len, reply->replayed);
}
