/* What holds for every call: paths and methods, bodies, request ids, the shape of problems, health. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
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

/* --- every route there is --- */

enum { ROUTES_MAX = 128 };

struct route {
	char method[16], path[128], guard[16];
};

/* As `onsale routes` prints them, with 1 for each id. */
static size_t read_routes(struct route routes[ROUTES_MAX])
{
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "routes", NULL};
	struct buf out = BUF_INIT(PROCESS_OUTPUT_MAX);
	size_t count = 0;
	char *rest;

	cr_assert(process_run(argv, NULL, NULL, &out) == 0);
	for (char *line = strtok_r(out.data, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		struct route *route = &routes[count++];
		cr_assert(count <= ROUTES_MAX);
		cr_assert(sscanf(line, "%15s %127s %15s", route->method, route->path,
				  route->guard) == 3);
		for (char *id; (id = strstr(route->path, "{}")) != NULL;) {
			*id = '1';
			memmove(id + 1, id + 2, strlen(id + 2) + 1);
		}
	}
	buf_free(&out);
	cr_assert(count > 20);
	return count;
}

/* What Allow says of a path: its methods in the one order, a HEAD for each GET. */
static const char *methods_of(
	struct world *world, const struct route *routes, size_t count, const char *path)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
	const char *allow = "";

	for (size_t m = 0; m < ARRAY_LEN(methods); m++)
		for (size_t i = 0; i < count; i++)
			if (strcmp(routes[i].path, path) == 0 &&
				strcmp(routes[i].method, methods[m]) == 0)
				allow = textf(world, "%s%s%s, ", allow, methods[m],
					m == 0 ? ", HEAD" : "");
	return textf(world, "%sOPTIONS", allow);
}

/* No header stands twice, but Vary, which is a list. */
static void check_once(struct answer *answer, const char *path)
{
	char *head = must_strdup(answer->head), *lines[64], *rest;
	size_t count = 0;

	for (char *line = strtok_r(head, "\r\n", &rest); line != NULL;
		line = strtok_r(NULL, "\r\n", &rest)) {
		size_t len = strcspn(line, ":");
		for (size_t i = 0; i < count && strncmp(line, "Vary", 4) != 0; i++)
			cr_assert(strncmp(lines[i], line, len + 1) != 0, "%s: %s", path, line);
		cr_assert(count < ARRAY_LEN(lines));
		lines[count++] = line;
	}
	free(head);
}

/* HEAD says what GET says, and sends no body. */
static void check_head(struct world *world, const char *path)
{
	static const char *const same[] = {"content-type", "cache-control", "etag", "vary"};
	struct call call = {.method = "GET", .path = path, .jwt = world->admins.list[0].jwt};
	struct answer *get = world_call(world, &call);

	call.method = "HEAD";
	struct answer *head = world_call(world, &call);
	check_once(get, path);
	cr_assert(head->status == get->status && head->body_len == 0, "%s: %d %d", path,
		get->status, head->status);
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		char of_get[128] = "", of_head[128] = "";
		answer_header(get, same[i], of_get, sizeof of_get);
		answer_header(head, same[i], of_head, sizeof of_head);
		cr_assert_str_eq(of_head, of_get, "%s: %s", path, same[i]);
	}
}

Test(contract_http, options_and_head)
{
	struct route routes[ROUTES_MAX];
	struct world *world = world_open(NULL);
	size_t count = read_routes(routes);

	world_fill(world, 1, 0, &(struct sale_options){.queue = true});
	for (size_t i = 0; i < count; i++) {
		const char *path = routes[i].path;
		struct call call = {.method = "OPTIONS", .path = path};
		struct answer *answer = expect(world, &call, 204, NULL);
		cr_assert(answer_header_is(answer, "allow", methods_of(world, routes, count, path)),
			"%s: %s", path, answer->head);
		/* A stream's GET has no end: contract_push.c looks at its head. */
		if (strcmp(routes[i].method, "GET") == 0 && strstr(path, "/1/live") == NULL)
			check_head(world, path);
	}
	struct call all = {.method = "OPTIONS", .path = "*"};
	cr_assert(answer_header_is(
		expect(world, &all, 204, NULL), "allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS"));
	expect(world, &(struct call){.method = "OPTIONS", .path = "/v1/nothing"}, 404, "not_found");
	world_close(world);
}

/* Who may call what: nobody is told more than that before it is known who asks. */
Test(contract_http, guards)
{
	struct route routes[ROUTES_MAX];
	struct world *world = world_open(NULL);
	size_t count = read_routes(routes);

	world_people(world, &world->people, 1, 0);
	for (size_t i = 0; i < count; i++) {
		struct call call = {.method = routes[i].method, .path = routes[i].path};
		bool admin = strcmp(routes[i].guard, "admin") == 0;
		cr_assert(admin == (strncmp(call.path, "/v1/admin/", 10) == 0), "%s", call.path);
		if (strcmp(routes[i].guard, "none") == 0)
			continue;
		struct answer *answer = expect(world, &call, 401, "unauthorized");
		cr_assert(answer_header_is(answer, "www-authenticate", "Bearer"));
		call.jwt = "forged";
		expect(world, &call, 401, "unauthorized");
		if (!admin)
			continue;
		call.jwt = world->people.list[0].jwt;
		expect(world, &call, 403, "forbidden");
	}
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

/* Its scripts run, and still do when the browser asks whether it has changed. */
Test(contract_http, policy_of_the_page)
{
	struct world *world = world_open(NULL);
	char tag[64], policy[512], again[512];
	struct call call = {.method = "GET", .path = "/docs"};
	struct answer *answer = expect(world, &call, 200, NULL);

	cr_assert(answer_header(answer, "etag", tag, sizeof tag) &&
		  answer_header(answer, "content-security-policy", policy, sizeof policy));
	cr_assert(strstr(policy, "script-src 'self'") != NULL, "%s", policy);
	call.headers = textf(world, "If-None-Match: %s\r\n", tag);
	answer = expect(world, &call, 304, NULL);
	check_once(answer, call.path);
	cr_assert(answer_header(answer, "content-security-policy", again, sizeof again));
	cr_assert_str_eq(again, policy);
	call = (struct call){.method = "GET", .path = "/openapi.yaml"};
	cr_assert(answer_header_is(
		expect(world, &call, 200, NULL), "content-security-policy", "default-src 'none'"));
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
	static const char exposed[] =
		"Age, Allow, Cache-Status, ETag, Idempotent-Replayed, RateLimit, RateLimit-Policy, "
		"Retry-After, WWW-Authenticate, X-Request-Id";
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
	cr_assert(strstr(answer->body, "\nonsale_requests_total{") != NULL);
	world_close(world);
}
