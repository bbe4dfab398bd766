/* The contract's rows on operators: events, performances, a line's settings; and who may not. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { IN_FORCE_LIMIT_MS = 2000 };

TestSuite(contract_operators, .timeout = 60);

static const char event_body[] =
	"{\"title\":\"Night \\u2603\",\"venue\":\"Hall\",\"sale_opens_at\":\"2026-01-01T01:00:00+01:00\","
	"\"queue\":{\"enabled\":true,\"capacity\":7,\"admit_per_second\":3,\"pass_ttl_seconds\":90,"
	"\"abandon_after_seconds\":45}}";
static const char performance_body[] =
	"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":["
	"{\"name\":\"Stalls\",\"rows\":2,\"seats_per_row\":3,\"price\":900},"
	"{\"name\":\"Balcony\",\"rows\":1,\"seats_per_row\":4,\"price\":500}]}";

static struct answer *as_operator(struct world *world, const char *method, const char *path,
	const char *body, int status, const char *code)
{
	struct call call = {
		.method = method, .path = path, .jwt = world->admins.list[0].jwt, .body = body};

	return expect(world, &call, status, code);
}

static int64_t queue_int(const json_t *queue, const char *member)
{
	return json_integer_value(json_object_get(queue, member));
}

Test(contract_operators, create_an_event)
{
	struct world *world = world_open(NULL);
	struct answer *answer = as_operator(
		world, "POST", "/v1/admin/events", event_body, 201, NULL);
	const json_t *queue = json_object_get(answer_json(answer), "queue");

	cr_assert(answer_int(answer, "id") > 0 && answer_is(answer, "title", "Night \u2603") &&
		  answer_is(answer, "venue", "Hall") &&
		  answer_is(answer, "sale_opens_at", "2026-01-01T00:00:00.000Z"));
	cr_assert(json_is_true(json_object_get(queue, "enabled")) &&
		  queue_int(queue, "capacity") == 7 && queue_int(queue, "admit_per_second") == 3 &&
		  queue_int(queue, "pass_ttl_seconds") == 90 &&
		  queue_int(queue, "abandon_after_seconds") == 45);
	struct call see = {.method = "GET",
		.path = textf(world, "/v1/events/%lld", (long long)answer_int(answer, "id"))};
	cr_assert(answer_is(expect(world, &see, 200, NULL), "title", "Night \u2603"));
	static const char *const wrong[] = {"{}", "{\"title\":\"x\"}",
		"{\"title\":\"\",\"venue\":\"x\"}",
		"{\"title\":\"x\",\"venue\":\"y\",\"sale_opens_at\":\"tomorrow\"}",
		"{\"title\":\"x\",\"venue\":\"y\",\"queue\":[]}",
		"{\"title\":\"x\",\"venue\":\"y\",\"queue\":{\"capacity\":0}}",
		"{\"title\":\"x\",\"venue\":\"y\",\"queue\":{\"enabled\":1}}",
		"{\"title\":\"x\",\"venue\":\"y\",\"queue\":{\"abandon_after_seconds\":1}}"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		as_operator(world, "POST", "/v1/admin/events", wrong[i], 422, "validation_failed");
	world_close(world);
}

Test(contract_operators, create_a_performance)
{
	struct world *world = world_open(NULL);
	int64_t event = answer_int(
		as_operator(world, "POST", "/v1/admin/events", event_body, 201, NULL), "id");
	const char *path = textf(world, "/v1/admin/events/%lld/performances", (long long)event);
	struct answer *answer = as_operator(world, "POST", path, performance_body, 201, NULL);

	cr_assert(answer_int(answer, "id") > 0 && answer_int(answer, "seats_total") == 10);
	as_operator(world, "POST", "/v1/admin/events/999999/performances", performance_body, 404,
		"event_not_found");
	static const char *const wrong[] = {"{}", "{\"starts_at\":\"2030-06-01T19:30:00Z\"}",
		"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":[]}",
		"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":[7]}",
		"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":[{\"name\":\"A\",\"rows\":0,"
		"\"seats_per_row\":1,\"price\":1}]}",
		"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":[{\"name\":\"A\",\"rows\":1,"
		"\"seats_per_row\":1,\"price\":-1}]}",
		"{\"starts_at\":\"2030-06-01T19:30:00Z\",\"sections\":[{\"name\":\"A\",\"rows\":1000,"
		"\"seats_per_row\":1000,\"price\":1}]}"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		as_operator(world, "POST", path, wrong[i], 422, "validation_failed");
	world_close(world);
}

/* In force on every instance. */
struct setting {
	struct world *world;
	const char *path;
};

static bool is_in_force(void *context)
{
	const struct setting *setting = context;
	struct call call = {.method = "GET", .path = setting->path};
	struct answer *answer = expect_at(setting->world, 1, &call, 200, NULL);

	return answer_int(answer, "capacity") == 33 &&
	       json_is_true(json_object_get(answer_json(answer), "paused")) &&
	       json_string_value(json_object_get(answer_json(answer), "message")) != NULL;
}

Test(contract_operators, change_a_line)
{
	struct world *world = world_open(&(struct world_options){.instances = 2});

	world_fill(world, 0, 0, &(struct sale_options){.queue = true, .pass_ttl_seconds = 77});
	const char *path = textf(
		world, "/v1/admin/events/%lld/queue", (long long)world->sale.event_id);
	struct answer *answer = as_operator(world, "PUT", path,
		"{\"capacity\":33,\"paused\":true,\"message\":\"A \\\"break\\\"\"}", 200, NULL);
	cr_assert(answer_int(answer, "capacity") == 33 &&
		  answer_int(answer, "pass_ttl_seconds") == 77 &&
		  answer_is(answer, "message", "A \"break\"") &&
		  json_is_true(json_object_get(answer_json(answer), "paused")));
	struct setting setting = {
		world, textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
	cr_assert(wait_until(is_in_force, &setting, IN_FORCE_LIMIT_MS));
	as_operator(world, "PUT", "/v1/admin/events/999999/queue", "{\"capacity\":1}", 404,
		"event_not_found");
	as_operator(world, "PUT", path, "{\"capacity\":-1}", 422, "validation_failed");
	as_operator(world, "PUT", path, "{\"paused\":\"yes\"}", 422, "validation_failed");
	world_close(world);
}

Test(contract_operators, others_may_not)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 0, &(struct sale_options){0});
	long long event = (long long)world->sale.event_id;
	struct call calls[] = {
		{.method = "POST", .path = "/v1/admin/events", .body = event_body},
		{.method = "POST",
			.path = textf(world, "/v1/admin/events/%lld/performances", event),
			.body = performance_body},
		{.method = "PUT",
			.path = textf(world, "/v1/admin/events/%lld/queue", event),
			.body = "{}"},
		{.method = "GET", .path = textf(world, "/v1/admin/events/%lld/stats", event)},
		{.method = "GET", .path = "/v1/admin/audit"},
	};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		expect(world, &calls[i], 401, "unauthorized");
		calls[i].jwt = world->people.list[0].jwt;
		expect(world, &calls[i], 403, "forbidden");
	}
	cr_assert(database_i64(world->db, "SELECT count(*) FROM events", 0, NULL) == 1);
	world_close(world);
}

Test(contract_operators, stats_and_audit)
{
	static const char *const numbers[] = {"event_id", "waiting", "active", "holding", "joined",
		"admitted", "abandoned", "held", "sold", "revenue"};
	static const char *const counts[] = {"double_sold", "negative_balances", "ledger_imbalance",
		"orphan_holds", "unpublished_events"};
	struct world *world = world_open(NULL);

	world_fill(world, 0, 0, &(struct sale_options){0});
	const char *path = textf(
		world, "/v1/admin/events/%lld/stats", (long long)world->sale.event_id);
	struct answer *answer = as_operator(world, "GET", path, NULL, 200, NULL);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		cr_assert(answer_int(answer, numbers[i]) == (i == 0 ? world->sale.event_id : 0));
	as_operator(world, "GET", "/v1/admin/events/999999/stats", NULL, 404, "event_not_found");
	answer = as_operator(world, "GET", "/v1/admin/audit", NULL, 200, NULL);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		cr_assert(answer_int(answer, counts[i]) == 0);
	cr_assert(strlen(answer_text(answer, "checked_at")) == strlen("2026-01-01T00:00:00.000Z"));
	world_close(world);
}

static int64_t admitted(struct world *world)
{
	struct call call = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};

	return answer_is(world_call(world, &call), "status", "admitted");
}

static bool is_admitted(void *context)
{
	return admitted(context);
}

/* A paused line admits nobody, and goes on where it stopped. */
Test(contract_operators, pause_and_go_on)
{
	struct world *world = world_open(&(struct world_options){.flags = {"--queue.tick_ms=20"}});

	world_fill(world, 1, 0, &(struct sale_options){.queue = true});
	const char *path = textf(
		world, "/v1/admin/events/%lld/queue", (long long)world->sale.event_id);
	as_operator(world, "PUT", path, "{\"paused\":true}", 200, NULL);
	cr_assert(!wait_until(is_admitted, world, 500), "admitted while the line is paused");
	as_operator(world, "PUT", path, "{\"paused\":false}", 200, NULL);
	cr_assert(wait_until(is_admitted, world, 10000));
	world_close(world);
}
