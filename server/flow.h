/* A flow is one request at work: what every flow_*.c embeds as its first member. Its steps stand in its
 * file in the order in which they run; each step starts the next or ends the flow by one of the calls
 * below. A flow that has lost its client still finishes its work, and its reply is dropped. */
#ifndef ONSALE_SERVER_FLOW_H
#define ONSALE_SERVER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/result.h"
#include "proto/header.h"
#include "proto/http.h"
#include "proto/problem.h"
#include "server/app.h"
#include "server/observe.h"
#include "server/shed.h"

struct conn;
struct stream;
struct store_reply;
struct json_object;
struct json_errors;

/* What a route's handler gets; lives until the handler returns. */
struct request {
	struct app *app;
	struct conn *conn;
	struct stream *
		stream; /* that the reply opens; or, with no connection, parser or http, that asks */
	const struct http_request *http;
	struct http_parser *parser; /* for http_header */
	const char *id; /* the request id */
	enum priority priority;
	int64_t path_ids[2]; /* the {…} of the route's path */
	/* Of the access token; 0 and NULL where the route asks for none. */
	int64_t user_id;
	bool admin;
	const char *token; /* its text */
	int64_t token_expires_unix_s;
};

struct flow {
	struct app *app;
	struct conn *conn; /* NULL once the client went away */
	struct stream *stream; /* whose event the reply becomes, or NULL; it may go away, too */
	int64_t again_ms; /* when the client is told to ask again, where it is: a stream's pace */
	void (*cleanup)(struct flow *flow); /* frees what the flow owns; may be NULL */
	char request_id[REQUEST_ID_SIZE];
	enum priority priority;
	bool ended;
	struct trail trail;
};

/* A zeroed flow of `size` bytes, of which struct flow is the first member; it works for the request's
 * connection or stream from here on. NULL where there is too much to do, or no memory: the request was answered. */
void *flow_new(size_t size, const struct request *request);

/* Each of these ends the flow: the reply goes out, the flow is freed. Exactly one is called. */
void flow_reply_json(struct flow *flow, int status, const char *body, size_t len);
void flow_reply(struct flow *flow, int status, const char *content_type, const char *headers,
	const char *body, size_t len); /* headers: further lines, or NULL */
void flow_reply_empty(struct flow *flow, int status, const char *headers);
void flow_reply_stored(struct flow *flow, int status, const char *body, size_t len, bool replayed);
void flow_fail(struct flow *flow, enum problem problem);
/* extra: further members, each starting with a comma, or NULL; headers: further lines, or NULL. */
void flow_fail_extra(
	struct flow *flow, enum problem problem, const char *extra, const char *headers);
void flow_fail_validation(struct flow *flow, const struct json_errors *errors);
/* The refusal that fits a store's result other than DB_OK. */
void flow_fail_db(struct flow *flow, enum db_result result);

/* What the flow has waited for since it last said so: the first thing that a store's answer calls. */
void flow_mark(struct flow *flow, enum trail_stage stage);

/* Ends the flow without a reply: another one may begin for its request, where the client is still there. */
void flow_release(struct flow *flow);

/* The client went away: called by net.c. */
void flow_lose_client(struct flow *flow);

/* … and so did the stream: called by stream.c. */
void flow_lose_stream(struct flow *flow);

/* A problem where there is no flow: bad HTTP, unknown path, guard. Answers the request. */
void request_fail(struct conn *conn, const char *request_id, bool close, enum problem problem,
	const char *headers);

/* --- reading requests --- */

/* The body as a JSON object, to be freed by the caller; NULL where it is not one, and the flow was ended
 * (415, 400, 422). optional: an empty body is an empty object. */
struct json_object *flow_read_body(struct flow *flow, const struct request *request, bool optional);

/* The Idempotency-Key of the request, unquoted, as digests of (user, method, path, key) and of the body.
 * False where it is missing, repeated or malformed, and the flow was ended (400). */
struct idem;
bool flow_read_idem(struct flow *flow, const struct request *request, struct idem *idem);

#endif
