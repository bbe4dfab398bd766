/* Cancel a reservation: its seats are free again, and where it was paid the money goes back.
 *   cancel_start -> cancelled -> end */
#include "db/store_reservations.h"
#include "lock/seat_lock.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/seat_map.h"

struct cancel {
	struct flow flow;
	struct store_cancel store;
};

static void cancelled(struct pg_op *op, enum db_result result);

static void cancel_cleanup(struct flow *flow)
{
	store_reply_free(&((struct cancel *)flow)->store.reply);
}

void cancel_start(const struct request *request)
{
	struct cancel *cancel = flow_new(sizeof *cancel, request);

	if (cancel == NULL)
		return;
	cancel->flow.cleanup = cancel_cleanup;
	cancel->store.op.done = cancelled;
	cancel->store.op.owner = cancel;
	cancel->store.user_id = request->user_id;
	cancel->store.reservation_id = request->path_ids[0];
	cancel->store.request_id = cancel->flow.request_id;
	store_cancel(cancel->flow.app->pg, &cancel->store);
}

static void mark_freed(struct cancel *cancel)
{
	struct app *app = cancel->flow.app;
	const struct store_cancel *store = &cancel->store;
	const struct catalog_performance *performance = catalog_performance(
		app->catalog, store->performance_id);

	app->counters.refunds += store->was_paid;
	app->counters.cancellations += !store->was_paid;
	seat_map_drop(app->seat_maps, store->performance_id);
	if (performance == NULL)
		return;
	int64_t event_id = performance->event->row.id;
	if (app->locks != NULL)
		seat_lock_release(
			app->locks, event_id, store->seat_ids, store->seat_count, &store->hold_key);
	if (performance->event->row.queue_enabled && !store->was_paid)
		queue_holding(app->queue, event_id, store->user_id, 0);
}

static void cancelled(struct pg_op *op, enum db_result result)
{
	struct cancel *cancel = op->owner;
	const struct store_reply *reply = &cancel->store.reply;

	flow_mark(&cancel->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		flow_fail_db(&cancel->flow, result);
		return;
	}
	switch (cancel->store.outcome) {
	case STORE_REPLY:
		if (cancel->store.freed)
			mark_freed(cancel);
		flow_reply_stored(
			&cancel->flow, reply->status, reply->body, reply->body_len, false);
		break;
	case STORE_REFUSED:
	case STORE_UNDECIDED:
	case STORE_KEY_REUSED:
	case STORE_KEY_UNKNOWN:
	case STORE_NOT_FOUND: flow_fail(&cancel->flow, PROBLEM_RESERVATION_NOT_FOUND); break;
	}
}
