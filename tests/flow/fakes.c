/* The other side of every call that leaves a flow. */
#include "tests/flow/fakes.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/clock.h"
#include "proto/reply.h"
#include "proto/token.h"
#include "server/catalog.h"
#include "server/keys.h"
#include "server/seat_map.h"
#include "server/stream.h"

static struct stage stage_now;
static struct catalog_event event;
static struct catalog_performance performance;

static void say(const char *what)
{
	strcat(stage_now.said, what);
	strcat(stage_now.said, ";");
}

/* --- the stage --- */

struct stage *stage_open(void)
{
	static char currency[] = "KRW";
	static const char secret[] = "a secret that only the flow tests use";
	struct stage *stage = &stage_now;

	cr_assert(sodium_init() >= 0);
	memset(stage, 0, sizeof *stage);
	stage->queue_enabled = true;
	stage->app.settings.http_in_flight_max = STAGE_MAX;
	stage->app.settings.seat_per_hold_max = 10;
	stage->app.settings.seat_hold_ttl_ms = 60000;
	stage->app.settings.idempotency_wait_ms = 200;
	stage->app.settings.pay_currency = currency;
	stage->app.base = event_base_new();
	stage->app.keys = keys_new(&stage->app);
	stage->app.observer = observer_new(1);
	stage->app.token_key = token_key_new(secret, strlen(secret));
	stage->app.locks = (struct seat_locks *)stage; /* never looked into */
	event = (struct catalog_event){.row = {.id = 3, .queue_enabled = true}};
	performance = (struct catalog_performance){
		.row = {.id = 5, .event_id = 3}, .event = &event};
	return stage;
}

void stage_close(struct stage *stage)
{
	cr_expect_eq(stage->app.counters.in_flight, 0, "%u flows never ended",
		stage->app.counters.in_flight);
	for (size_t i = 0; i < stage->conn_count; i++)
		http_parser_free(stage->conns[i].parser);
	keys_free(stage->app.keys);
	observer_free(stage->app.observer);
	token_key_free(stage->app.token_key);
	event_base_free(stage->app.base);
}

const char *stage_pass(struct stage *stage)
{
	static char text[TOKEN_TEXT_SIZE];
	struct queue_pass pass = {3, 7, 99, clock_unix_ms() + 60000};

	queue_pass_sign(stage->app.token_key, &pass, text);
	return text;
}

struct conn *stage_post(struct stage *stage, void (*start)(const struct request *request),
	const char *path, int64_t path_id, const char *key, const char *pass, const char *body)
{
	struct conn *conn = &stage->conns[stage->conn_count++];
	char bytes[4096], id[16];
	size_t taken;

	event.row.queue_enabled = stage->queue_enabled;
	int len = snprintf(bytes, sizeof bytes,
		"POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n%s%s%s%s%s%s"
		"Content-Length: %zu\r\n\r\n%s",
		path, key[0] != '\0' ? "Idempotency-Key: " : "", key, key[0] != '\0' ? "\r\n" : "",
		pass != NULL ? "X-Queue-Pass: " : "", pass != NULL ? pass : "",
		pass != NULL ? "\r\n" : "", strlen(body), body);
	conn->stage = stage;
	conn->parser = http_parser_new();
	cr_assert_eq(http_parser_feed(conn->parser, bytes, (size_t)len, &taken), HTTP_WHOLE);
	snprintf(id, sizeof id, "request-%zu", stage->conn_count);
	struct request request = {.app = &stage->app,
		.conn = conn,
		.http = http_parser_request(conn->parser),
		.parser = conn->parser,
		.id = id,
		.path_ids = {path_id},
		.user_id = 7};
	start(&request);
	return conn;
}

void stage_leave(struct conn *conn)
{
	cr_assert_not_null(conn->flow);
	flow_lose_client(conn->flow);
	conn->flow = NULL;
}

void stage_answer_lock(struct stage *stage, enum seat_lock_result result)
{
	cr_assert_gt(stage->lock_count, 0, "nobody asked for a lock");
	struct seat_lock *lock = stage->locks[0];

	memmove(stage->locks, stage->locks + 1, --stage->lock_count * sizeof stage->locks[0]);
	lock->done(lock, result);
}

void stage_answer_place(struct stage *stage, enum adopt_result result)
{
	cr_assert_gt(stage->place_count, 0, "nobody asked whether the pass was lost");
	struct adopt_place *place = stage->places[0];

	memmove(stage->places, stage->places + 1, --stage->place_count * sizeof stage->places[0]);
	place->done(place, result);
}

struct pg_op *stage_take_op(struct stage *stage)
{
	cr_assert_gt(stage->op_count, 0, "nobody asked PostgreSQL");
	struct pg_op *op = stage->ops[0];

	memmove(stage->ops, stage->ops + 1, --stage->op_count * sizeof stage->ops[0]);
	return op;
}

void stage_answer_hold(struct stage *stage, enum db_result result, enum store_outcome outcome,
	int status, bool replayed, const char *body)
{
	struct store_hold *hold = CONTAINER_OF(stage_take_op(stage), struct store_hold, op);

	if (result == DB_OK) {
		hold->outcome = outcome;
		hold->hold_left_ms = status == 201 ? 60000 : 0;
		hold->reply = (struct store_reply){
			status, replayed, must_strdup(body), strlen(body)};
	}
	hold->op.done(&hold->op, result);
}

/* --- the client --- */

struct http_parser *conn_parser(struct conn *conn)
{
	return conn->parser;
}

struct trail *conn_trail(struct conn *conn)
{
	return &conn->trail;
}

struct observer *conn_observer(const struct conn *conn)
{
	return conn->stage->app.observer;
}

void conn_set_flow(struct conn *conn, struct flow *flow)
{
	conn->flow = flow;
}

void conn_reply(struct conn *conn, struct reply *reply)
{
	conn->flow = NULL;
	conn->replies++;
	conn->status = reply->status;
	conn->replayed = reply->headers != NULL &&
			 strstr(reply->headers, "Idempotent-Replayed: true") != NULL;
	cr_assert_lt(reply->body_len, sizeof conn->body);
	memcpy(conn->body, reply->body, reply->body_len);
	conn->body[reply->body_len] = '\0';
}

/* Nobody here has a stream. */
void stream_answer(
	struct stream *stream UNUSED, const struct flow *flow UNUSED, struct reply *reply UNUSED)
{
	cr_assert_fail("a stream was answered");
}

void stream_refused(struct stream *stream UNUSED)
{
	cr_assert_fail("a stream was refused");
}

void stream_set_flow(struct stream *stream UNUSED, struct flow *flow UNUSED)
{
	cr_assert_fail("a stream was given a flow");
}

/* --- the catalog and the seat maps --- */

struct catalog_performance *catalog_performance(const struct catalog *catalog UNUSED, int64_t id)
{
	return id == performance.row.id ? &performance : NULL;
}

void catalog_seats_taken(struct catalog_performance *which UNUSED, int64_t count UNUSED)
{
}

bool catalog_open(const struct catalog_event *which UNUSED)
{
	return true;
}

bool catalog_loaded(const struct catalog *catalog UNUSED)
{
	return true;
}

void catalog_refresh(struct catalog *catalog UNUSED, struct catalog_wait *wait)
{
	wait->done(wait);
}

void seat_map_drop(struct seat_maps *maps UNUSED, int64_t performance_id UNUSED)
{
	say("drop");
}

/* --- Redis --- */

void seat_lock_acquire(struct seat_locks *locks UNUSED, struct seat_lock *lock)
{
	stage_now.locks[stage_now.lock_count++] = lock;
}

void seat_lock_hold(struct seat_locks *locks UNUSED, int64_t event_id UNUSED,
	const int64_t *seat_ids UNUSED, size_t count UNUSED, const struct digest *owner UNUSED,
	int64_t hold_left_ms UNUSED)
{
	say("hold");
}

void seat_lock_sold(struct seat_locks *locks UNUSED, int64_t event_id UNUSED,
	const int64_t *seat_ids UNUSED, size_t count UNUSED, const struct digest *owner UNUSED)
{
	say("sold");
}

void seat_lock_release(struct seat_locks *locks UNUSED, int64_t event_id UNUSED,
	const int64_t *seat_ids UNUSED, size_t count UNUSED, const struct digest *owner UNUSED)
{
	say("release");
}

void adopt_place(struct app *app UNUSED, struct adopt_place *place)
{
	stage_now.places[stage_now.place_count++] = place;
}

void queue_holding(struct queue *queue UNUSED, int64_t event_id UNUSED, int64_t user_id UNUSED,
	int64_t until_unix_ms UNUSED)
{
	say("holding");
}

void queue_end_pass(struct queue *queue UNUSED, int64_t event_id UNUSED, int64_t user_id UNUSED,
	uint64_t nonce UNUSED)
{
	say("end_pass");
}

/* --- PostgreSQL --- */

void store_hold(struct pg *pg UNUSED, struct store_hold *hold)
{
	store_reply_free(&hold->reply);
	stage_now.ops[stage_now.op_count++] = &hold->op;
}

void store_pay(struct pg *pg UNUSED, struct store_pay *pay)
{
	stage_now.ops[stage_now.op_count++] = &pay->op;
}

void store_reply_free(struct store_reply *reply)
{
	free(reply->body);
	reply->body = NULL;
}
