/* How an event sells: its line as the last tick saw it, its seats and money counted now.
 *   admin_stats_start -> stats_read -> end */
#include "db/store_operators.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"

struct stats {
	struct flow flow;
	struct store_stats store;
};

static void stats_read(struct pg_op *op, enum db_result result);

void admin_stats_start(const struct request *request)
{
	struct stats *stats = flow_new(sizeof *stats, request);

	if (stats == NULL)
		return;
	stats->store.op.done = stats_read;
	stats->store.op.owner = stats;
	stats->store.event_id = request->path_ids[0];
	store_stats(stats->flow.app->pg, &stats->store);
}

static void stats_read(struct pg_op *op, enum db_result result)
{
	static const struct catalog_event
		quiet; /* made a moment ago: nobody can stand in its line */
	struct stats *stats = op->owner;
	const struct store_stats *store = &stats->store;
	struct buf body = BUF_INIT(512);

	flow_mark(&stats->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		flow_fail_db(&stats->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	if (!store->found) {
		flow_fail(&stats->flow, PROBLEM_EVENT_NOT_FOUND);
		return;
	}
	const struct catalog_event *event = catalog_event(
		stats->flow.app->catalog, store->event_id);
	if (event == NULL)
		event = &quiet;
	buf_printf(&body,
		"{\"event_id\":%lld,\"waiting\":%lld,\"active\":%lld,\"admitted\":%lld,"
		"\"abandoned\":%lld,\"held\":%lld,\"sold\":%lld,\"revenue\":%lld}",
		(long long)store->event_id, (long long)event->waiting, (long long)event->live,
		(long long)event->admitted_total, (long long)event->abandoned_total,
		(long long)store->held, (long long)store->sold, (long long)store->revenue);
	flow_reply_json(&stats->flow, 200, body.data, body.len);
	buf_free(&body);
}
