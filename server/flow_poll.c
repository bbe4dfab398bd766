/* Where does my place stand? It is also the place's heartbeat.
 *   poll_start -> polled -> place_reply -> end
 *        polled -> (the token is of a line that Redis has lost: epoch_begun -> polled) -> end
 *        polled -> (the place is one that Redis has lost: place_known -> polled) -> end
 *        polled -> (it is from before the shuffle, and Redis has lost it since: number_read -> polled) -> end
 *        polled -> (Redis is away: place_reply_stale) -> end */
#include "server/poll.h"

#include "db/store_shuffles.h"
#include "proto/base/clock.h"
#include "server/adopt.h"
#include "server/catalog.h"
#include "server/flows.h"
#include "server/place.h"

struct poll {
	struct flow flow;
	struct catalog_event *event;
	struct queue_op queue;
	struct adopt_wait adopt;
	struct adopt_place place;
	struct store_shuffle_number shuffle;
	bool epoch_begun, place_adopted;
	int64_t seen_unix_ms; /* of the token */
	bool has_pass;
	struct queue_pass pass;
};

static void polled(struct queue_op *op, enum db_result result);
static void epoch_begun(struct adopt_wait *wait, bool adopted);
static void place_known(struct adopt_place *place, enum adopt_result result);
static void number_read(struct pg_op *op, enum db_result result);

bool poll_place_read(const struct request *request, const char *text, struct poll_place *place)
{
	const char *pass_text = http_header(request->parser, "x-queue-pass");
	const struct token_key *key = request->app->token_key;
	const struct queue_token *token = &place->token;
	struct queue_pass *pass = &place->pass;

	if (text == NULL || !queue_token_verify(key, text, &place->token))
		return false;
	place->has_pass = pass_text != NULL && queue_pass_verify(key, pass_text, pass) &&
			  pass->event_id == token->event_id && pass->user_id == token->user_id;
	return true;
}

static void begin(struct poll *poll, const struct poll_place *place)
{
	const struct queue_token *token = &place->token;
	struct app *app = poll->flow.app;

	poll->flow.trail.user_id = token->user_id;
	poll->event = catalog_event(app->catalog, token->event_id);
	if (poll->event == NULL) { /* our own token: the catalog is not loaded yet */
		flow_fail(&poll->flow, PROBLEM_UNAVAILABLE);
		return;
	}
	poll->has_pass = place->has_pass && place->pass.expires_unix_ms > clock_unix_ms();
	if (poll->has_pass)
		poll->pass = place->pass;
	poll->seen_unix_ms = token->seen_unix_ms;
	catalog_touch(poll->event);
	poll->queue = (struct queue_op){.done = polled,
		.owner = poll,
		.event_id = token->event_id,
		.user_id = token->user_id,
		.number = token->number,
		.abandon_after_ms = poll->event->row.abandon_after_seconds * 1000};
	queue_poll(app->queue, &poll->queue);
}

void poll_start(const struct request *request)
{
	struct poll *poll = flow_new(sizeof *poll, request);
	struct poll_place place;

	if (poll == NULL)
		return;
	if (poll_place_read(request, http_header(request->parser, "x-queue-token"), &place))
		begin(poll, &place);
	else
		flow_fail(&poll->flow, PROBLEM_INVALID_QUEUE_TOKEN);
}

void poll_place_start(const struct request *request, const struct poll_place *place)
{
	struct poll *poll = flow_new(sizeof *poll, request);

	if (poll != NULL)
		begin(poll, place);
}

static void reply_stale(struct poll *poll)
{
	place_reply_stale(&poll->flow, poll->event, poll->queue.user_id, poll->queue.number,
		poll->has_pass ? &poll->pass : NULL);
}

/* Once: a line that a new epoch does not bring back is as good as away. */
static void begin_epoch(struct poll *poll)
{
	if (poll->epoch_begun) {
		reply_stale(poll);
		return;
	}
	poll->epoch_begun = true;
	poll->adopt.done = epoch_begun;
	poll->adopt.owner = poll;
	adopt_epoch(poll->flow.app, poll->event, poll->queue.number, &poll->adopt);
}

static void adopt(struct poll *poll, bool with_pass)
{
	poll->place = (struct adopt_place){.done = place_known,
		.owner = poll,
		.event = poll->event,
		.user_id = poll->queue.user_id,
		.seen_unix_ms = poll->seen_unix_ms,
		.pass_nonce = with_pass ? poll->pass.nonce : 0,
		.pass_expires_unix_ms = poll->pass.expires_unix_ms};
	adopt_place(poll->flow.app, &poll->place);
}

/* Once, too. */
static void adopt_lost(struct poll *poll)
{
	if (poll->place_adopted) {
		reply_stale(poll);
		return;
	}
	poll->place_adopted = true;
	adopt(poll, poll->has_pass);
}

static void ask_number(struct poll *poll)
{
	poll->shuffle.op.done = number_read;
	poll->shuffle.op.owner = poll;
	poll->shuffle.event_id = poll->queue.event_id;
	poll->shuffle.user_id = poll->queue.user_id;
	store_shuffle_number(poll->flow.app->pg, &poll->shuffle);
}

static void polled(struct queue_op *op, enum db_result result)
{
	struct poll *poll = op->owner;

	flow_mark(&poll->flow, STAGE_REDIS);
	if (result != DB_OK) {
		reply_stale(poll);
	} else if (op->state == QUEUE_GONE) {
		flow_fail(&poll->flow, PROBLEM_PLACE_EXPIRED);
	} else if (op->state == QUEUE_LOST) {
		adopt_lost(poll);
	} else if (op->state == QUEUE_SHUFFLED) {
		ask_number(poll);
	} else if (op->state == QUEUE_NO_EPOCH) {
		begin_epoch(poll);
	} else {
		if (poll->flow.stream != NULL)
			queue_events_told(poll->flow.stream, op);
		place_reply(&poll->flow, 200, poll->event, op);
	}
}

static void place_known(struct adopt_place *place, enum adopt_result result)
{
	struct poll *poll = place->owner;

	switch (result) {
	case ADOPT_USED:
		if (place->pass_nonce != 0) /* the place may be a newer one than the pass's */
			adopt(poll, false);
		else
			flow_fail(&poll->flow, PROBLEM_PLACE_EXPIRED);
		break;
	case ADOPT_UNKNOWN: reply_stale(poll); break;
	case ADOPT_MAY_RETURN:
	case ADOPT_PASS_LIVE:
		poll->queue.may_return = result == ADOPT_MAY_RETURN;
		queue_poll(poll->flow.app->queue, &poll->queue);
		break;
	}
}

static void epoch_begun(struct adopt_wait *wait, bool adopted)
{
	struct poll *poll = wait->owner;

	if (adopted)
		queue_poll(poll->flow.app->queue, &poll->queue);
	else
		reply_stale(poll);
}

static void number_read(struct pg_op *op, enum db_result result)
{
	struct poll *poll = op->owner;

	flow_mark(&poll->flow, STAGE_POSTGRESQL);
	if (result != DB_OK) {
		reply_stale(poll);
	} else if (!poll->shuffle.found) { /* it had ended when the list was closed */
		flow_fail(&poll->flow, PROBLEM_PLACE_EXPIRED);
	} else {
		poll->queue.number = poll->shuffle.number;
		queue_poll(poll->flow.app->queue, &poll->queue);
	}
}
