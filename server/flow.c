/* How a flow begins, reads its request and ends: the only way out of a flow is flow_end, once. */
#include "server/flow.h"

#include <stdlib.h>
#include <string.h>
#include "db/store.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "proto/json.h"
#include "proto/reply.h"
#include "server/net.h"
#include "server/stream.h"

enum { PROBLEM_BODY_MAX = 8 * 1024 };

/* Retry-After is in seconds (RFC 9110). */
static const char RETRY_AFTER[] = "Retry-After: 1\r\n";
static const char NO_STORE[] = "Cache-Control: no-store\r\n";
static const char JSON_TYPE[] = "application/json";
static const char PROBLEM_TYPE[] = "application/problem+json";

/* --- ends --- */

static void flow_free(struct flow *flow)
{
	flow->app->counters.in_flight--;
	flow->app->counters.in_work[flow->priority]--;
	if (flow->cleanup != NULL)
		flow->cleanup(flow);
	free(flow);
}

static void flow_end(struct flow *flow, struct reply *reply, enum problem problem, bool replayed)
{
	struct observation observation = {.trail = &flow->trail,
		.request_id = flow->request_id,
		.conn = flow->conn,
		.status = reply->status,
		.problem = problem,
		.body_len = reply->body_len,
		.replayed = replayed};

	CHECK(!flow->ended);
	flow->ended = true;
	if (flow->trail.begun_us !=
		0) /* what a stream tells after its first answer is no request */
		observe(flow->app->observer, &flow->trail, &observation);
	reply->request_id = flow->request_id;
	if (flow->stream != NULL)
		stream_answer(flow->stream, flow, reply);
	else if (flow->conn != NULL)
		conn_reply(flow->conn, reply);
	flow_free(flow);
}

void flow_release(struct flow *flow)
{
	CHECK(!flow->ended);
	flow->ended = true;
	if (flow->conn != NULL) {
		*conn_trail(flow->conn) = flow->trail;
		conn_set_flow(flow->conn, NULL);
	}
	flow_free(flow);
}

void flow_mark(struct flow *flow, enum trail_stage stage)
{
	trail_mark(&flow->trail, stage);
}

void flow_reply(struct flow *flow, int status, const char *content_type, const char *headers,
	const char *body, size_t len)
{
	struct reply reply = {.status = status,
		.content_type = content_type,
		.headers = headers,
		.body = body,
		.body_len = len};

	flow_end(flow, &reply, PROBLEM_COUNT, false);
}

void flow_reply_json(struct flow *flow, int status, const char *body, size_t len)
{
	flow_reply(flow, status, JSON_TYPE, NO_STORE, body, len);
}

void flow_reply_empty(struct flow *flow, int status, const char *headers)
{
	flow_reply(flow, status, NULL, headers, "", 0);
}

void flow_reply_stored(struct flow *flow, int status, const char *body, size_t len, bool replayed)
{
	bool refused = status >= 400;
	struct reply reply = {.status = status,
		.content_type = refused ? PROBLEM_TYPE : JSON_TYPE,
		.headers = replayed ? "Cache-Control: no-store\r\nIdempotent-Replayed: true\r\n"
				    : NO_STORE,
		.body = body,
		.body_len = len};

	flow->app->counters.replays += replayed;
	flow_end(flow, &reply, refused ? problem_of(body, len) : PROBLEM_COUNT, replayed);
}

static const char *problem_headers(enum problem problem, const char *headers)
{
	if (headers != NULL)
		return headers;
	int status = problem_status(problem);
	return status == 503 || status == 429 ? RETRY_AFTER : NULL;
}

void flow_fail_extra(
	struct flow *flow, enum problem problem, const char *extra, const char *headers)
{
	struct buf body = BUF_INIT(PROBLEM_BODY_MAX);

	problem_write(&body, problem, NULL, flow->request_id, extra);
	CHECK(!body.failed);
	struct reply reply = {.status = problem_status(problem),
		.content_type = PROBLEM_TYPE,
		.headers = problem_headers(problem, headers),
		.body = body.data,
		.body_len = body.len,
		.no_store = true};
	flow_end(flow, &reply, problem, false);
	buf_free(&body);
}

void flow_fail(struct flow *flow, enum problem problem)
{
	flow_fail_extra(flow, problem, NULL, NULL);
}

void flow_fail_validation(struct flow *flow, const struct json_errors *errors)
{
	struct buf extra = BUF_INIT(PROBLEM_BODY_MAX / 2);

	json_errors_write(errors, &extra);
	flow_fail_extra(flow, PROBLEM_VALIDATION_FAILED, extra.data, NULL);
	buf_free(&extra);
}

void flow_fail_db(struct flow *flow, enum db_result result)
{
	static const enum problem problems[] = {
		[DB_OK] = PROBLEM_INTERNAL,
		[DB_UNAVAILABLE] = PROBLEM_UNAVAILABLE,
		[DB_BUSY] = PROBLEM_BUSY,
		[DB_FAILED] = PROBLEM_INTERNAL,
		[DB_UNKNOWN] = PROBLEM_OUTCOME_UNKNOWN,
	};

	flow_fail(flow, problems[result]);
}

void flow_lose_client(struct flow *flow)
{
	flow->conn = NULL;
}

void flow_lose_stream(struct flow *flow)
{
	flow->stream = NULL;
}

void request_fail(struct conn *conn, const char *request_id, bool close, enum problem problem,
	const char *headers)
{
	struct buf body = BUF_INIT(PROBLEM_BODY_MAX);

	problem_write(&body, problem, NULL, request_id, NULL);
	CHECK(!body.failed);
	struct reply reply = {.status = problem_status(problem),
		.content_type = PROBLEM_TYPE,
		.headers = problem_headers(problem, headers),
		.request_id = request_id,
		.body = body.data,
		.body_len = body.len,
		.no_store = true, /* caches keep a 404 or a 410 unasked, for whoever asks next */
		.close = close};
	struct trail *trail = conn_trail(conn);
	struct observation observation = {.trail = trail,
		.request_id = request_id,
		.conn = conn,
		.status = reply.status,
		.problem = problem,
		.body_len = reply.body_len};
	observe(conn_observer(conn), trail, &observation);
	conn_reply(conn, &reply);
	buf_free(&body);
}

/* --- beginning --- */

void *flow_new(size_t size, const struct request *request)
{
	struct app *app = request->app;
	struct flow *flow = NULL;

	if (shed_admits(app, request->priority))
		flow = calloc(1, size);
	if (flow == NULL) {
		if (request->conn != NULL)
			request_fail(request->conn, request->id, false, PROBLEM_BUSY, NULL);
		if (request->stream != NULL)
			stream_refused(request->stream);
		return NULL;
	}
	flow->app = app;
	flow->conn = request->conn;
	flow->stream = request->stream;
	memcpy(flow->request_id, request->id, strlen(request->id) + 1);
	flow->priority = request->priority;
	if (flow->stream != NULL)
		stream_set_flow(flow->stream, flow);
	if (flow->conn != NULL) {
		flow->trail = *conn_trail(flow->conn);
		conn_set_flow(flow->conn, flow);
	}
	app->counters.in_work[flow->priority]++;
	if (++app->counters.in_flight > app->counters.in_flight_peak)
		app->counters.in_flight_peak = app->counters.in_flight;
	return flow;
}

/* --- reading --- */

struct json_object *flow_read_body(struct flow *flow, const struct request *request, bool optional)
{
	const struct http_request *http = request->http;

	if (optional && http->body_len == 0)
		return json_object_parse("{}", 2);
	if (!header_is_json(http_header(request->parser, "content-type"))) {
		flow_fail(flow, PROBLEM_UNSUPPORTED_MEDIA_TYPE);
		return NULL;
	}
	struct json_errors errors = {0};
	struct json_object *object = json_object_read(http->body, http->body_len, &errors);
	if (errors.count > 0)
		flow_fail_validation(flow, &errors);
	else if (object == NULL)
		flow_fail(flow, PROBLEM_MALFORMED_JSON);
	return object;
}

bool flow_read_idem(struct flow *flow, const struct request *request, struct idem *idem)
{
	const char *method = http_method_name(request->http->method), *path = request->http->path;
	const char *key;
	size_t len;

	if (!header_idempotency_key(
		    http_header_once(request->parser, "idempotency-key"), &key, &len)) {
		flow_fail(flow, PROBLEM_IDEMPOTENCY_KEY_REQUIRED);
		return false;
	}
	struct digest_part scope[] = {{&request->user_id, sizeof request->user_id},
		{method, strlen(method)}, {path, strlen(path)}, {key, len}};
	struct digest_part body[] = {{request->http->body, request->http->body_len}};
	idem->key = digest_of(scope, ARRAY_LEN(scope));
	idem->body = digest_of(body, ARRAY_LEN(body));
	idem->request_id = flow->request_id;
	return true;
}
