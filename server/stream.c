/* Streams wait in a wheel, a slot for each 50 ms, or in the list of those with news, which come first.
 *
 *   wheel   | slot | slot | slot | … TURN_MS in all: no stream waits as long
 *              ^ next: those before it have asked
 *
 * The one thing to know: a stream is in a list, or has a flow at work, or its client has something to read first. */
#include "server/stream.h"

#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/event_stream.h"
#include "proto/reply.h"
#include "server/app.h"
#include "server/flow.h"
#include "server/line_watch.h"
#include "server/net.h"

enum {
	SLOT_MS = 50,
	SLOTS = 320,
	TURN_MS = SLOT_MS * SLOTS,
	ASKS_A_TURN = 256, /* of the loop */
	SILENT_MAX_MS = 14000, /* past that something is sent: proxies cut what is silent */
	REFUSED_MS = 1000, /* until it asks again */
	RETRY_MS = 1000, /* a browser whose stream was cut comes again after this … */
	RETRY_SPREAD_MS = 3000, /* … and up to so much more, not all of them at once */
	PROBLEM_SIZE = 1024
};

_Static_assert(SILENT_MAX_MS < TURN_MS - SLOT_MS, "the wheel turns more slowly than any stream");

struct streams {
	struct app *app;
	struct event *timer; /* runs while there are streams */
	struct stream_list wheel[SLOTS], news;
	uint64_t next_slot; /* counted from the clock's beginning */
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct streams *streams = arg;
	(void)fd;
	(void)what;

	line_watch_look(streams->app);
}

struct streams *streams_new(struct app *app)
{
	struct streams *streams = must_calloc(1, sizeof *streams);

	streams->app = app;
	streams->timer = event_new(app->base, -1, EV_PERSIST, on_timer, streams);
	CHECK(streams->timer != NULL);
	for (size_t i = 0; i < SLOTS; i++)
		TAILQ_INIT(&streams->wheel[i]);
	TAILQ_INIT(&streams->news);
	return streams;
}

void streams_free(struct streams *streams)
{
	event_free(streams->timer);
	free(streams);
}

static void count(struct streams *streams, int more)
{
	static const struct timeval period = {.tv_usec = SLOT_MS * 1000};
	unsigned *open = &streams->app->counters.streams;

	*open = (unsigned)((int)*open + more);
	if (*open == 0) {
		event_del(streams->timer);
	} else if (*open == 1 && more > 0) {
		streams->next_slot = clock_mono_ms() / SLOT_MS;
		event_add(streams->timer, &period);
	}
}

/* --- waiting --- */

static void unlist(struct stream *stream)
{
	if (stream->list != NULL)
		TAILQ_REMOVE(stream->list, stream, link);
	stream->list = NULL;
}

static void enlist(struct stream *stream, struct stream_list *list)
{
	unlist(stream);
	stream->list = list;
	TAILQ_INSERT_TAIL(list, stream, link);
}

static void wait_ms(struct stream *stream, int64_t ms)
{
	struct streams *streams = stream->app->streams;
	uint64_t after_ms = (uint64_t)(ms < SILENT_MAX_MS ? ms : SILENT_MAX_MS);
	uint64_t slot = (clock_mono_ms() + after_ms) / SLOT_MS + 1;

	enlist(stream, &streams->wheel[slot % SLOTS]);
}

void stream_has_news(struct stream *stream)
{
	if (stream->flow != NULL)
		stream->news = true;
	else if (stream->list != NULL)
		enlist(stream, &stream->app->streams->news);
}

/* What was sent last is on its way, or will be read first. */
static void go_on(struct stream *stream, int64_t after_ms)
{
	if (stream->news)
		enlist(stream, &stream->app->streams->news);
	else
		wait_ms(stream, after_ms);
}

void stream_client_reads(struct stream *stream)
{
	if (stream->flow == NULL && stream->list == NULL)
		enlist(stream, &stream->app->streams->news);
}

/* Where the client has something to read first, it is asked for once that is done: what it gets then is the newest. */
static void ask(struct stream *stream)
{
	unlist(stream);
	stream->news = false;
	if (conn_stream_ready(stream->conn))
		stream->kind->ask(stream);
}

bool streams_turn(struct streams *streams)
{
	unsigned left = ASKS_A_TURN;
	struct stream *stream;

	if (streams->app->counters.streams == 0)
		return false;
	for (; left > 0 && (stream = TAILQ_FIRST(&streams->news)) != NULL; left--)
		ask(stream);
	uint64_t now_slot = clock_mono_ms() / SLOT_MS;
	while (left > 0 && streams->next_slot < now_slot) {
		stream = TAILQ_FIRST(&streams->wheel[streams->next_slot % SLOTS]);
		if (stream == NULL) {
			streams->next_slot++;
		} else {
			ask(stream);
			left--;
		}
	}
	return left == 0;
}

/* --- beginning and end --- */

static void stream_free(struct stream *stream)
{
	unlist(stream);
	if (stream->flow != NULL)
		flow_lose_stream(stream->flow);
	if (stream->conn != NULL)
		count(stream->app->streams, -1);
	if (stream->kind->cleanup != NULL)
		stream->kind->cleanup(stream);
	free(stream->request_id);
	free(stream);
}

void *stream_new(size_t size, const struct stream_kind *kind, const struct request *request,
	struct request *opening)
{
	struct stream *stream = calloc(1, size);

	if (stream == NULL) {
		request_fail(request->conn, request->id, false, PROBLEM_BUSY, NULL);
		return NULL;
	}
	stream->kind = kind;
	stream->app = request->app;
	stream->request_id = must_strdup(request->id);
	*opening = *request;
	opening->stream = stream;
	return stream;
}

void stream_lose_client(struct stream *stream)
{
	stream_free(stream);
}

static void send_event(struct stream *stream, const struct server_event *event)
{
	conn_stream_send(stream->conn, event);
	stream->told_ms = clock_mono_ms();
	stream->app->counters.pushes += event->data != NULL;
}

void stream_end(struct stream *stream, const struct server_event *last)
{
	struct conn *conn = stream->conn;

	if (last != NULL)
		send_event(stream, last);
	conn_stream_end(conn);
	stream_free(stream);
}

void stream_end_problem(struct stream *stream, enum problem problem)
{
	struct buf body = BUF_INIT(PROBLEM_SIZE);

	problem_write(&body, problem, NULL, stream->request_id, NULL);
	struct server_event last = {.name = "end", .data = body.data, .len = body.len};
	stream_end(stream, &last);
	buf_free(&body);
}

/* --- its flow --- */

struct request stream_request(struct stream *stream, enum priority priority)
{
	return (struct request){.app = stream->app,
		.stream = stream,
		.id = stream->request_id,
		.priority = priority};
}

void stream_set_flow(struct stream *stream, struct flow *flow)
{
	CHECK(stream->flow == NULL);
	stream->flow = flow;
}

void stream_refused(struct stream *stream)
{
	static const struct server_event comment = {.data = NULL};

	if (stream->conn == NULL) {
		stream_free(stream);
		return;
	}
	if (clock_mono_ms() - stream->told_ms > SILENT_MAX_MS - 2 * REFUSED_MS)
		send_event(stream, &comment);
	wait_ms(stream, REFUSED_MS);
}

static int64_t pace_ms(const struct stream *stream, const struct flow *flow)
{
	return flow->again_ms > 0 ? flow->again_ms : stream->kind->pace_ms;
}

/* The first answer decides whether there is a stream at all. A browser that is told another status than 200 does not
 * come again. */
static void open_stream(struct stream *stream, const struct flow *flow, struct reply *reply)
{
	struct conn *conn = flow->conn;
	struct server_event first = {.data = reply->body,
		.len = reply->body_len,
		.retry_ms = RETRY_MS + randombytes_uniform(RETRY_SPREAD_MS)};
	bool to_head = http_parser_request(conn_parser(conn))->method == HTTP_HEAD;

	if (reply->status == 200) {
		reply->content_type = "text/event-stream";
		reply->headers = "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n";
		reply->body_len = 0;
		reply->streamed = true;
	}
	if (reply->status != 200 || to_head) {
		conn_reply(conn, reply);
		stream_free(stream);
		return;
	}
	conn_stream(conn, reply, stream);
	stream->conn = conn;
	count(stream->app->streams, 1);
	send_event(stream, &first);
	if (stream->app->draining || conn_has_said_all(conn))
		stream_end(stream, NULL);
	else
		wait_ms(stream, pace_ms(stream, flow));
}

static bool is_final(int status)
{
	return status >= 400 && status < 500 && status != 429;
}

void stream_answer(struct stream *stream, const struct flow *flow, struct reply *reply)
{
	struct server_event event = {.data = reply->body, .len = reply->body_len};

	stream->flow = NULL;
	if (stream->conn == NULL && flow->conn == NULL) {
		stream_free(stream); /* the client went away before it was open */
	} else if (stream->conn == NULL) {
		open_stream(stream, flow, reply);
	} else if (is_final(reply->status)) {
		event.name = "end";
		stream_end(stream, &event);
	} else {
		event.name = reply->status == 200 ? NULL : "problem";
		send_event(stream, &event);
		go_on(stream, pace_ms(stream, flow));
	}
}
