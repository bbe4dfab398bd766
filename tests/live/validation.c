/* Every field of every body, with every kind of wrong value: 422 that names the field, and nothing changes.
 * A row is a field; the values follow from its kind. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/world.h"

TestSuite(validation, .timeout = 120);

enum kind { TEXT, INTEGER, BOOLEAN, TIME, IDS, OBJECT, OBJECTS };
enum need { REQUIRED, OPTIONAL };

/* Where a body goes, and one that is right but for the field at test; %lld: the id of what it is about. */
static const struct target {
	const char *method, *path, *body;
	bool operator_s, keyed;
} targets[] = {
	{"POST", "/v1/sessions", "{\"email\":\"nobody@onsale.test\",\"password\":\"long enough\"}",
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
enum { LOG_IN, CHARGE, HOLD, HOLD_QUANTITY, PAY, EVENT, PERFORMANCE, LINE };

static const struct field {
	unsigned target;
	const char *name; /* as errors name it: "a", "a.b" or "a[0].b" */
	enum kind kind;
	enum need need;
	int64_t min, max; /* of a number; or a text's length */
} fields[] = {
	{LOG_IN, "email", TEXT, REQUIRED, 1, 254},
	{LOG_IN, "password", TEXT, REQUIRED, 1, 256},
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

/* value: owned by this call; NULL leaves the member out. */
static void refuse(struct world *world, const struct field *field, json_t *value)
{
	const struct target *target = &targets[field->target];
	json_t *body = json_loads(target->body, 0, NULL);
	const char *member;
	json_t *holder = holder_of(body, field->name, &member);

	if (value != NULL)
		json_object_set_new(holder, member, value);
	else
		json_object_del(holder, member);
	char *text = json_dumps(body, JSON_COMPACT);
	struct call call = {.method = target->method,
		.path = target->path,
		.jwt = target->operator_s ? world->admins.list[0].jwt : world->people.list[0].jwt,
		.key = target->keyed ? "validation" : NULL,
		.body = text};
	struct answer *answer = expect(world, &call, 422, "validation_failed");
	cr_assert(names_field(answer, field->name), "%s: %s: %s", field->name, text, answer->body);
	free(text);
	json_decref(body);
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
	if (field->kind != TEXT)
		refuse(world, field, json_string("1"));
	if (field->kind != IDS && field->kind != OBJECTS)
		refuse(world, field, json_array());
	if (field->kind != OBJECT)
		refuse(world, field, json_object());
	refuse(world, field, json_real(1.5));
	refuse(world, field, json_real(1.0)); /* written 1.0: not an integer either */
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

/* What is not JSON is told apart from what is wrong in it, whatever the call. */
Test(validation, bodies_that_are_no_object)
{
	static const char *const bodies[] = {"", " ", "{", "}", "[]", "1", "null", "\"x\"",
		"{\"a\":}", "{'a':1}", "{\"a\":1,}", "{\"a\":1}{}", "{\"a\":1,\"a\":2}",
		"{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}", "{\"a\":01}", "{\"a\":1e999}",
		"{\"a\":99999999999999999999}", "\xef\xbb\xbf{}"};
	struct world *world = world_open(NULL);

	world_fill(world, 1, 1000, &(struct sale_options){.seats_per_row = 1});
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		const struct target *target = &targets[i];
		struct call call = {.method = target->method,
			.path = target->path,
			.jwt = target->operator_s ? world->admins.list[0].jwt
						  : world->people.list[0].jwt,
			.key = target->keyed ? "validation" : NULL};
		for (size_t j = i == PAY ? 1 : 0; j < ARRAY_LEN(bodies); j++) {
			call.body = bodies[j];
			expect(world, &call, 400, "malformed_json");
		}
	}
	world_close(world);
}
