/* What is on sale: what changed since a revision, what is left, the seats of a performance, and what
 * operators change. One call each; operators' changes are not repeatable: a second run would do them, or
 * their line in the audit trail, twice. */
#include "db/store_catalog.h"

#include <stdlib.h>
#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_changes_sql, "db/statements/changes.sql");
EMBED(store_availability_sql, "db/statements/availability.sql");
EMBED(store_seat_list_sql, "db/statements/seat_list.sql");
EMBED(store_seat_letters_sql, "db/statements/seat_letters.sql");
EMBED(store_event_create_sql, "db/statements/event_create.sql");
EMBED(store_performance_create_sql, "db/statements/performance_create.sql");
EMBED(store_queue_update_sql, "db/statements/queue_update.sql");
EMBED(store_epoch_sql, "db/statements/epoch.sql");

enum { AVAILABILITY_MAX = 4096 };

#define CHANGES(pointer) CONTAINER_OF(pointer, struct store_changes, op)
#define AVAILABILITY(pointer) CONTAINER_OF(pointer, struct store_availability, op)
#define SEAT_LIST(pointer) CONTAINER_OF(pointer, struct store_seat_list, op)
#define SEAT_LETTERS(pointer) CONTAINER_OF(pointer, struct store_seat_letters, op)
#define EVENT_CREATE(pointer) CONTAINER_OF(pointer, struct store_event_create, op)
#define PERFORMANCE_CREATE(pointer) CONTAINER_OF(pointer, struct store_performance_create, op)
#define QUEUE_UPDATE(pointer) CONTAINER_OF(pointer, struct store_queue_update, op)
#define EPOCH(pointer) CONTAINER_OF(pointer, struct store_epoch, op)

/* The columns that stand first wherever events are read. */
enum event_column {
	EVENT_REVISION,
	EVENT_ID,
	EVENT_TITLE,
	EVENT_VENUE,
	EVENT_OPENS,
	EVENT_ENABLED,
	EVENT_PAUSED,
	EVENT_CAPACITY,
	EVENT_ADMIT_PER_SECOND,
	EVENT_PASS_TTL,
	EVENT_ABANDON_AFTER,
	EVENT_MESSAGE,
	EVENT_COMMITMENT,
	EVENT_COLUMNS
};

static bool read_text(
	const struct pg_rows *rows, unsigned row, unsigned column, char *text, size_t size)
{
	size_t len;
	const char *bytes = pg_row_text(rows, row, column, &len);

	if (len >= size)
		return false;
	memcpy(text, bytes, len + 1);
	return true;
}

static bool read_event(const struct pg_rows *rows, unsigned row, struct store_event *event)
{
	event->revision = pg_row_i64(rows, row, EVENT_REVISION);
	event->id = pg_row_i64(rows, row, EVENT_ID);
	event->has_opening = !pg_row_null(rows, row, EVENT_OPENS);
	event->sale_opens_unix_ms = pg_row_i64(rows, row, EVENT_OPENS);
	event->queue_enabled = pg_row_bool(rows, row, EVENT_ENABLED);
	event->queue_paused = pg_row_bool(rows, row, EVENT_PAUSED);
	event->capacity = pg_row_i64(rows, row, EVENT_CAPACITY);
	event->admit_per_second = pg_row_i64(rows, row, EVENT_ADMIT_PER_SECOND);
	event->pass_ttl_seconds = pg_row_i64(rows, row, EVENT_PASS_TTL);
	event->abandon_after_seconds = pg_row_i64(rows, row, EVENT_ABANDON_AFTER);
	return read_text(rows, row, EVENT_TITLE, event->title, sizeof event->title) &&
	       read_text(rows, row, EVENT_VENUE, event->venue, sizeof event->venue) &&
	       read_text(rows, row, EVENT_MESSAGE, event->message, sizeof event->message) &&
	       read_text(rows, row, EVENT_COMMITMENT, event->commitment, sizeof event->commitment);
}

/* --- changes --- */

static void changes_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, CHANGES(ops[0])->events_after);
	pg_param_i64(params, CHANGES(ops[0])->performances_after);
	pg_param_i64(params, CHANGES(ops[0])->limit);
}

static void read_performance(
	const struct pg_rows *rows, unsigned row, struct store_performance *performance)
{
	performance->revision = pg_row_i64(rows, row, EVENT_REVISION);
	performance->id = pg_row_i64(rows, row, EVENT_ID);
	performance->event_id = pg_row_i64(rows, row, EVENT_COLUMNS);
	performance->starts_unix_ms = pg_row_i64(rows, row, EVENT_COLUMNS + 1);
	performance->seats_total = pg_row_i64(rows, row, EVENT_COLUMNS + 2);
}

/* First the events, which have a title, then the performances. */
static bool changes_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	unsigned all = pg_row_count(rows), events = 0;

	if (count != 1)
		return false;
	if (ops[0] == NULL || all == 0)
		return true;
	struct store_changes *changes = CHANGES(ops[0]);
	while (events < all && !pg_row_null(rows, events, EVENT_TITLE))
		events++;
	changes->events = must_calloc(events + 1, sizeof *changes->events);
	changes->performances = must_calloc(all - events + 1, sizeof *changes->performances);
	for (unsigned i = 0; i < events; i++)
		if (!read_event(rows, i, &changes->events[i]))
			return false;
	for (unsigned i = events; i < all; i++)
		read_performance(rows, i, &changes->performances[i - events]);
	changes->event_count = events;
	changes->performance_count = all - events;
	return true;
}

const struct pg_statement store_changes_statement = {.name = "changes",
	.sql = store_changes_sql,
	.repeatable = true,
	.encode = changes_encode,
	.decode = changes_decode};

void store_changes(struct pg *pg, struct store_changes *changes)
{
	changes->events = NULL;
	changes->performances = NULL;
	changes->event_count = 0;
	changes->performance_count = 0;
	pg_submit(pg, &changes->op, &store_changes_statement);
}

void store_changes_free(struct store_changes *changes)
{
	free(changes->events);
	free(changes->performances);
	changes->events = NULL;
	changes->performances = NULL;
	changes->event_count = 0;
	changes->performance_count = 0;
}

/* --- availability --- */

static void availability_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_availability *availability = AVAILABILITY(ops[0]);

	CHECK(count == 1);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < availability->count; i++)
		pg_array_i64(params, availability->performance_ids[i]);
	pg_array_end(params);
}

static bool availability_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_availability *availability = AVAILABILITY(ops[0]);
	if (pg_row_count(rows) != availability->count)
		return false;
	for (unsigned row = 0; row < availability->count; row++) {
		int64_t nth = pg_row_i64(rows, row, 0);
		if (nth < 1 || (size_t)nth > availability->count)
			return false;
		availability->available[nth - 1] = pg_row_i64(rows, row, 1);
		availability->sold[nth - 1] = pg_row_i64(rows, row, 2);
	}
	return true;
}

const struct pg_statement store_availability_statement = {.name = "availability",
	.sql = store_availability_sql,
	.repeatable = true,
	.encode = availability_encode,
	.decode = availability_decode};

void store_availability(struct pg *pg, struct store_availability *availability)
{
	CHECK(availability->count <= AVAILABILITY_MAX);
	pg_submit(pg, &availability->op, &store_availability_statement);
}

/* --- the seat map --- */

static void seat_list_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, SEAT_LIST(ops[0])->performance_id);
}

static bool seat_list_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_seat_list *list = SEAT_LIST(ops[0]);
	list->found = true;
	list->lines = store_row_copy(rows, 0, 0, &list->lines_len);
	return true;
}

const struct pg_statement store_seat_list_statement = {.name = "seat_list",
	.sql = store_seat_list_sql,
	.repeatable = true,
	.encode = seat_list_encode,
	.decode = seat_list_decode};

void store_seat_list(struct pg *pg, struct store_seat_list *list)
{
	list->found = false;
	list->lines = NULL;
	list->lines_len = 0;
	pg_submit(pg, &list->op, &store_seat_list_statement);
}

void store_seat_list_free(struct store_seat_list *list)
{
	free(list->lines);
	list->lines = NULL;
	list->lines_len = 0;
}

static void seat_letters_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, SEAT_LETTERS(ops[0])->performance_id);
}

static bool seat_letters_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_seat_letters *letters = SEAT_LETTERS(ops[0]);
	letters->found = true;
	letters->letters = store_row_copy(rows, 0, 0, &letters->letters_len);
	letters->lapses = !pg_row_null(rows, 0, 1);
	letters->lapse_in_ms = pg_row_i64(rows, 0, 1);
	return true;
}

const struct pg_statement store_seat_letters_statement = {.name = "seat_letters",
	.sql = store_seat_letters_sql,
	.repeatable = true,
	.encode = seat_letters_encode,
	.decode = seat_letters_decode};

void store_seat_letters(struct pg *pg, struct store_seat_letters *letters)
{
	letters->found = false;
	letters->letters = NULL;
	letters->letters_len = 0;
	pg_submit(pg, &letters->op, &store_seat_letters_statement);
}

void store_seat_letters_free(struct store_seat_letters *letters)
{
	free(letters->letters);
	letters->letters = NULL;
	letters->letters_len = 0;
}

/* --- operators: events --- */

static void event_create_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_event_create *create = EVENT_CREATE(ops[0]);
	const struct store_event *event = &create->event;

	CHECK(count == 1);
	pg_param_i64(params, create->admin_id);
	pg_param_text(params, event->title);
	pg_param_text(params, event->venue);
	if (event->has_opening)
		pg_param_i64(params, event->sale_opens_unix_ms);
	else
		pg_param_null(params);
	pg_param_bool(params, event->queue_enabled);
	pg_param_bool(params, event->queue_paused);
	pg_param_i64(params, event->capacity);
	pg_param_i64(params, event->admit_per_second);
	pg_param_i64(params, event->pass_ttl_seconds);
	pg_param_i64(params, event->abandon_after_seconds);
	pg_param_text(params, event->message);
	pg_param_bytes(params, create->seed, sizeof create->seed);
}

static bool event_create_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	struct store_event *event = &EVENT_CREATE(ops[0])->event;
	event->id = pg_row_i64(rows, 0, 0);
	return read_text(rows, 0, 1, event->commitment, sizeof event->commitment);
}

const struct pg_statement store_event_create_statement = {.name = "event_create",
	.sql = store_event_create_sql,
	.encode = event_create_encode,
	.decode = event_create_decode};

void store_event_create(struct pg *pg, struct store_event_create *create)
{
	create->event.id = 0;
	pg_submit(pg, &create->op, &store_event_create_statement);
}

/* --- operators: performances --- */

static void performance_create_encode(
	struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_performance_create *create = PERFORMANCE_CREATE(ops[0]);

	CHECK(count == 1);
	pg_param_i64(params, create->admin_id);
	pg_param_i64(params, create->event_id);
	pg_param_i64(params, create->starts_unix_ms);
	pg_array_begin(params, PG_TEXT);
	for (size_t i = 0; i < create->section_count; i++)
		pg_array_text(params, create->sections[i].name);
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < create->section_count; i++)
		pg_array_i64(params, create->sections[i].rows);
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < create->section_count; i++)
		pg_array_i64(params, create->sections[i].seats_per_row);
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	for (size_t i = 0; i < create->section_count; i++)
		pg_array_i64(params, create->sections[i].price);
	pg_array_end(params);
}

static bool performance_create_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	PERFORMANCE_CREATE(ops[0])->found = true;
	PERFORMANCE_CREATE(ops[0])->id = pg_row_i64(rows, 0, 0);
	PERFORMANCE_CREATE(ops[0])->seats_total = pg_row_i64(rows, 0, 1);
	return true;
}

const struct pg_statement store_performance_create_statement = {.name = "performance_create",
	.sql = store_performance_create_sql,
	.encode = performance_create_encode,
	.decode = performance_create_decode};

void store_performance_create(struct pg *pg, struct store_performance_create *create)
{
	create->found = false;
	pg_submit(pg, &create->op, &store_performance_create_statement);
}

/* --- operators: the line's settings --- */

static void param_bool_if(struct pg_params *params, bool set, bool value)
{
	if (set)
		pg_param_bool(params, value);
	else
		pg_param_null(params);
}

static void param_i64_if(struct pg_params *params, bool set, int64_t value)
{
	if (set)
		pg_param_i64(params, value);
	else
		pg_param_null(params);
}

static void queue_update_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	const struct store_queue_update *update = QUEUE_UPDATE(ops[0]);
	const struct store_event *event = &update->event;

	CHECK(count == 1);
	pg_param_i64(params, update->admin_id);
	pg_param_i64(params, update->event_id);
	param_bool_if(params, update->set_enabled, event->queue_enabled);
	param_bool_if(params, update->set_paused, event->queue_paused);
	param_i64_if(params, update->set_capacity, event->capacity);
	param_i64_if(params, update->set_admit_per_second, event->admit_per_second);
	param_i64_if(params, update->set_pass_ttl, event->pass_ttl_seconds);
	param_i64_if(params, update->set_abandon_after, event->abandon_after_seconds);
	pg_param_text(params, update->set_message ? event->message : NULL);
}

static bool queue_update_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	QUEUE_UPDATE(ops[0])->found = true;
	return read_event(rows, 0, &QUEUE_UPDATE(ops[0])->event);
}

const struct pg_statement store_queue_update_statement = {.name = "queue_update",
	.sql = store_queue_update_sql,
	.encode = queue_update_encode,
	.decode = queue_update_decode};

void store_queue_update(struct pg *pg, struct store_queue_update *update)
{
	update->found = false;
	pg_submit(pg, &update->op, &store_queue_update_statement);
}

/* --- a new epoch of a line --- */

static void epoch_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, EPOCH(ops[0])->event_id);
}

static bool epoch_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	EPOCH(ops[0])->found = true;
	EPOCH(ops[0])->epoch = pg_row_i64(rows, 0, 0);
	EPOCH(ops[0])->shuffle = (enum store_shuffle_state)pg_row_i64(rows, 0, 1);
	return true;
}

const struct pg_statement store_epoch_statement = {.name = "epoch",
	.sql = store_epoch_sql,
	.repeatable = true, /* a number that is skipped does no harm */
	.encode = epoch_encode,
	.decode = epoch_decode};

void store_epoch(struct pg *pg, struct store_epoch *epoch)
{
	epoch->found = false;
	pg_submit(pg, &epoch->op, &store_epoch_statement);
}
