/* A request's first steps: route, guard, flow. */
#include "server/route.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/http.h"
#include "proto/jwt.h"
#include "server/flow.h"
#include "server/flows.h"

enum guard { GUARD_NONE, GUARD_USER, GUARD_ADMIN };

/* {} stands for an id: a positive decimal number. */
static const struct route {
	enum http_method method;
	const char *path;
	enum guard guard;
	void (*start)(const struct request *request);
} routes[] = {
	{HTTP_GET, "/v1/queue", GUARD_NONE, poll_start},
	{HTTP_DELETE, "/v1/queue", GUARD_NONE, leave_start},
	{HTTP_POST, "/v1/reservations", GUARD_USER, hold_start},
	{HTTP_GET, "/v1/reservations/{}", GUARD_USER, reservation_start},
	{HTTP_DELETE, "/v1/reservations/{}", GUARD_USER, cancel_start},
	{HTTP_POST, "/v1/reservations/{}/payment", GUARD_USER, pay_start},
	{HTTP_POST, "/v1/events/{}/queue", GUARD_USER, join_start},
	{HTTP_GET, "/v1/events/{}/queue", GUARD_NONE, line_status_start},
	{HTTP_GET, "/v1/performances/{}/seats", GUARD_NONE, seats_start},
	{HTTP_GET, "/v1/performances/{}/seats/status", GUARD_NONE, seats_status_start},
	{HTTP_GET, "/v1/events", GUARD_NONE, events_start},
	{HTTP_GET, "/v1/events/{}", GUARD_NONE, event_start},
	{HTTP_GET, "/v1/events/{}/performances", GUARD_NONE, performances_start},
	{HTTP_POST, "/v1/sessions", GUARD_NONE, login_start},
	{HTTP_GET, "/v1/me/balance", GUARD_USER, balance_start},
	{HTTP_POST, "/v1/me/balance/charges", GUARD_USER, charge_start},
	{HTTP_POST, "/v1/admin/events", GUARD_ADMIN, admin_event_start},
	{HTTP_POST, "/v1/admin/events/{}/performances", GUARD_ADMIN, admin_performance_start},
	{HTTP_PUT, "/v1/admin/events/{}/queue", GUARD_ADMIN, admin_queue_start},
	{HTTP_GET, "/livez", GUARD_NONE, livez_start},
	{HTTP_GET, "/readyz", GUARD_NONE, readyz_start},
	{HTTP_GET, "/metrics", GUARD_NONE, metrics_start},
	{HTTP_GET, "/openapi.yaml", GUARD_NONE, openapi_start},
	{HTTP_GET, "/docs", GUARD_NONE, docs_start},
	{HTTP_GET, "/docs/docs.js", GUARD_NONE, docs_script_start},
	{HTTP_GET, "/docs/swagger-ui.css", GUARD_NONE, docs_style_start},
	{HTTP_GET, "/docs/swagger-ui-bundle.js", GUARD_NONE, docs_bundle_start},
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
	static const char sane[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	static const char hex[] = "0123456789abcdef";
	unsigned char random[12];

	if (sent != NULL) {
		size_t len = strlen(sent);
		if (len > 0 && len < REQUEST_ID_SIZE && strspn(sent, sane) == len) {
			memcpy(id, sent, len + 1);
			return;
		}
	}
	randombytes_buf(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++) {
		id[2 * i] = hex[random[i] >> 4];
		id[2 * i + 1] = hex[random[i] & 15];
	}
	id[2 * sizeof random] = '\0';
}

/* 405 names what the path allows; the text is bounded by the methods there are. */
static void refuse_method(struct request *request, unsigned allowed)
{
	char headers[96];

	snprintf(headers, sizeof headers, "Allow: %s%s%s%s\r\n",
		allowed & HTTP_GET ? "GET, HEAD, " : "", allowed & HTTP_POST ? "POST, " : "",
		allowed & HTTP_PUT ? "PUT, " : "", allowed & HTTP_DELETE ? "DELETE, " : "");
	char *last = strrchr(headers, ',');
	CHECK(last != NULL);
	memcpy(last, "\r\n", 3);
	request_fail(request->conn, request->id, false, PROBLEM_METHOD_NOT_ALLOWED, headers);
}

/* Who asks. False where the guard refused; the request was answered. */
static bool pass_guard(struct request *request, enum guard guard)
{
	struct app *app = request->app;
	const char *authorization = http_header(request->parser, "authorization");
	struct access_token token;

	if (guard == GUARD_NONE)
		return true;
	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0 ||
		!access_token_verify(
			app->access_token_key, authorization + 7, clock_unix_ms() / 1000, &token)) {
		request_fail(request->conn, request->id, false, PROBLEM_UNAUTHORIZED,
			"WWW-Authenticate: Bearer\r\n");
		return false;
	}
	if (guard == GUARD_ADMIN && !token.admin) {
		request_fail(request->conn, request->id, false, PROBLEM_FORBIDDEN, NULL);
		return false;
	}
	request->user_id = token.user_id;
	request->admin = token.admin;
	return true;
}

void route_request(struct app *app, struct conn *conn, struct http_parser *parser)
{
	const struct http_request *http = http_parser_request(parser);
	char id[REQUEST_ID_SIZE];
	struct request request = {
		.app = app, .conn = conn, .http = http, .parser = parser, .id = id};
	unsigned method = http->method == HTTP_HEAD ? HTTP_GET : http->method;
	unsigned allowed = 0;

	app->counters.requests++;
	request_id_make(http_header(parser, "x-request-id"), id);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *route = &routes[i];

		if (!path_matches(route->path, http->path, request.path_ids))
			continue;
		allowed |= route->method;
		if (route->method != method)
			continue;
		if (pass_guard(&request, route->guard))
			route->start(&request);
		return;
	}
	if (allowed != 0)
		refuse_method(&request, allowed);
	else
		request_fail(conn, id, false, PROBLEM_NOT_FOUND, NULL);
}

void routes_print(FILE *out)
{
	static const char *const guards[] = {
		[GUARD_NONE] = "none", [GUARD_USER] = "user", [GUARD_ADMIN] = "admin"};

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		fprintf(out, "%s %s %s\n", http_method_name(routes[i].method), routes[i].path,
			guards[routes[i].guard]);
}
