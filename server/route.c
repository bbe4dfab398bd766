/* A request's first steps: route, who asks, guard, limit, flow. */
#include "server/route.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/cors.h"
#include "proto/header.h"
#include "proto/http.h"
#include "server/authenticate.h"
#include "server/client_address.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/identify.h"
#include "server/limits.h"
#include "server/net.h"
#include "server/revocations.h"
#include "server/shed.h"
#include "server/web_files.h"

enum guard { GUARD_NONE, GUARD_USER, GUARD_ADMIN };

/* {} stands for an id: a positive decimal number. */
static const struct route {
	enum http_method method;
	const char *path;
	enum guard guard;
	enum limit limit;
	enum priority priority;
	void (*start)(const struct request *request);
} routes[] = {
	{HTTP_GET, "/v1/queue", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, poll_start},
	{HTTP_GET, "/v1/queue/events", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, queue_events_start},
	{HTTP_DELETE, "/v1/queue", GUARD_NONE, LIMIT_NONE, PRIORITY_OPERATOR, leave_start},
	{HTTP_POST, "/v1/reservations", GUARD_USER, LIMIT_HOLD, PRIORITY_HOLD, hold_start},
	{HTTP_GET, "/v1/reservations", GUARD_USER, LIMIT_NONE, PRIORITY_ACCOUNT,
		reservations_start},
	{HTTP_GET, "/v1/reservations/{}", GUARD_USER, LIMIT_NONE, PRIORITY_HOLD, reservation_start},
	{HTTP_DELETE, "/v1/reservations/{}", GUARD_USER, LIMIT_NONE, PRIORITY_PAY, cancel_start},
	{HTTP_POST, "/v1/reservations/{}/payment", GUARD_USER, LIMIT_NONE, PRIORITY_PAY, pay_start},
	{HTTP_POST, "/v1/events/{}/queue", GUARD_USER, LIMIT_JOIN, PRIORITY_JOIN, join_start},
	{HTTP_GET, "/v1/events/{}/queue", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, line_status_start},
	{HTTP_GET, "/v1/performances/{}/seats", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, seats_start},
	{HTTP_GET, "/v1/performances/{}/seats/status", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL,
		seats_status_start},
	{HTTP_GET, "/v1/events", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, events_start},
	{HTTP_GET, "/v1/events/{}", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, event_start},
	{HTTP_GET, "/v1/events/{}/performances", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL,
		performances_start},
	{HTTP_GET, "/v1/events/{}/shuffle", GUARD_NONE, LIMIT_NONE, PRIORITY_POLL, shuffle_start},
	{HTTP_GET, "/v1/events/{}/shuffle/entrants", GUARD_NONE, LIMIT_NONE, PRIORITY_ACCOUNT,
		shuffle_entrants_start},
	{HTTP_POST, "/v1/users", GUARD_NONE, LIMIT_SIGNUP, PRIORITY_ACCOUNT, signup_start},
	{HTTP_GET, "/v1/users/challenge", GUARD_NONE, LIMIT_NONE, PRIORITY_ACCOUNT,
		challenge_start},
	{HTTP_POST, "/v1/sessions", GUARD_NONE, LIMIT_LOGIN, PRIORITY_ACCOUNT, login_start},
	{HTTP_DELETE, "/v1/sessions/current", GUARD_USER, LIMIT_NONE, PRIORITY_ACCOUNT,
		logout_start},
	{HTTP_GET, "/v1/me", GUARD_USER, LIMIT_NONE, PRIORITY_ACCOUNT, me_start},
	{HTTP_GET, "/v1/me/balance", GUARD_USER, LIMIT_NONE, PRIORITY_ACCOUNT, balance_start},
	{HTTP_POST, "/v1/me/balance/charges", GUARD_USER, LIMIT_NONE, PRIORITY_PAY, charge_start},
	{HTTP_GET, "/v1/me/ledger", GUARD_USER, LIMIT_NONE, PRIORITY_ACCOUNT, ledger_start},
	{HTTP_POST, "/v1/admin/events", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		admin_event_start},
	{HTTP_POST, "/v1/admin/events/{}/performances", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		admin_performance_start},
	{HTTP_PUT, "/v1/admin/events/{}/queue", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		admin_queue_start},
	{HTTP_GET, "/v1/admin/events/{}/stats", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		admin_stats_start},
	{HTTP_GET, "/v1/admin/events/{}/live", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		live_start},
	{HTTP_GET, "/v1/admin/audit", GUARD_ADMIN, LIMIT_NONE, PRIORITY_OPERATOR,
		admin_audit_start},
	{HTTP_GET, "/livez", GUARD_NONE, LIMIT_NONE, PRIORITY_OPERATOR, livez_start},
	{HTTP_GET, "/readyz", GUARD_NONE, LIMIT_NONE, PRIORITY_OPERATOR, readyz_start},
	{HTTP_GET, "/metrics", GUARD_NONE, LIMIT_NONE, PRIORITY_OPERATOR, metrics_start},
	{HTTP_GET, "/openapi.yaml", GUARD_NONE, LIMIT_NONE, PRIORITY_JOIN, openapi_start},
	{HTTP_GET, "/docs", GUARD_NONE, LIMIT_NONE, PRIORITY_JOIN, docs_start},
	{HTTP_GET, "/docs/docs.js", GUARD_NONE, LIMIT_NONE, PRIORITY_JOIN, docs_script_start},
	{HTTP_GET, "/docs/swagger-ui.css", GUARD_NONE, LIMIT_NONE, PRIORITY_JOIN, docs_style_start},
	{HTTP_GET, "/docs/swagger-ui-bundle.js", GUARD_NONE, LIMIT_NONE, PRIORITY_JOIN,
		docs_bundle_start},
};

/* Reads a positive decimal of at most 18 digits; NULL where it is not one. */
static const char *read_id(const char *text, int64_t *id)
{
	int64_t value = 0;
	int digits = 0;

	for (; *text >= '0' && *text <= '9'; text++, digits++) {
		if (digits == 18)
			return NULL;
		value = value * 10 + (*text - '0');
	}
	*id = value;
	return digits > 0 && value > 0 ? text : NULL;
}

static bool path_matches(const char *pattern, const char *path, int64_t ids[2])
{
	int count = 0;

	while (*pattern != '\0') {
		if (pattern[0] == '{') {
			path = read_id(path, &ids[count++]);
			if (path == NULL)
				return false;
			pattern += 2;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

void request_id_make(const char *sent, char *id)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t random[3];

	if (header_request_id_ok(sent)) {
		strcpy(id, sent);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(random); i++)
		random[i] = randombytes_random();
	for (size_t i = 0; i < 2 * sizeof random; i++)
		id[i] = hex[random[i / 8] >> (i % 8 * 4) & 15];
	id[2 * sizeof random] = '\0';
}

/* --- methods --- */

enum { METHODS_SIZE = 64, ALL_METHODS = HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE };

/* "GET, HEAD, OPTIONS": what a path allows. */
static void write_methods(unsigned allowed, char methods[METHODS_SIZE])
{
	snprintf(methods, METHODS_SIZE, "%s%s%s%sOPTIONS", allowed & HTTP_GET ? "GET, HEAD, " : "",
		allowed & HTTP_POST ? "POST, " : "", allowed & HTTP_PUT ? "PUT, " : "",
		allowed & HTTP_DELETE ? "DELETE, " : "");
}

static void refuse_method(struct request *request, unsigned allowed)
{
	char methods[METHODS_SIZE], headers[METHODS_SIZE + 16];

	write_methods(allowed, methods);
	snprintf(headers, sizeof headers, "Allow: %s\r\n", methods);
	request_fail(request->conn, request->id, false, PROBLEM_METHOD_NOT_ALLOWED, headers);
}

/* A browser asks with OPTIONS, too, what a page of another origin may do (a preflight). */
static void reply_options(const struct request *request, unsigned allowed)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const char *origin = http_header(request->parser, "origin");
	char methods[METHODS_SIZE];
	struct buf headers = BUF_INIT(1024);

	if (flow == NULL)
		return;
	write_methods(allowed, methods);
	buf_printf(&headers, "Allow: %s\r\n", methods);
	if (http_header(request->parser, "access-control-request-method") != NULL &&
		cors_allows(request->app->settings.http_cors_origins, origin))
		cors_write_preflight(&headers, methods);
	flow_reply_empty(flow, 204, headers.data);
	buf_free(&headers);
}

/* --- guards --- */

static void refuse_token(const struct request *request)
{
	request_fail(request->conn, request->id, false, PROBLEM_UNAUTHORIZED,
		"WWW-Authenticate: Bearer\r\n");
}

/* Not too often: by the client's address and, where the call knows who asks, by person. False where it was; the
 * request was answered. */
static bool pass_limit(const struct request *request, enum limit limit)
{
	struct app *app = request->app;
	char headers[LIMIT_HEADERS_SIZE];
	struct limit_state state;

	if (limit == LIMIT_NONE || !limits_on(app->limits, limit))
		return true;
	struct address address = client_address(request);
	struct limit_key keys[] = {
		limit_key_address(limit, &address), limit_key_person(limit, request->user_id)};
	bool passed = limits_take(
		app->limits, limit, keys, request->user_id != 0 ? 2 : 1, clock_mono_ms(), &state);
	limit_headers(limit, &state, !passed, headers);
	if (passed) {
		conn_set_headers(request->conn, headers);
		return true;
	}
	app->counters.limited++;
	request_fail(request->conn, request->id, false, PROBLEM_RATE_LIMITED, headers);
	return false;
}

/* Whose token it is is known: whether it was logged out, and what its owner may do. False where the guard refused;
 * the request was answered. */
static bool pass_guard(const struct request *request, enum guard guard)
{
	struct app *app = request->app;

	if (revocations_have(app->revocations, request->token)) {
		refuse_token(request);
		return false;
	}
	if (!revocations_loaded(app->revocations)) { /* it may have been logged out */
		request_fail(request->conn, request->id, false, PROBLEM_UNAVAILABLE, NULL);
		return false;
	}
	if (guard == GUARD_ADMIN && !request->admin) {
		request_fail(request->conn, request->id, false, PROBLEM_FORBIDDEN, NULL);
		return false;
	}
	return true;
}

static void start(struct request *request, const struct route *route)
{
	conn_trail(request->conn)->user_id = request->user_id;
	if (route->guard != GUARD_NONE && !pass_guard(request, route->guard))
		return;
	if (pass_limit(request, route->limit))
		route->start(request);
}

/* Who asks? Mostly that is known at once. */
static void ask_who(struct request *request, const struct route *route)
{
	struct newcomer newcomer;

	switch (authenticate(request, &newcomer)) {
	case AUTHENTICATION_REFUSED: refuse_token(request); break;
	case AUTHENTICATION_DONE: start(request, route); break;
	case AUTHENTICATION_NEW: identify_start(request, &newcomer, route, start); break;
	}
}

/* --- */

void route_request(struct app *app, struct conn *conn, struct http_parser *parser)
{
	const struct http_request *http = http_parser_request(parser);
	char id[REQUEST_ID_SIZE];
	struct request request = {
		.app = app, .conn = conn, .http = http, .parser = parser, .id = id};
	unsigned method = http->method == HTTP_HEAD ? HTTP_GET : http->method;
	unsigned allowed = 0;

	request_id_make(http_header(parser, "x-request-id"), id);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *route = &routes[i];

		if (!path_matches(route->path, http->path, request.path_ids))
			continue;
		allowed |= route->method;
		if (route->method != method)
			continue;
		request.priority = route->priority;
		trail_routed(conn_trail(conn), ROUTE_TABLE + (unsigned)i);
		if (route->guard == GUARD_NONE)
			start(&request, route);
		else
			ask_who(&request, route);
		return;
	}
	const struct web_file *file = web_files_find(app->web_files, http->path);
	if (file != NULL && method == HTTP_GET) {
		trail_routed(conn_trail(conn), ROUTE_FILE);
		request.priority = PRIORITY_POLL; /* who waits may load the page again */
		web_file_start(&request, file);
		return;
	}
	if (file != NULL)
		allowed = HTTP_GET;
	if (http->method == HTTP_OPTIONS && strcmp(http->path, "*") == 0)
		allowed = ALL_METHODS;
	bool options = allowed != 0 && http->method == HTTP_OPTIONS;
	trail_routed(conn_trail(conn), options ? ROUTE_OPTIONS : ROUTE_UNKNOWN);
	if (options)
		reply_options(&request, allowed);
	else if (allowed != 0)
		refuse_method(&request, allowed);
	else
		request_fail(conn, id, false, PROBLEM_NOT_FOUND, NULL);
}

static const struct {
	const char *method, *path;
} no_routes[ROUTE_TABLE] = {[ROUTE_INVALID] = {"invalid", "invalid"},
	[ROUTE_UNKNOWN] = {"other", "unknown"},
	[ROUTE_OPTIONS] = {"OPTIONS", "any"},
	[ROUTE_FILE] = {"GET", "file"}};

unsigned route_count(void)
{
	return ROUTE_TABLE + (unsigned)ARRAY_LEN(routes);
}

const char *route_method(unsigned route)
{
	CHECK(route < route_count());
	return route < ROUTE_TABLE ? no_routes[route].method
				   : http_method_name(routes[route - ROUTE_TABLE].method);
}

const char *route_path(unsigned route)
{
	CHECK(route < route_count());
	return route < ROUTE_TABLE ? no_routes[route].path : routes[route - ROUTE_TABLE].path;
}

bool route_is_repeated(unsigned route)
{
	if (route < ROUTE_TABLE)
		return route == ROUTE_FILE;
	const struct route *row = &routes[route - ROUTE_TABLE];
	return row->method == HTTP_GET && row->guard == GUARD_NONE;
}

void routes_print(FILE *out)
{
	static const char *const guards[] = {
		[GUARD_NONE] = "none", [GUARD_USER] = "user", [GUARD_ADMIN] = "admin"};

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		fprintf(out, "%s %s %s\n", http_method_name(routes[i].method), routes[i].path,
			guards[routes[i].guard]);
}
