/* What holds for every call: paths and methods, bodies, request ids, the shape of problems, health. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/process.h"
#include "tests/support/world.h"

TestSuite(contract_http, .timeout = 60);

Test(contract_http, paths_and_methods)
{
	struct world *world = world_open(NULL);
	static const struct {
		const char *method, *path;
		int status;
		const char *code, *allow;
	} rows[] = {
		{"GET", "/v1/nothing", 404, "not_found", NULL},
		{"GET", "/v1/events/", 404, "not_found", NULL},
		{"GET", "/v1/events/1x", 404, "not_found", NULL},
		{"POST", "/v1/events", 405, "method_not_allowed", "GET, HEAD, OPTIONS"},
		{"PUT", "/v1/queue", 405, "method_not_allowed", "GET, HEAD, DELETE, OPTIONS"},
		{"GET", "/v1/sessions", 405, "method_not_allowed", "POST, OPTIONS"},
		{"GET", "/v1/sessions/current", 405, "method_not_allowed", "DELETE, OPTIONS"},
		{"GET", "/v1/users", 405, "method_not_allowed", "POST, OPTIONS"},
		{"PATCH", "/v1/reservations/1", 405, "method_not_allowed",
			"GET, HEAD, DELETE, OPTIONS"},
		{"GET", "/v1/reservations/1/payment", 405, "method_not_allowed", "POST, OPTIONS"},
		{"DELETE", "/v1/events/1/queue", 405, "method_not_allowed",
			"GET, HEAD, POST, OPTIONS"},
		{"GET", "/v1/admin/events/1/queue", 405, "method_not_allowed", "PUT, OPTIONS"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call call = {.method = rows[i].method, .path = rows[i].path};
		struct answer *answer = expect(world, &call, rows[i].status, rows[i].code);
		char allow[64] = "";
		cr_assert(answer_header(answer, "allow", allow, sizeof allow) ==
			  (rows[i].allow != NULL));
		cr_assert_str_eq(
			allow, rows[i].allow != NULL ? rows[i].allow : "", "%s", rows[i].path);
	}
	world_close(world);
}

/* What a path allows, and the same as GET without its body. */
Test(contract_http, options_and_head)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 0, &(struct sale_options){.queue = true});
	int64_t event = world->sale.event_id, performance = world->sale.performance_id;
	const struct {
		const char *path, *allow;
	} rows[] = {
		{"/v1/queue", "GET, HEAD, DELETE, OPTIONS"},
		{"/v1/reservations", "GET, HEAD, POST, OPTIONS"},
		{"/v1/reservations/1", "GET, HEAD, DELETE, OPTIONS"},
		{"/v1/reservations/1/payment", "POST, OPTIONS"},
		{textf(world, "/v1/events/%lld/queue", (long long)event),
			"GET, HEAD, POST, OPTIONS"},
		{textf(world, "/v1/performances/%lld/seats", (long long)performance),
			"GET, HEAD, OPTIONS"},
		{textf(world, "/v1/performances/%lld/seats/status", (long long)performance),
			"GET, HEAD, OPTIONS"},
		{"/v1/events", "GET, HEAD, OPTIONS"},
		{textf(world, "/v1/events/%lld", (long long)event), "GET, HEAD, OPTIONS"},
		{textf(world, "/v1/events/%lld/performances", (long long)event),
			"GET, HEAD, OPTIONS"},
		{"/v1/sessions", "POST, OPTIONS"},
		{"/v1/me/balance", "GET, HEAD, OPTIONS"},
		{"/v1/me/balance/charges", "POST, OPTIONS"},
		{"/v1/admin/events", "POST, OPTIONS"},
		{"/v1/admin/events/1/performances", "POST, OPTIONS"},
		{"/v1/admin/events/1/queue", "PUT, OPTIONS"},
		{textf(world, "/v1/admin/events/%lld/stats", (long long)event),
			"GET, HEAD, OPTIONS"},
		{"/v1/admin/audit", "GET, HEAD, OPTIONS"},
		{"/livez", "GET, HEAD, OPTIONS"},
		{"/readyz", "GET, HEAD, OPTIONS"},
		{"/metrics", "GET, HEAD, OPTIONS"},
		{"*", "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call call = {.method = "OPTIONS", .path = rows[i].path};
		struct answer *answer = expect(world, &call, 204, NULL);
		cr_assert(answer_header_is(answer, "allow", rows[i].allow), "%s", rows[i].path);
		if (strncmp(rows[i].allow, "GET, HEAD, ", 11) != 0 || i == ARRAY_LEN(rows) - 1)
			continue;
		call.jwt = world->admins.list[0].jwt;
		call.method = "GET";
		struct answer *get = world_call(world, &call);
		call.method = "HEAD";
		struct answer *head = world_call(world, &call);
		char get_type[64] = "", head_type[64] = "";
		answer_header(get, "content-type", get_type, sizeof get_type);
		answer_header(head, "content-type", head_type, sizeof head_type);
		cr_assert(head->status == get->status && head->body_len == 0, "%s", rows[i].path);
		cr_assert_str_eq(head_type, get_type);
	}
	expect(world, &(struct call){.method = "OPTIONS", .path = "/v1/nothing"}, 404, "not_found");
	world_close(world);
}

Test(contract_http, what_browsers_may_not_do)
{
	static const char *const paths[] = {"/livez", "/v1/events", "/v1/nothing", "/v1/queue"};
	struct world *world = world_open(NULL);

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct call call = {.method = "GET",
			.path = paths[i],
			.headers = "Origin: https://shop.example\r\n"};
		struct answer *answer = world_call(world, &call);
		char value[64];

		cr_assert(
			answer_header_is(answer, "x-content-type-options", "nosniff") &&
			answer_header_is(answer, "referrer-policy", "no-referrer") &&
			answer_header_is(answer, "x-frame-options", "DENY") &&
			answer_header_is(answer, "content-security-policy", "default-src 'none'"));
		cr_assert(
			!answer_header(answer, "access-control-allow-origin", value, sizeof value));
		cr_assert(!answer_header(answer, "vary", value, sizeof value));
	}
	world_close(world);
}

static void check_preflight(struct world *world, const char *origin, bool allowed)
{
	struct call call = {.method = "OPTIONS",
		.path = "/v1/reservations/1",
		.headers = textf(world,
			"Origin: %s\r\nAccess-Control-Request-Method: DELETE\r\n"
			"Access-Control-Request-Headers: authorization\r\n",
			origin)};
	struct answer *answer = expect(world, &call, 204, NULL);
	char value[256];

	cr_assert(answer_header_is(answer, "vary", "Origin"));
	cr_assert(answer_header_is(answer, "access-control-allow-origin", origin) == allowed);
	cr_assert(answer_header_is(answer, "access-control-allow-methods",
			  "GET, HEAD, DELETE, OPTIONS") == allowed);
	bool names = answer_header(answer, "access-control-allow-headers", value, sizeof value);
	cr_assert(names == allowed && (!allowed || strstr(value, "Authorization") != NULL));
	cr_assert(answer_header_is(answer, "access-control-max-age", "600") == allowed);
}

Test(contract_http, other_origins)
{
	static const char exposed[] = "X-Request-Id, Idempotent-Replayed, Retry-After, ETag";
	static const struct {
		const char *path;
		int status;
	} rows[] = {{"/v1/events", 200}, {"/v1/nothing", 404}, {"/v1/me/balance", 401}};
	struct world *world = world_open(&(struct world_options){
		.flags = {"--http.cors_origins=https://shop.example, http://localhost:3000"}});

	check_preflight(world, "https://shop.example", true);
	check_preflight(world, "http://localhost:3000", true);
	check_preflight(world, "https://evil.example", false);
	check_preflight(world, "https://shop.example.evil", false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call call = {.method = "GET",
			.path = rows[i].path,
			.headers = "Origin: https://shop.example\r\n"};
		struct answer *answer = world_call(world, &call);
		char value[64];

		cr_assert(answer->status == rows[i].status);
		cr_assert(answer_header_is(
				  answer, "access-control-allow-origin", "https://shop.example") &&
			  answer_header_is(answer, "access-control-expose-headers", exposed) &&
			  answer_header_is(answer, "vary", "Origin"));
		call.headers = "Origin: https://evil.example\r\n";
		answer = world_call(world, &call);
		cr_assert(
			!answer_header(answer, "access-control-allow-origin", value, sizeof value));
		call.headers = NULL; /* a cache must not give this one to a page */
		cr_assert(answer_header_is(world_call(world, &call), "vary", "Origin"));
	}
	world_close(world);
}

static struct answer *send_typed(
	struct world *world, const char *type, const char *body, int status, const char *code)
{
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[0].jwt,
		.key = textf(world, "%s:%zu", type != NULL ? type : "none", strlen(body)),
		.headers = textf(world, "%s%s%sContent-Length: %zu\r\n\r\n%s",
			type != NULL ? "Content-Type: " : "", type != NULL ? type : "",
			type != NULL ? "\r\n" : "", strlen(body), body)};
	struct answer *answer = world_call(world, &call);

	cr_assert(answer->status == status, "%s %s: %d", type, body, answer->status);
	if (code != NULL)
		check_problem(answer, status, code);
	return answer;
}

Test(contract_http, bodies)
{
	struct world *world = world_open(NULL);
	static const char good[] = "{\"amount\":5}";

	world_people(world, &world->people, 1, 0);
	send_typed(world, "application/json; charset=utf-8", good, 201, NULL);
	send_typed(world, "Application/JSON", good, 201, NULL);
	send_typed(world, NULL, good, 415, "unsupported_media_type");
	send_typed(world, "text/plain", good, 415, "unsupported_media_type");
	send_typed(world, "application/jsonp", good, 415, "unsupported_media_type");
	static const char *const malformed[] = {"", "{", "{\"amount\":5}x", "{\"amount\":NaN}",
		"{'amount':5}", "\xff{\"amount\":5}", "{\"amount\":5,}"};
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
		send_typed(world, "application/json", malformed[i], 400, "malformed_json");
	static const char *const others[] = {
		"[1]", "null", "7", "\"amount\"", "{\"amount\":5,\"amount\":6}"};
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		send_typed(world, "application/json", others[i], 422, "validation_failed");
	send_typed(world, "application/json", "{\"amount\":5,\"a\":{\"amount\":1e999}}", 201, NULL);
	world_close(world);
}

Test(contract_http, sizes)
{
	struct world *world = world_open(NULL);
	char *big = malloc(70000);

	memset(big, ' ', 70000);
	big[66000] = '\0';
	struct call call = {.method = "POST",
		.path = "/v1/sessions",
		.headers = "X-Request-Id: mine\r\n",
		.body = big};
	struct answer *answer = expect(world, &call, 413, "body_too_large");
	cr_assert(answer_header_is(answer, "connection", "close") &&
		  answer_header_is(answer, "x-request-id", "mine"));
	big[65536 - 2] = '\0';
	call.body = textf(world, "{}%s", big); /* to the byte */
	expect(world, &call, 422, "validation_failed");
	memset(big, 'x', 9000);
	big[9000] = '\0';
	struct call long_head = {
		.method = "GET", .path = "/livez", .headers = textf(world, "X-Long: %s\r\n", big)};
	answer = expect(world, &long_head, 431, "headers_too_large");
	cr_assert(answer_header_is(answer, "connection", "close"));
	free(big);
	world_close(world);
}

Test(contract_http, request_ids)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "GET", .path = "/v1/events"};
	char first[256], second[256];

	call.headers = "X-Request-Id: my-own_Request.1\r\n";
	cr_assert(answer_header_is(
		expect(world, &call, 200, NULL), "x-request-id", "my-own_Request.1"));
	call.path = "/v1/nothing";
	struct answer *answer = expect(world, &call, 404, "not_found");
	cr_assert(answer_is(answer, "request_id", "my-own_Request.1"));
	call.headers = "X-Request-Id: \"<script>\"\r\n"; /* not a sane one */
	answer = expect(world, &call, 404, "not_found");
	cr_assert(strchr(answer_text(answer, "request_id"), '<') == NULL);
	call.headers = NULL;
	answer_header(expect(world, &call, 404, "not_found"), "x-request-id", first, sizeof first);
	answer_header(
		expect(world, &call, 404, "not_found"), "x-request-id", second, sizeof second);
	cr_assert_str_neq(first, second);
	world_close(world);
}

/* A replay gives the first reply's body, its request id included; the header is this request's own. */
Test(contract_http, request_id_of_a_replay)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 0, &(struct sale_options){.price = 1000});
	int64_t id = hold_seat(
		world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	struct call call = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};
	call.headers = "X-Request-Id: first\r\n";
	expect(world, &call, 402, "insufficient_balance");
	call.headers = "X-Request-Id: second\r\n";
	struct answer *answer = expect(world, &call, 402, "insufficient_balance");
	cr_assert(answer_header_is(answer, "idempotent-replayed", "true"));
	cr_assert(answer_header_is(answer, "x-request-id", "second") &&
		  answer_is(answer, "request_id", "first"));
	world_close(world);
}

Test(contract_http, health)
{
	struct world *world = world_open(NULL);

	expect(world, &(struct call){.method = "GET", .path = "/livez"}, 200, NULL);
	expect(world, &(struct call){.method = "GET", .path = "/readyz"}, 200, NULL);
	struct answer *answer = expect(
		world, &(struct call){.method = "GET", .path = "/metrics"}, 200, NULL);
	cr_assert(strstr(answer->body, "onsale_requests_total ") != NULL);
	world_close(world);
}
