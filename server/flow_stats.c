/* How an event sells: its line as the last tick saw it, its seats and money counted now.
 *   admin_stats_start -> stats_read -> (not known here yet: known) -> end */
#include "db/store_operators.h"
#include "proto/base/check.h"
#include "server/catalog.h"
#include "server/figures.h"
#include "server/flow.h"
#include "server/flows.h"

struct stats {
	struct flow flow;
	struct store_stats store;
	struct catalog_wait catalog;
};

static void stats_read(struct pg_op *op, enum db_result result);
static void known(struct catalog_wait *wait);

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

static void reply(struct stats *stats, const struct catalog_event *event)
{
	struct buf body = BUF_INIT(FIGURES_MAX);

	figures_write(&body, stats->flow.app, event, &stats->store);
	CHECK(!body.failed);
	flow_reply_json(&stats->flow, 200, body.data, body.len);
	buf_free(&body);
}

static void stats_read(struct pg_op *op, enum db_result result)
{
	struct stats *stats = op->owner;
	struct catalog *catalog = stats->flow.app->catalog;

	if (result != DB_OK) {
		flow_fail_db(&stats->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
		return;
	}
	if (!stats->store.found) {
		flow_fail(&stats->flow, PROBLEM_EVENT_NOT_FOUND);
		return;
	}
	const struct catalog_event *event = catalog_event(catalog, stats->store.event_id);
	if (event != NULL) {
		reply(stats, event);
		return;
	}
	stats->catalog.done = known;
	stats->catalog.owner = stats;
	catalog_refresh(catalog, &stats->catalog);
}

/* It was made a moment ago, by another instance. */
static void known(struct catalog_wait *wait)
{
	struct stats *stats = wait->owner;
	const struct catalog_event *event = catalog_event(
		stats->flow.app->catalog, stats->store.event_id);

	if (event != NULL)
		reply(stats, event);
	else
		flow_fail(&stats->flow, PROBLEM_UNAVAILABLE);
}
