/* The shuffle of a pre-sale line, for everybody to check, once it is done: what it was made from, and the list
 * of pseudonyms in its order.
 *   shuffle_start, shuffle_entrants_start -> (the event is looked for once more -> event_known)
 *        -> shuffle_read -> end
 *        -> list_checked -> list_read -> end */
#include <sodium.h>
#include <stdlib.h>
#include "db/store_shuffles.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/page.h"

enum { SHUFFLE_LIMIT_MAX = STORE_SHUFFLE_PART, ENTRANT_JSON_MAX = 96, SHUFFLE_BODY_MAX = 1024 };

/* It never changes. */
static const char ALWAYS[] = "Cache-Control: public, max-age=86400, immutable\r\n";

struct shuffle {
	struct flow flow;
	int64_t event_id;
	struct catalog_wait catalog;
	void (*read)(struct shuffle *shuffle);
	struct page page;
	struct store_shuffle store;
	struct store_shuffle_page list;
};

static void event_known(struct catalog_wait *wait);
static void read_shuffle(struct shuffle *shuffle);
static void shuffle_read(struct pg_op *op, enum db_result result);
static void read_list(struct shuffle *shuffle);
static void list_checked(struct pg_op *op, enum db_result result);
static void list_read(struct pg_op *op, enum db_result result);

static void shuffle_cleanup(struct flow *flow)
{
	free(((struct shuffle *)flow)->list.entrants);
}

/* Before the opening PostgreSQL need not be asked. */
static void judge(struct shuffle *shuffle, const struct catalog_event *event)
{
	if (!catalog_has_shuffle(event))
		flow_fail(&shuffle->flow, PROBLEM_SHUFFLE_NOT_FOUND);
	else if (!catalog_open(event))
		flow_fail(&shuffle->flow, PROBLEM_SHUFFLE_PENDING);
	else
		shuffle->read(shuffle);
}

static void start(const struct request *request, struct shuffle *shuffle)
{
	const struct app *app = request->app;
	const struct catalog_event *event = catalog_event(app->catalog, request->path_ids[0]);

	shuffle->event_id = request->path_ids[0];
	if (event != NULL) {
		judge(shuffle, event);
		return;
	}
	shuffle->catalog.done = event_known;
	shuffle->catalog.owner = shuffle;
	catalog_refresh(app->catalog, &shuffle->catalog);
}

static void event_known(struct catalog_wait *wait)
{
	struct shuffle *shuffle = wait->owner;
	const struct catalog *catalog = shuffle->flow.app->catalog;
	const struct catalog_event *event = catalog_event(catalog, shuffle->event_id);

	if (event != NULL)
		judge(shuffle, event);
	else
		flow_fail(&shuffle->flow,
			catalog_loaded(catalog) ? PROBLEM_EVENT_NOT_FOUND : PROBLEM_UNAVAILABLE);
}

/* Of a read: an outcome that is not known is none. False where the flow has ended. */
static bool was_read(struct shuffle *shuffle, enum db_result result)
{
	bool found = shuffle->store.found;

	if (result != DB_OK)
		flow_fail_db(&shuffle->flow, result == DB_UNKNOWN ? DB_UNAVAILABLE : result);
	else if (!found)
		flow_fail(&shuffle->flow, PROBLEM_SHUFFLE_PENDING);
	return result == DB_OK && found;
}

static void ask(struct shuffle *shuffle, void (*done)(struct pg_op *op, enum db_result result))
{
	shuffle->store.op.done = done;
	shuffle->store.op.owner = shuffle;
	shuffle->store.event_id = shuffle->event_id;
	store_shuffle(shuffle->flow.app->pg, &shuffle->store);
}

static void reply(struct shuffle *shuffle, struct buf *body)
{
	if (body->failed)
		flow_fail(&shuffle->flow, PROBLEM_INTERNAL);
	else
		flow_reply(&shuffle->flow, 200, "application/json", ALWAYS, body->data, body->len);
	buf_free(body);
}

/* --- what it was made from --- */

void shuffle_start(const struct request *request)
{
	struct shuffle *shuffle = flow_new(sizeof *shuffle, request);

	if (shuffle == NULL)
		return;
	shuffle->read = read_shuffle;
	start(request, shuffle);
}

static void read_shuffle(struct shuffle *shuffle)
{
	ask(shuffle, shuffle_read);
}

static void shuffle_read(struct pg_op *op, enum db_result result)
{
	struct shuffle *shuffle = op->owner;
	const struct store_shuffle *store = &shuffle->store;
	struct buf body = BUF_INIT(SHUFFLE_BODY_MAX);
	char opened[CLOCK_TEXT_SIZE];

	flow_mark(&shuffle->flow, STAGE_POSTGRESQL);
	if (!was_read(shuffle, result))
		return;
	clock_format(store->opened_unix_ms, opened);
	buf_printf(&body,
		"{\"commitment\":\"%s\",\"seed\":\"%s\",\"entrants_digest\":\"%s\",\"count\":%lld,"
		"\"opened_at\":\"%s\"}",
		store->commitment, store->seed, store->digest, (long long)store->count, opened);
	reply(shuffle, &body);
}

/* --- the list --- */

void shuffle_entrants_start(const struct request *request)
{
	struct shuffle *shuffle = flow_new(sizeof *shuffle, request);

	if (shuffle == NULL)
		return;
	shuffle->flow.cleanup = shuffle_cleanup;
	shuffle->read = read_list;
	if (page_read_up_to(&shuffle->flow, request, SHUFFLE_LIMIT_MAX, &shuffle->page))
		start(request, shuffle);
}

static void read_list(struct shuffle *shuffle)
{
	ask(shuffle, list_checked);
}

static void list_checked(struct pg_op *op, enum db_result result)
{
	struct shuffle *shuffle = op->owner;
	struct store_shuffle_page *list = &shuffle->list;

	flow_mark(&shuffle->flow, STAGE_POSTGRESQL);
	if (!was_read(shuffle, result))
		return;
	list->op.done = list_read;
	list->op.owner = shuffle;
	list->event_id = shuffle->event_id;
	list->after = shuffle->page.after;
	list->limit = shuffle->page.limit;
	list->entrants = must_malloc((size_t)list->limit * sizeof *list->entrants);
	store_shuffle_page(shuffle->flow.app->pg, list);
}

static void append_entrant(
	struct buf *body, const struct shuffle_entrant *entrant, int64_t position)
{
	char hex[ENTRANT_HEX_SIZE];

	sodium_bin2hex(hex, sizeof hex, entrant->entrant, ENTRANT_SIZE);
	buf_append_text(body, "{\"entrant\":\"");
	buf_append_text(body, hex);
	buf_append_text(body, "\",\"position\":");
	buf_append_i64(body, position);
	buf_append_char(body, '}');
}

static void list_read(struct pg_op *op, enum db_result result)
{
	struct shuffle *shuffle = op->owner;
	const struct store_shuffle_page *list = &shuffle->list;
	int64_t last = list->after + (int64_t)list->count;

	flow_mark(&shuffle->flow, STAGE_POSTGRESQL);
	if (!was_read(shuffle, result))
		return;
	struct buf body = BUF_INIT(SHUFFLE_BODY_MAX + ENTRANT_JSON_MAX * list->count);
	buf_append_text(&body, "{\"items\":[");
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_append_char(&body, ',');
		append_entrant(&body, &list->entrants[i], list->after + (int64_t)i + 1);
	}
	buf_append_text(&body, "],\"next\":");
	if (last < shuffle->store.count)
		buf_append_i64(&body, last);
	else
		buf_append_text(&body, "null");
	buf_append_char(&body, '}');
	reply(shuffle, &body);
}
