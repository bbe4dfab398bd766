/* The events of a place in line: what polling would say, at the pace that polls are told, and at once where it is
 * admitted or its line changes. Like a poll, each is the place's heartbeat.
 *   queue_events_start -> poll_place_start -> (its reply) open
 *        ask -> poll_place_start -> queue_events_told -> (its reply) event, until the place has ended */
#include "proto/base/clock.h"
#include "proto/http.h"
#include "server/catalog.h"
#include "server/flows.h"
#include "server/line_watch.h"
#include "server/net.h"
#include "server/poll.h"
#include "server/stream.h"

/* In percent of all connections: whoever holds and pays needs some, too. */
enum { STREAMS_SHARE = 75 };

struct place_stream {
	struct stream stream;
	struct poll_place place;
	struct line_watcher watcher;
};

static void ask(struct stream *stream)
{
	struct request request = stream_request(stream, PRIORITY_POLL);

	poll_place_start(&request, &((struct place_stream *)stream)->place);
}

static void cleanup(struct stream *stream)
{
	line_watch_remove(&((struct place_stream *)stream)->watcher);
}

static bool too_many(struct app *app)
{
	bool many = app->counters.streams * INT64_C(100) >=
		    INT64_C(1) * net_connections_max(app->net) * STREAMS_SHARE;

	app->counters.shed[PRIORITY_POLL] += many;
	return many;
}

/* A browser's EventSource sends no headers of a page's own, but addresses are written down on their way: the header
 * comes first. */
static bool read_place(const struct request *request, struct poll_place *place)
{
	const char *text = http_header(request->parser, "x-queue-token");
	char param[TOKEN_TEXT_SIZE];

	if (text == NULL && http_query_param(request->http->query, "token", param, sizeof param))
		text = param;
	return poll_place_read(request, text, place);
}

void queue_events_start(const struct request *request)
{
	static const struct stream_kind kind = {ask, cleanup, 1000};
	struct poll_place place;
	struct request opening;

	if (too_many(request->app)) {
		request_fail(request->conn, request->id, false, PROBLEM_BUSY, NULL);
		return;
	}
	if (!read_place(request, &place)) {
		request_fail(request->conn, request->id, false, PROBLEM_INVALID_QUEUE_TOKEN, NULL);
		return;
	}
	struct place_stream *self = stream_new(sizeof *self, &kind, request, &opening);
	struct catalog_event *event = catalog_event(request->app->catalog, place.token.event_id);

	if (self == NULL)
		return;
	self->place = place;
	if (event != NULL)
		line_watch_add(&self->watcher, event, &self->stream);
	poll_place_start(&opening, &place);
}

/* A number with counter 0 stands for whatever place it is, until the line is shuffled. */
static bool is_known(int64_t number)
{
	return (number & ((INT64_C(1) << QUEUE_EPOCH_SHIFT) - 1)) != 0;
}

void queue_events_told(struct stream *stream, const struct queue_op *op)
{
	struct place_stream *self = (struct place_stream *)stream;
	struct poll_place *place = &self->place;
	bool waits = op->state == QUEUE_WAITING && is_known(op->number);

	place->token.number = op->number;
	place->token.seen_unix_ms = clock_unix_ms();
	line_watch_told(&self->watcher, waits ? op->number : 0);
	if (op->state == QUEUE_ADMITTED) {
		place->has_pass = true;
		place->pass = (struct queue_pass){
			op->event_id, op->user_id, op->nonce, op->pass_expires_ms};
	}
}
