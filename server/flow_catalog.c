/* What is on sale, from the catalog: events, one event, its performances, its line in public. Answered on
 * the spot, but for an event that is not known yet: changes are then read once more. */
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/json.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/page.h"

enum { LIST_BODY_MAX = 4 * 1024 * 1024 };

static const char ONE_SECOND[] = "Cache-Control: public, max-age=1\r\n";

static void append_time(struct buf *body, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(unix_ms, text);
	buf_printf(body, "\"%s\"", text);
}

static void append_event(struct buf *body, const struct catalog_event *event)
{
	const struct store_event *row = &event->row;

	buf_printf(body, "{\"id\":%lld,\"title\":", (long long)row->id);
	json_write_text(body, row->title);
	buf_append_text(body, ",\"venue\":");
	json_write_text(body, row->venue);
	buf_append_text(body, ",\"sale_opens_at\":");
	if (row->has_opening)
		append_time(body, row->sale_opens_unix_ms);
	else
		buf_append_text(body, "null");
	buf_printf(body,
		",\"queue\":{\"enabled\":%s,\"paused\":%s,\"waiting\":%lld,\"active\":%lld}",
		row->queue_enabled ? "true" : "false", row->queue_paused ? "true" : "false",
		(long long)event->waiting, (long long)event->live);
	if (row->commitment[0] != '\0')
		buf_printf(body, ",\"shuffle\":{\"commitment\":\"%s\"}}", row->commitment);
	else
		buf_append_text(body, ",\"shuffle\":null}");
}

static void append_line(struct buf *body, const struct catalog_event *event)
{
	const struct store_event *row = &event->row;

	buf_printf(body,
		"{\"event_id\":%lld,\"enabled\":%s,\"paused\":%s,\"message\":", (long long)row->id,
		row->queue_enabled ? "true" : "false", row->queue_paused ? "true" : "false");
	if (row->message[0] != '\0')
		json_write_text(body, row->message);
	else
		buf_append_text(body, "null");
	buf_printf(body,
		",\"waiting\":%lld,\"active\":%lld,\"capacity\":%lld,\"admit_per_second\":%lld}",
		(long long)event->waiting, (long long)event->live, (long long)row->capacity,
		(long long)row->admit_per_second);
}

/* What one may ask for at once, and have in all: a client that knows it asks for no more. */
static void append_limits(struct buf *body, const struct settings *settings)
{
	buf_printf(body, ",\"seats_per_hold\":%lld,\"seats_per_person\":",
		(long long)settings->seat_per_hold_max);
	if (settings->seat_per_user_max > 0)
		buf_printf(body, "%lld}", (long long)settings->seat_per_user_max);
	else
		buf_append_text(body, "null}");
}

static void append_performances(struct buf *body, const struct catalog_event *event,
	bool only_available, const struct settings *settings)
{
	const char *comma = "";

	buf_append_text(body, "{\"items\":[");
	for (size_t i = 0; i < event->performance_count; i++) {
		const struct catalog_performance *performance = event->performances[i];
		const struct store_performance *row = &performance->row;

		if (only_available && performance->available == 0)
			continue;
		buf_printf(body, "%s{\"id\":%lld,\"event_id\":%lld,\"starts_at\":", comma,
			(long long)row->id, (long long)row->event_id);
		append_time(body, row->starts_unix_ms);
		buf_printf(body, ",\"seats_total\":%lld,\"seats_available\":%lld",
			(long long)row->seats_total, (long long)performance->available);
		append_limits(body, settings);
		comma = ",";
	}
	buf_append_text(body, "]}");
}

static void reply_body(struct flow *flow, struct buf *body)
{
	if (body->failed)
		flow_fail(flow, PROBLEM_INTERNAL);
	else
		flow_reply(flow, 200, "application/json", ONE_SECOND, body->data, body->len);
	buf_free(body);
}

/* --- the list --- */

void events_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const struct catalog *catalog = request->app->catalog;
	struct page page;

	if (flow == NULL)
		return;
	if (!catalog_loaded(catalog)) {
		flow_fail(flow, PROBLEM_UNAVAILABLE);
		return;
	}
	if (!page_read(flow, request, &page))
		return;
	struct buf body = BUF_INIT(LIST_BODY_MAX);
	size_t i = catalog_events_after(catalog, page.after), count = catalog_event_count(catalog),
	       first = i;
	buf_append_text(&body, "{\"items\":[");
	for (; i < count && i - first < (size_t)page.limit; i++) {
		if (i > first)
			buf_append_char(&body, ',');
		append_event(&body, catalog_event_at(catalog, i));
	}
	buf_append_text(&body, "],\"next\":");
	if (i < count)
		buf_append_i64(&body, catalog_event_at(catalog, i - 1)->row.id);
	else
		buf_append_text(&body, "null");
	buf_append_char(&body, '}');
	reply_body(flow, &body);
}

/* --- one event: known, or looked for once more --- */

struct one_event {
	struct flow flow;
	int64_t event_id;
	bool only_available;
	void (*reply)(struct one_event *one, struct catalog_event *event);
	struct catalog_wait wait;
};

static void event_looked_up(struct catalog_wait *wait);
static void seats_counted(struct catalog_wait *wait);

static struct one_event *one_event_new(const struct request *request,
	void (*reply)(struct one_event *one, struct catalog_event *event))
{
	struct one_event *one = flow_new(sizeof *one, request);

	if (one == NULL)
		return NULL;
	one->event_id = request->path_ids[0];
	one->wait.owner = one;
	one->reply = reply;
	return one;
}

static void one_event_find(struct one_event *one)
{
	struct catalog *catalog = one->flow.app->catalog;
	struct catalog_event *event = catalog_event(catalog, one->event_id);

	if (event != NULL) {
		one->reply(one, event);
		return;
	}
	one->wait.done = event_looked_up;
	catalog_refresh(catalog, &one->wait);
}

static void one_event_start(const struct request *request,
	void (*reply)(struct one_event *one, struct catalog_event *event))
{
	struct one_event *one = one_event_new(request, reply);

	if (one != NULL)
		one_event_find(one);
}

static void event_looked_up(struct catalog_wait *wait)
{
	struct one_event *one = wait->owner;
	struct catalog *catalog = one->flow.app->catalog;
	struct catalog_event *event = catalog_event(catalog, one->event_id);

	if (event != NULL)
		one->reply(one, event);
	else
		flow_fail(&one->flow,
			catalog_loaded(catalog) ? PROBLEM_EVENT_NOT_FOUND : PROBLEM_UNAVAILABLE);
}

static void reply_event(struct one_event *one, struct catalog_event *event)
{
	struct buf body = BUF_INIT(LIST_BODY_MAX);

	append_event(&body, event);
	reply_body(&one->flow, &body);
}

static void reply_line(struct one_event *one, struct catalog_event *event)
{
	struct buf body = BUF_INIT(LIST_BODY_MAX);

	append_line(&body, event);
	reply_body(&one->flow, &body);
}

void event_start(const struct request *request)
{
	one_event_start(request, reply_event);
}

void line_status_start(const struct request *request)
{
	one_event_start(request, reply_line);
}

/* --- its performances, with their seats counted at most two seconds ago where PostgreSQL answers --- */

static void reply_performances(struct one_event *one, struct catalog_event *event)
{
	catalog_touch(event);
	if (!catalog_counted(event)) {
		one->wait.done = seats_counted;
		catalog_count(one->flow.app->catalog, &one->wait);
		return;
	}
	struct buf body = BUF_INIT(LIST_BODY_MAX);
	append_performances(&body, event, one->only_available, &one->flow.app->settings);
	reply_body(&one->flow, &body);
}

static void seats_counted(struct catalog_wait *wait)
{
	struct one_event *one = wait->owner;
	struct catalog_event *event = catalog_event(one->flow.app->catalog, one->event_id);
	struct buf body = BUF_INIT(LIST_BODY_MAX);

	if (event->counted_ms == 0 && event->performance_count > 0) {
		flow_fail(&one->flow, PROBLEM_UNAVAILABLE);
		return;
	}
	append_performances(&body, event, one->only_available, &one->flow.app->settings);
	reply_body(&one->flow, &body);
}

void performances_start(const struct request *request)
{
	struct one_event *one = one_event_new(request, reply_performances);

	if (one != NULL && query_flag(&one->flow, request, "available", &one->only_available))
		one_event_find(one);
}
