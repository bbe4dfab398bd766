/* Operators: events, performances with their seats, a line's settings.
 *   admin_event_start -> event_created -> seen -> end
 *   admin_performance_start -> performance_created -> seen -> end
 *   admin_queue_start -> queue_updated -> seen -> end
 * The catalog reads the change before the reply goes out, so that who made it finds it here. */
#include <stdio.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/json.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"

enum {
	TITLE_MAX = 200,
	MESSAGE_MAX = 500,
	SECTIONS_MAX = 100,
	ROWS_MAX = 1000,
	SEATS_A_ROW_MAX = 1000,
	SEATS_MAX = 100000
};
static const int64_t PRICE_MAX = 1000000000000;

struct admin {
	struct flow flow;
	struct buf reply;
	int status;
	struct catalog_wait catalog;
	union {
		struct store_event_create event;
		struct store_performance_create performance;
		struct store_queue_update queue;
	} store;
	struct json_object *body; /* owns the texts of sections */
	struct store_section sections[SECTIONS_MAX];
};

static void admin_cleanup(struct flow *flow)
{
	struct admin *admin = (struct admin *)flow;

	buf_free(&admin->reply);
	if (admin->body != NULL)
		json_object_free(admin->body);
}

/* The flow with its parsed body; NULL where it has ended. */
static struct admin *admin_new(const struct request *request)
{
	struct admin *admin = flow_new(sizeof *admin, request);

	if (admin == NULL)
		return NULL;
	admin->reply = BUF_INIT(16 * 1024);
	admin->flow.cleanup = admin_cleanup;
	struct json_object *body = flow_read_body(&admin->flow, request, false);
	if (body == NULL)
		return NULL; /* the flow is gone */
	admin->body = body;
	return admin;
}

static void seen(struct catalog_wait *wait)
{
	struct admin *admin = wait->owner;

	flow_reply_json(&admin->flow, admin->status, admin->reply.data, admin->reply.len);
}

/* The change is made and the reply written: the catalog sees it first. */
static void reply_when_seen(struct admin *admin, int status)
{
	admin->status = status;
	admin->catalog.done = seen;
	admin->catalog.owner = admin;
	catalog_refresh(admin->flow.app->catalog, &admin->catalog);
}

static bool admin_failed(struct admin *admin, enum db_result result)
{
	if (result != DB_OK)
		flow_fail_db(&admin->flow, result);
	return result != DB_OK;
}

/* --- a line's settings, in whatever part they came --- */

struct line_fields {
	enum json_read enabled, paused, capacity, admit_per_second, pass_ttl, abandon_after,
		message;
};

static struct line_fields read_line(struct json_object *line, struct store_event *event,
	int64_t poll_max_ms, struct json_errors *errors)
{
	const char *message = NULL;
	struct line_fields fields = {
		.enabled = json_read_bool(
			line, "enabled", JSON_OPTIONAL, &event->queue_enabled, errors),
		.paused = json_read_bool(
			line, "paused", JSON_OPTIONAL, &event->queue_paused, errors),
		.capacity = json_read_i64(
			line, "capacity", JSON_OPTIONAL, 1, 1000000, &event->capacity, errors),
		.admit_per_second = json_read_i64(line, "admit_per_second", JSON_OPTIONAL, 1,
			100000, &event->admit_per_second, errors),
		.pass_ttl = json_read_i64(line, "pass_ttl_seconds", JSON_OPTIONAL, 1, 86400,
			&event->pass_ttl_seconds, errors),
		.abandon_after = json_read_i64(line, "abandon_after_seconds", JSON_OPTIONAL, 1,
			86400, &event->abandon_after_seconds, errors),
		.message = json_read_text(
			line, "message", JSON_OPTIONAL, 0, MESSAGE_MAX, &message, errors),
	};
	if (message != NULL)
		strcpy(event->message, message);
	/* Three polls may go missing before anybody is dropped. */
	if (fields.abandon_after == JSON_PRESENT &&
		event->abandon_after_seconds * 1000 < 3 * poll_max_ms)
		json_error_add(errors, "abandon_after_seconds",
			"must be at least three of the longest poll intervals (queue.poll_max_ms)");
	return fields;
}

/* first: members to begin with, each with its comma. */
static void append_line(struct buf *reply, const struct store_event *event, const char *first)
{
	buf_printf(reply,
		"{%s\"enabled\":%s,\"paused\":%s,\"capacity\":%lld,\"admit_per_second\":%lld,"
		"\"pass_ttl_seconds\":%lld,\"abandon_after_seconds\":%lld,\"message\":",
		first, event->queue_enabled ? "true" : "false",
		event->queue_paused ? "true" : "false", (long long)event->capacity,
		(long long)event->admit_per_second, (long long)event->pass_ttl_seconds,
		(long long)event->abandon_after_seconds);
	if (event->message[0] != '\0')
		json_write_text(reply, event->message);
	else
		buf_append_text(reply, "null");
	buf_append_char(reply, '}');
}

/* --- events --- */

static void event_created(struct pg_op *op, enum db_result result);

static void read_event(struct admin *admin, struct store_event *event, struct json_errors *errors)
{
	const char *title = NULL, *venue = NULL;
	struct json_object *line = NULL;

	int64_t three_polls_s = (3 * admin->flow.app->settings.queue_poll_max_ms + 999) / 1000;

	*event = (struct store_event){.capacity = 100,
		.admit_per_second = 50,
		.pass_ttl_seconds = 600,
		.abandon_after_seconds = three_polls_s > 60 ? three_polls_s : 60};
	json_read_text(admin->body, "title", JSON_REQUIRED, 1, TITLE_MAX, &title, errors);
	json_read_text(admin->body, "venue", JSON_REQUIRED, 1, TITLE_MAX, &venue, errors);
	event->has_opening = json_read_time(admin->body, "sale_opens_at", JSON_OPTIONAL,
				     &event->sale_opens_unix_ms, errors) == JSON_PRESENT;
	if (json_read_object(admin->body, "queue", JSON_OPTIONAL, &line, errors) == JSON_PRESENT) {
		strcpy(errors->prefix, "queue.");
		read_line(line, event, admin->flow.app->settings.queue_poll_max_ms, errors);
		errors->prefix[0] = '\0';
	}
	if (title != NULL)
		strcpy(event->title, title);
	if (venue != NULL)
		strcpy(event->venue, venue);
}

void admin_event_start(const struct request *request)
{
	struct admin *admin = admin_new(request);
	struct json_errors errors = {0};

	if (admin == NULL)
		return;
	struct store_event_create *create = &admin->store.event;
	read_event(admin, &create->event, &errors);
	if (errors.count > 0) {
		flow_fail_validation(&admin->flow, &errors);
		return;
	}
	create->admin_id = request->user_id;
	shuffle_seed(create->seed);
	create->op.done = event_created;
	create->op.owner = admin;
	store_event_create(admin->flow.app->pg, create);
}

static void event_created(struct pg_op *op, enum db_result result)
{
	struct admin *admin = op->owner;
	const struct store_event *event = &admin->store.event.event;
	struct buf *reply = &admin->reply;
	char opens[CLOCK_TEXT_SIZE];

	flow_mark(&admin->flow, STAGE_POSTGRESQL);
	if (admin_failed(admin, result))
		return;
	buf_printf(reply, "{\"id\":%lld,\"title\":", (long long)event->id);
	json_write_text(reply, event->title);
	buf_append_text(reply, ",\"venue\":");
	json_write_text(reply, event->venue);
	clock_format(event->sale_opens_unix_ms, opens);
	if (event->has_opening)
		buf_printf(reply, ",\"sale_opens_at\":\"%s\",\"queue\":", opens);
	else
		buf_append_text(reply, ",\"sale_opens_at\":null,\"queue\":");
	append_line(reply, event, "\"waiting\":0,\"active\":0,");
	if (event->commitment[0] != '\0')
		buf_printf(reply, ",\"shuffle\":{\"commitment\":\"%s\"}}", event->commitment);
	else
		buf_append_text(reply, ",\"shuffle\":null}");
	reply_when_seen(admin, 201);
}

/* --- performances --- */

static void performance_created(struct pg_op *op, enum db_result result);

/* One section, whose fields are called sections[i].name and so on. Its seats, 0 where it is wrong. */
static int64_t read_section(struct json_object *element, size_t i, struct store_section *section,
	struct json_errors *errors)
{
	unsigned before = errors->count;

	snprintf(errors->prefix, sizeof errors->prefix, "sections[%zu].", i);
	json_read_text(
		element, "name", JSON_REQUIRED, 1, STORE_SECTION_NAME_MAX, &section->name, errors);
	json_read_i64(element, "rows", JSON_REQUIRED, 1, ROWS_MAX, &section->rows, errors);
	json_read_i64(element, "seats_per_row", JSON_REQUIRED, 1, SEATS_A_ROW_MAX,
		&section->seats_per_row, errors);
	json_read_i64(element, "price", JSON_REQUIRED, 0, PRICE_MAX, &section->price, errors);
	errors->prefix[0] = '\0';
	return errors->count == before ? section->rows * section->seats_per_row : 0;
}

static void read_sections(struct admin *admin, struct json_errors *errors)
{
	struct json_object *array = NULL;
	int64_t seats = 0;
	size_t count = 0;

	if (json_read_array(admin->body, "sections", JSON_REQUIRED, 1, SECTIONS_MAX, &array, &count,
		    errors) != JSON_PRESENT)
		return;
	for (size_t i = 0; i < count; i++) {
		struct json_object *element = json_array_object(array, i);

		if (element == NULL)
			json_error_add(errors, "sections", "must be objects");
		else
			seats += read_section(element, i, &admin->sections[i], errors);
		for (size_t j = 0; errors->count == 0 && j < i; j++)
			if (strcmp(admin->sections[i].name, admin->sections[j].name) == 0)
				json_error_add(errors, "sections", "must have different names");
	}
	if (seats > SEATS_MAX)
		json_error_add(errors, "sections", "must have at most 100000 seats in all");
	admin->store.performance.section_count = count;
}

void admin_performance_start(const struct request *request)
{
	struct admin *admin = admin_new(request);
	struct json_errors errors = {0};

	if (admin == NULL)
		return;
	struct store_performance_create *create = &admin->store.performance;
	json_read_time(admin->body, "starts_at", JSON_REQUIRED, &create->starts_unix_ms, &errors);
	read_sections(admin, &errors);
	if (errors.count > 0) {
		flow_fail_validation(&admin->flow, &errors);
		return;
	}
	create->sections = admin->sections;
	create->event_id = request->path_ids[0];
	create->admin_id = request->user_id;
	create->op.done = performance_created;
	create->op.owner = admin;
	store_performance_create(admin->flow.app->pg, create);
}

static void performance_created(struct pg_op *op, enum db_result result)
{
	struct admin *admin = op->owner;
	const struct store_performance_create *create = &admin->store.performance;

	flow_mark(&admin->flow, STAGE_POSTGRESQL);
	if (admin_failed(admin, result))
		return;
	if (!create->found) {
		flow_fail(&admin->flow, PROBLEM_EVENT_NOT_FOUND);
		return;
	}
	buf_printf(&admin->reply, "{\"id\":%lld,\"seats_total\":%lld}", (long long)create->id,
		(long long)create->seats_total);
	reply_when_seen(admin, 201);
}

/* --- a line's settings --- */

static void queue_updated(struct pg_op *op, enum db_result result);

void admin_queue_start(const struct request *request)
{
	struct admin *admin = admin_new(request);
	struct json_errors errors = {0};

	if (admin == NULL)
		return;
	struct store_queue_update *update = &admin->store.queue;
	struct line_fields fields = read_line(
		admin->body, &update->event, admin->flow.app->settings.queue_poll_max_ms, &errors);
	if (errors.count > 0) {
		flow_fail_validation(&admin->flow, &errors);
		return;
	}
	update->set_enabled = fields.enabled == JSON_PRESENT;
	update->set_paused = fields.paused == JSON_PRESENT;
	update->set_capacity = fields.capacity == JSON_PRESENT;
	update->set_admit_per_second = fields.admit_per_second == JSON_PRESENT;
	update->set_pass_ttl = fields.pass_ttl == JSON_PRESENT;
	update->set_abandon_after = fields.abandon_after == JSON_PRESENT;
	update->set_message = fields.message == JSON_PRESENT;
	update->event_id = request->path_ids[0];
	update->admin_id = request->user_id;
	update->op.done = queue_updated;
	update->op.owner = admin;
	store_queue_update(admin->flow.app->pg, update);
}

static void queue_updated(struct pg_op *op, enum db_result result)
{
	struct admin *admin = op->owner;
	const struct store_queue_update *update = &admin->store.queue;

	flow_mark(&admin->flow, STAGE_POSTGRESQL);
	if (admin_failed(admin, result))
		return;
	if (!update->found) {
		flow_fail(&admin->flow, PROBLEM_EVENT_NOT_FOUND);
		return;
	}
	append_line(&admin->reply, &update->event, "");
	reply_when_seen(admin, 200);
}
