/* Every field of every body, with every kind of wrong value: 422 that names the field, and nothing changes.
 * A row is a field; the values follow from its kind. The same for what the query and the headers say. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/world.h"

TestSuite(validation, .timeout = 120);

enum kind { TEXT, ADDRESS, INTEGER, BOOLEAN, TIME, IDS, OBJECT, OBJECTS };
enum need { REQUIRED, OPTIONAL };

/* Where a body goes, and one that is right but for the field at test; %lld: the id of what it is about. */
static const struct target {
	const char *method, *path, *body;
	bool operator_s, keyed;
} targets[] = {
	{"POST", "/v1/sessions", "{\"email\":\"nobody@onsale.test\",\"password\":\"long enough\"}",
		.keyed = false},
	{"POST", "/v1/users",
		"{\"email\":\"new@onsale.test\",\"password\":\"long enough\",\"name\":\"A\"}",
		.keyed = false},
	{"POST", "/v1/me/balance/charges", "{\"amount\":1}", .keyed = true},
	{"POST", "/v1/reservations", "{\"performance_id\":1,\"seat_ids\":[1]}", .keyed = true},
	{"POST", "/v1/reservations", "{\"performance_id\":1,\"quantity\":1,\"section\":\"Floor\"}",
		.keyed = true},
	{"POST", "/v1/reservations/1/payment", "{\"use_points\":0}", .keyed = true},
	{"POST", "/v1/admin/events",
		"{\"title\":\"T\",\"venue\":\"V\",\"sale_opens_at\":\"2030-01-01T00:00:00Z\",\"queue\":{}}",
		.operator_s = true},
	{"POST", "/v1/admin/events/1/performances",
		"{\"starts_at\":\"2030-01-01T00:00:00Z\",\"sections\":[{\"name\":\"A\",\"rows\":1,"
		"\"seats_per_row\":1,\"price\":1}]}",
		.operator_s = true},
	{"PUT", "/v1/admin/events/1/queue", "{}", .operator_s = true},
};
enum { LOG_IN, SIGN_UP, CHARGE, HOLD, HOLD_QUANTITY, PAY, EVENT, PERFORMANCE, LINE };

static const struct field {
	unsigned target;
	const char *name; /* as errors name it: "a", "a.b" or "a[0].b" */
	enum kind kind;
	enum need need;
	int64_t min, max; /* of a number; or a text's length */
} fields[] = {
	{LOG_IN, "email", TEXT, REQUIRED, 1, 254},
	{LOG_IN, "password", TEXT, REQUIRED, 1, 256},
	{SIGN_UP, "email", ADDRESS, REQUIRED, 3, 254},
	{SIGN_UP, "password", TEXT, REQUIRED, 8, 256},
	{SIGN_UP, "name", TEXT, OPTIONAL, 0, 100},
	{CHARGE, "amount", INTEGER, REQUIRED, 1, 100000000},
	{HOLD, "performance_id", INTEGER, REQUIRED, 1, INT64_MAX},
	{HOLD, "seat_ids", IDS, REQUIRED, 1, 10},
	{HOLD_QUANTITY, "quantity", INTEGER, OPTIONAL, 1, 10},
	{HOLD_QUANTITY, "section", TEXT, OPTIONAL, 1, 60},
	{PAY, "use_points", INTEGER, OPTIONAL, 0, INT64_MAX},
	{EVENT, "title", TEXT, REQUIRED, 1, 200},
	{EVENT, "venue", TEXT, REQUIRED, 1, 200},
	{EVENT, "sale_opens_at", TIME, OPTIONAL, 0, 0},
	{EVENT, "queue", OBJECT, OPTIONAL, 0, 0},
	{EVENT, "queue.enabled", BOOLEAN, OPTIONAL, 0, 0},
	{EVENT, "queue.paused", BOOLEAN, OPTIONAL, 0, 0},
	{EVENT, "queue.capacity", INTEGER, OPTIONAL, 1, 1000000},
	{EVENT, "queue.admit_per_second", INTEGER, OPTIONAL, 1, 100000},
	{EVENT, "queue.pass_ttl_seconds", INTEGER, OPTIONAL, 1, 86400},
	{EVENT, "queue.abandon_after_seconds", INTEGER, OPTIONAL, 1, 86400},
	{EVENT, "queue.message", TEXT, OPTIONAL, 0, 500},
	{PERFORMANCE, "starts_at", TIME, REQUIRED, 0, 0},
	{PERFORMANCE, "sections", OBJECTS, REQUIRED, 1, 100},
	{PERFORMANCE, "sections[0].name", TEXT, REQUIRED, 1, 60},
	{PERFORMANCE, "sections[0].rows", INTEGER, REQUIRED, 1, 1000},
	{PERFORMANCE, "sections[0].seats_per_row", INTEGER, REQUIRED, 1, 1000},
	{PERFORMANCE, "sections[0].price", INTEGER, REQUIRED, 0, 1000000000000},
	{LINE, "enabled", BOOLEAN, OPTIONAL, 0, 0},
	{LINE, "paused", BOOLEAN, OPTIONAL, 0, 0},
	{LINE, "capacity", INTEGER, OPTIONAL, 1, 1000000},
	{LINE, "admit_per_second", INTEGER, OPTIONAL, 1, 100000},
	{LINE, "pass_ttl_seconds", INTEGER, OPTIONAL, 1, 86400},
	{LINE, "abandon_after_seconds", INTEGER, OPTIONAL, 1, 86400},
	{LINE, "message", TEXT, OPTIONAL, 0, 500},
};

/* --- one wrong value --- */

/* The object that holds the field, and the field's own name in it. */
static json_t *holder_of(json_t *body, const char *name, const char **member)
{
	const char *dot = strchr(name, '.');

	*member = dot != NULL ? dot + 1 : name;
	if (dot == NULL)
		return body;
	if (dot[-1] == ']')
		return json_array_get(json_object_get(body, "sections"), 0);
	return json_object_get(body, "queue");
}

static bool names_field(struct answer *answer, const char *name)
{
	const json_t *errors = json_object_get(answer_json(answer), "errors");
	size_t i;
	json_t *error;

	json_array_foreach((json_t *)(uintptr_t)errors, i, error)
	{
		if (strcmp(json_string_value(json_object_get(error, "field")), name) == 0 &&
			json_string_length(json_object_get(error, "message")) > 0)
			return true;
	}
	return false;
}

static struct call call_to(struct world *world, const struct target *target)
{
	return (struct call){.method = target->method,
		.path = target->path,
		.jwt = target->operator_s ? world->admins.list[0].jwt : world->people.list[0].jwt,
		.key = target->keyed ? "validation" : NULL};
}

static void refuse_body(struct world *world, const struct field *field, const char *text)
{
	struct call call = call_to(world, &targets[field->target]);

	call.body = text;
	struct answer *answer = expect(world, &call, 422, "validation_failed");
	cr_assert(names_field(answer, field->name), "%s: %s: %s", field->name, text, answer->body);
}

/* The target's body with another value of the field. value: owned by this call; NULL leaves the member out. */
static char *body_with(const struct field *field, json_t *value)
{
	json_t *body = json_loads(targets[field->target].body, 0, NULL);
	const char *member;
	json_t *holder = holder_of(body, field->name, &member);

	if (value != NULL)
		json_object_set_new(holder, member, value);
	else
		json_object_del(holder, member);
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	return text;
}

static void refuse(struct world *world, const struct field *field, json_t *value)
{
	char *text = body_with(field, value);

	refuse_body(world, field, text);
	free(text);
}

/* A value that jansson does not write. */
static void refuse_raw(struct world *world, const struct field *field, const char *value)
{
	static const char mark[] = "\"RAW\"";
	char *text = body_with(field, json_string("RAW"));
	char *at = strstr(text, mark);

	cr_assert(at != NULL);
	*at = '\0';
	refuse_body(world, field, textf(world, "%s%s%s", text, value, at + strlen(mark)));
	free(text);
}

/* --- the values --- */

static json_t *text_of(const char *letter, size_t count)
{
	char *text = must_malloc(count * strlen(letter) + 1);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		strcpy(text + i * strlen(letter), letter);
	json_t *value = json_string(text);
	free(text);
	return value;
}

static void refuse_other_types(struct world *world, const struct field *field)
{
	if (field->kind != BOOLEAN)
		refuse(world, field, json_true());
	if (field->kind != INTEGER)
		refuse(world, field, json_integer(1));
	if (field->kind != TEXT || field->min > 1)
		refuse(world, field, json_string("1"));
	if (field->kind != IDS && field->kind != OBJECTS)
		refuse(world, field, json_array());
	if (field->kind != OBJECT)
		refuse(world, field, json_object());
	refuse(world, field, json_real(1.5));
	refuse(world, field, json_real(1.0)); /* written 1.0: not an integer either */
	refuse_raw(world, field, "99999999999999999999");
	refuse_raw(world, field, "-9223372036854775809");
	refuse_raw(world, field, "1e999");
	if (field->need == REQUIRED) {
		refuse(world, field, json_null());
		refuse(world, field, NULL);
	}
}

static void refuse_integers(struct world *world, const struct field *field)
{
	refuse(world, field, json_integer(field->min - 1));
	refuse(world, field, json_integer(-1));
	refuse(world, field, json_integer(INT64_MIN));
	if (field->max < INT64_MAX) {
		refuse(world, field, json_integer(field->max + 1));
		refuse(world, field, json_integer(INT64_MAX));
	}
}

/* Length counts code points: as many snowmen as letters. */
static void refuse_texts(struct world *world, const struct field *field)
{
	refuse(world, field, text_of("x", (size_t)field->max + 1));
	refuse(world, field, text_of("\u2603", (size_t)field->max + 1));
	refuse(world, field, json_stringn("a\0b", 3));
	refuse(world, field, json_string("a\nb"));
	refuse(world, field, json_string("a\x7f"));
	refuse(world, field, json_string("a\xc2\x85"));
	if (field->min > 0)
		refuse(world, field, json_string(""));
}

/* An e-mail address has one @ between two texts, and no blanks of any script. */
static void refuse_addresses(struct world *world, const struct field *field)
{
	static const char *const texts[] = {"a", "a@", "@a", "@", "a@b@c", "a b@c", " a@b", "a@b ",
		"a@b\u00a0c", "a\u200b@b", "a@\u3000"};

	refuse_texts(world, field);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refuse(world, field, json_string(texts[i]));
	json_t *lengthy = text_of("x", (size_t)field->max - 1);
	refuse(world, field, json_sprintf("@%s", json_string_value(lengthy)));
	refuse(world, field, json_sprintf("a@%s", json_string_value(lengthy)));
	json_decref(lengthy);
}

static void refuse_times(struct world *world, const struct field *field)
{
	static const char *const texts[] = {"", "now", "2030-01-01", "2030-13-01T00:00:00Z",
		"2030-02-30T00:00:00Z", "2030-01-01T25:00:00Z", "2030-01-01T00:00:00",
		"1969-01-01T00:00:00Z", "12030-01-01T00:00:00Z", "2030-01-01T00:00:00Z "};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refuse(world, field, json_string(texts[i]));
	refuse(world, field, json_stringn("2030-01-01T00:00:00Z\0", 21));
}

static void refuse_ids(struct world *world, const struct field *field)
{
	static const char *const lists[] = {
		"[]", "[0]", "[-1]", "[1.0]", "[\"1\"]", "[null]", "[1,1]", "[[1]]", "[1,{}]"};
	json_t *many = json_array();

	refuse_raw(world, field, "[99999999999999999999]");

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		refuse(world, field, json_loads(lists[i], 0, NULL));
	for (int64_t i = 0; i < field->max + 1; i++)
		json_array_append_new(many, json_integer(i + 1));
	refuse(world, field, many);
}

static void refuse_objects(struct world *world, const struct field *field)
{
	static const char *const lists[] = {"[]", "[1]", "[null]", "[[]]"};
	json_t *many = json_array();

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		refuse(world, field, json_loads(lists[i], 0, NULL));
	for (int64_t i = 0; i < field->max + 1; i++)
		json_array_append_new(many, json_object());
	refuse(world, field, many);
}

static void refuse_all(struct world *world, const struct field *field)
{
	refuse_other_types(world, field);
	switch (field->kind) {
	case INTEGER: refuse_integers(world, field); break;
	case TEXT: refuse_texts(world, field); break;
	case ADDRESS: refuse_addresses(world, field); break;
	case TIME: refuse_times(world, field); break;
	case IDS: refuse_ids(world, field); break;
	case OBJECTS: refuse_objects(world, field); break;
	case BOOLEAN:
	case OBJECT: break;
	}
}

/* --- */

static const char everything[] =
	"SELECT hashtextextended(string_agg(t, '|'), 0) FROM ("
	"SELECT 'e' || string_agg(e::text, ',' ORDER BY id) AS t FROM events e UNION ALL "
	"SELECT 'p' || count(*) FROM performances UNION ALL SELECT 's' || count(*) FROM seats UNION ALL "
	"SELECT 'r' || count(*) FROM reservations UNION ALL SELECT 'l' || count(*) FROM ledger UNION ALL "
	"SELECT 'i' || count(*) FROM idempotency UNION ALL SELECT 'u' || count(*) FROM users) x";

Test(validation, every_field_with_every_wrong_value)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 1000, &(struct sale_options){.seats_per_row = 1});
	cr_assert(world->sale.event_id == 1 && world->sale.performance_id == 1);
	int64_t before = database_i64(world->db, everything, 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		refuse_all(world, &fields[i]);
	cr_assert(database_i64(world->db, everything, 0, NULL) == before, "something has changed");
	world_close(world);
}

/* --- bodies --- */

/* What is not JSON is told apart from JSON that is no object, and both from what is wrong in it. */
static const struct body {
	const char *text;
	int status;
} bodies[] = {
	{"", 400},
	{" ", 400},
	{"{", 400},
	{"}", 400},
	{"{\"a\":}", 400},
	{"{'a':1}", 400},
	{"{\"a\":1,}", 400},
	{"{\"a\":1}{}", 400},
	{"{\"a\":\"\xff\"}", 400},
	{"{\"a\":\"\\ud800\"}", 400},
	{"{\"a\":01}", 400},
	{"{\"a\":1e999", 400},
	{"\xef\xbb\xbf{}", 400},
	{"[]", 422},
	{"1", 422},
	{"null", 422},
	{"\"x\"", 422},
	{"99999999999999999999", 422},
	{"{\"a\":1,\"a\":2}", 422},
};

Test(validation, bodies_that_are_no_object)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 1000, &(struct sale_options){.seats_per_row = 1});
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct call call = call_to(world, &targets[i]);
		for (size_t j = i == PAY ? 1 : 0; j < ARRAY_LEN(bodies); j++) {
			call.body = bodies[j].text;
			struct answer *answer = expect(world, &call, bodies[j].status,
				bodies[j].status == 400 ? "malformed_json" : "validation_failed");
			cr_assert(bodies[j].status == 400 || names_field(answer, ""), "%s",
				call.body);
		}
	}
	world_close(world);
}

/* --- queries --- */

enum { AFTER = 1, LIMIT = 2, AVAILABLE = 4 };

static const struct list {
	const char *path;
	unsigned params;
} lists[] = {
	{"/v1/events", AFTER | LIMIT},
	{"/v1/me/ledger", AFTER | LIMIT},
	{"/v1/reservations", AFTER | LIMIT},
	{"/v1/events/1/performances", AVAILABLE},
};

static const struct query {
	unsigned params; /* that take it */
	const char *text;
	const char *wrong; /* the field at fault; NULL: it is right */
} queries[] = {
	{AFTER | LIMIT | AVAILABLE, "", NULL},
	{AFTER | LIMIT | AVAILABLE, "?other=1&other=2&=&&", NULL},
	{AFTER, "?after=0", NULL},
	{AFTER, "?after=9223372036854775806", NULL},
	{AFTER, "?after=%31", NULL},
	{AFTER, "?after", "after"},
	{AFTER, "?after=", "after"},
	{AFTER, "?after=-1", "after"},
	{AFTER, "?after=%2B1", "after"},
	{AFTER, "?after=9223372036854775807", "after"},
	{AFTER, "?after=99999999999999999999", "after"},
	{AFTER, "?after=1.0", "after"},
	{AFTER, "?after=1e3", "after"},
	{AFTER, "?after=0x1", "after"},
	{AFTER, "?after=%201", "after"},
	{AFTER, "?after=%EF%BC%91", "after"}, /* a full-width one */
	{AFTER, "?after=%00", "after"},
	{AFTER, "?after=%4", "after"},
	{AFTER, "?after=null", "after"},
	{AFTER, "?after=1&after=1", "after"},
	{LIMIT, "?limit=1", NULL},
	{LIMIT, "?limit=200", NULL},
	{LIMIT, "?limit", "limit"},
	{LIMIT, "?limit=", "limit"},
	{LIMIT, "?limit=0", "limit"},
	{LIMIT, "?limit=-1", "limit"},
	{LIMIT, "?limit=201", "limit"},
	{LIMIT, "?limit=99999999999999999999", "limit"},
	{LIMIT, "?limit=1.5", "limit"},
	{LIMIT, "?limit=%E2%98%83", "limit"},
	{LIMIT, "?limit=1&after=0&limit=2", "limit"},
	{AVAILABLE, "?available=true", NULL},
	{AVAILABLE, "?available=false", NULL},
	{AVAILABLE, "?available", "available"},
	{AVAILABLE, "?available=", "available"},
	{AVAILABLE, "?available=t", "available"},
	{AVAILABLE, "?available=TRUE", "available"},
	{AVAILABLE, "?available=truely", "available"},
	{AVAILABLE, "?available=truetruetruetrue", "available"},
	{AVAILABLE, "?available=1", "available"},
	{AVAILABLE, "?available=%E2%98%83", "available"},
	{AVAILABLE, "?available=true&available=true", "available"},
};

Test(validation, every_parameter_with_every_wrong_value)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 1000, &(struct sale_options){.seats_per_row = 1});
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < ARRAY_LEN(queries); j++) {
			const struct query *query = &queries[j];
			if ((query->params & lists[i].params) == 0)
				continue;
			struct call call = {.method = "GET",
				.path = textf(world, "%s%s", lists[i].path, query->text),
				.jwt = world->people.list[0].jwt};
			struct answer *answer = expect(world, &call,
				query->wrong != NULL ? 422 : 200,
				query->wrong != NULL ? "validation_failed" : NULL);
			cr_assert(query->wrong == NULL || names_field(answer, query->wrong),
				"%s: %s", call.path, answer->body);
		}
	world_close(world);
}

/* --- headers --- */

/* A header, a call that reads it, and what it is told where the value is wrong. */
static const struct header {
	const char *name, *method, *path, *body;
	const char *code; /* of what is wrong in it */
	int status;
} headers[] = {
	{"Authorization", "GET", "/v1/me", NULL, "unauthorized", 401},
	{"Idempotency-Key", "POST", "/v1/me/balance/charges", "{\"amount\":1}",
		"idempotency_key_required", 400},
	{"X-Queue-Token", "GET", "/v1/queue", NULL, "invalid_queue_token", 401},
	{"X-Queue-Pass", "POST", "/v1/reservations", "{\"performance_id\":1,\"seat_ids\":[1]}",
		"queue_pass_invalid", 403},
};

static struct answer *send_header(
	struct world *world, const struct header *header, const char *lines)
{
	bool keyed = strcmp(header->name, "Idempotency-Key") != 0 && header->body != NULL;
	struct call call = {.method = header->method,
		.path = header->path,
		.body = header->body,
		.headers = lines,
		.key = keyed ? "validation" : NULL,
		.jwt = strcmp(header->name, "Authorization") != 0 ? world->people.list[0].jwt
								  : NULL};

	return world_call(world, &call);
}

static void refuse_header(struct world *world, const struct header *header, const char *lines,
	int status, const char *code)
{
	struct answer *answer = send_header(world, header, lines);

	cr_assert(answer->status == status, "%s: %d %s", lines, answer->status, answer->body);
	check_problem(answer, status, code);
}

static char *long_text(size_t len)
{
	char *text = must_malloc(len + 1);

	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

static void refuse_headers(struct world *world, const struct header *header)
{
	static const char *const wrong[] = {"x y\tz", "\"", "\"\"", "\xe2\x98\x83", "\xff\xfe"};
	static const char *const controls[] = {"a\x01", "a\x7f", "a\x1b[0m", "a\r", "a\r\n b"};
	bool bearer = header->status == 401 && strcmp(header->name, "Authorization") == 0;
	const char *scheme = bearer ? "Bearer " : "", *name = header->name;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (i != 1 || header->status != 400) /* one quote is a bare key, if a poor one */
			refuse_header(world, header,
				textf(world, "%s: %s%s\r\n", name, scheme, wrong[i]),
				header->status, header->code);
	for (size_t i = 0; i < ARRAY_LEN(controls); i++)
		refuse_header(world, header,
			textf(world, "%s: %s%s\r\n", name, scheme, controls[i]), 400,
			"bad_request");
	refuse_header(world, header, textf(world, "%s:\r\n", name), header->status, header->code);
	refuse_header(world, header,
		textf(world, "%s: %sa\r\n%s: %sb\r\n", name, scheme, name, scheme), header->status,
		header->code);
	char *lengthy = long_text(4000), *too_long = long_text(8200);
	refuse_header(world, header, textf(world, "%s: %s%s\r\n", name, scheme, lengthy),
		header->status, header->code);
	refuse_header(world, header, textf(world, "%s: %s%s\r\n", name, scheme, too_long), 431,
		"headers_too_large");
	free(lengthy);
	free(too_long);
}

Test(validation, every_header_with_every_wrong_value)
{
	struct world *world = world_open(NULL);
	char key[256];

	world_fill(world, 1, 1000, &(struct sale_options){.seats_per_row = 1, .queue = true});
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		refuse_headers(world, &headers[i]);
	const struct header *idempotency = &headers[1];
	memset(key, 'k', 255);
	key[255] = '\0';
	refuse_header(world, idempotency, textf(world, "Idempotency-Key: %sk\r\n", key), 400,
		"idempotency_key_required");
	refuse_header(world, idempotency, textf(world, "Idempotency-Key: \"%sk\"\r\n", key), 400,
		"idempotency_key_required");
	cr_assert(send_header(world, idempotency, textf(world, "Idempotency-Key: %s\r\n", key))
			  ->status == 201);
	struct answer *quoted = send_header(
		world, idempotency, textf(world, "Idempotency-Key: \"%s\"\r\n", key));
	cr_assert(answer_header_is(quoted, "idempotent-replayed", "true"), "it is the same key");
	world_close(world);
}

/* Twice is two tags; what is no tag matches nothing. */
Test(validation, if_none_match)
{
	struct world *world = world_open(NULL);
	char tag[64];

	world_fill(world, 0, 0, &(struct sale_options){.seats_per_row = 1});
	struct call call = {.method = "GET", .path = "/v1/performances/1/seats"};
	cr_assert(answer_header(expect(world, &call, 200, NULL), "etag", tag, sizeof tag));
	char *lengthy = long_text(4000);
	const struct {
		const char *lines;
		int status;
	} rows[] = {
		{textf(world, "If-None-Match: %s\r\n", tag), 304},
		{textf(world, "If-None-Match: W/%s\r\n", tag), 304},
		{textf(world, "If-None-Match: \"a\", %s\r\n", tag), 304},
		{textf(world, "If-None-Match: \"a\"\r\nIf-None-Match: %s\r\n", tag), 304},
		{"If-None-Match: *\r\n", 304},
		{"If-None-Match:\r\n", 200},
		{"If-None-Match: \"a\"\r\n", 200},
		{"If-None-Match: \"\xe2\x98\x83\"\r\n", 200},
		{textf(world, "If-None-Match: %s\r\n", lengthy), 200},
		{"If-None-Match: a\x01\r\n", 400},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		call.headers = rows[i].lines;
		struct answer *answer = world_call(world, &call);
		cr_assert(
			answer->status == rows[i].status, "%s: %d", rows[i].lines, answer->status);
	}
	free(lengthy);
	world_close(world);
}
