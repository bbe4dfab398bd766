/* The reservations of the person who asks, newest first, a page at a time.
 *   reservations_start -> page_done -> end */
#include "db/store_reservations.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/page.h"

struct reservations {
	struct flow flow;
	struct store_reservation_page store;
};

static void page_done(struct pg_op *op, enum db_result result);

static void reservations_cleanup(struct flow *flow)
{
	store_reply_free(&((struct reservations *)flow)->store.reply);
}

void reservations_start(const struct request *request)
{
	struct reservations *mine = flow_new(sizeof *mine, request);
	struct page page;

	if (mine == NULL)
		return;
	mine->flow.cleanup = reservations_cleanup;
	if (!page_read(&mine->flow, request, &page))
		return;
	mine->store.op.done = page_done;
	mine->store.op.owner = mine;
	mine->store.user_id = request->user_id;
	mine->store.after = page.after;
	mine->store.limit = page.limit;
	mine->store.currency = mine->flow.app->settings.pay_currency;
	store_reservation_page(mine->flow.app->pg, &mine->store);
}

static void page_done(struct pg_op *op, enum db_result result)
{
	struct reservations *mine = op->owner;
	const struct store_reply *reply = &mine->store.reply;

	flow_mark(&mine->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) /* reading changes nothing */
		flow_fail_db(&mine->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
	else
		flow_reply_json(&mine->flow, reply->status, reply->body, reply->body_len);
}
