/* Written straight into a buffer: a poll is the most frequent request there is. */
#include "server/place.h"

#include <sodium.h>
#include "proto/base/clock.h"
#include "proto/json.h"
#include "proto/token.h"
#include "server/catalog.h"

enum { PLACE_BODY_MAX = 16 * 1024, PLACE_BODY_MOSTLY = 512 };

static void append_member(struct buf *body, const char *name, int64_t value)
{
	buf_append_text(body, name);
	buf_append_i64(body, value);
}

static void append_token(struct buf *body, const struct app *app, const struct catalog_event *event,
	int64_t user_id, int64_t number)
{
	struct queue_token token = {event->row.id, user_id, number, clock_unix_ms()};
	uint8_t entrant[ENTRANT_SIZE];
	char text[TOKEN_TEXT_SIZE], hex[ENTRANT_HEX_SIZE];

	queue_token_sign(app->token_key, &token, text);
	append_member(body, "{\"event_id\":", event->row.id);
	buf_append_text(body, ",\"token\":\"");
	buf_append_text(body, text);
	buf_append_char(body, '"');
	if (!catalog_has_shuffle(event))
		return;
	entrant_of(app->token_key, event->row.id, user_id, entrant);
	sodium_bin2hex(hex, sizeof hex, entrant, sizeof entrant);
	buf_append_text(body, ",\"entrant\":\"");
	buf_append_text(body, hex);
	buf_append_char(body, '"');
}

static void append_pass(struct buf *body, const struct app *app, const struct queue_pass *pass)
{
	char text[TOKEN_TEXT_SIZE], expires[CLOCK_TEXT_SIZE];
	int64_t left_ms = pass->expires_unix_ms - clock_unix_ms();

	queue_pass_sign(app->token_key, pass, text);
	clock_format(pass->expires_unix_ms, expires);
	buf_append_text(body, ",\"pass\":\"");
	buf_append_text(body, text);
	buf_append_text(body, "\",\"pass_expires_at\":\"");
	buf_append_text(body, expires);
	append_member(body, "\",\"expires_in\":", left_ms > 0 ? left_ms / 1000 : 0);
}

static void append_eta(struct buf *body, const struct catalog_event *event, int64_t ahead)
{
	int64_t min, max;

	if (event->row.queue_paused || !queue_eta(&event->rate, ahead, &min, &max)) {
		buf_append_text(body, ",\"eta_seconds\":null");
		return;
	}
	append_member(body, ",\"eta_seconds\":{\"min\":", min);
	append_member(body, ",\"max\":", max);
	buf_append_char(body, '}');
}

static void append_event(struct buf *body, const struct catalog_event *event)
{
	if (event->counted_ms != 0)
		append_member(body, ",\"seats_available\":", event->seats_available);
	else
		buf_append_text(body, ",\"seats_available\":null");
	buf_append_text(body, event->row.queue_paused ? ",\"paused\":true" : ",\"paused\":false");
	if (event->row.message[0] == '\0') {
		buf_append_text(body, ",\"message\":null");
		return;
	}
	buf_append_text(body, ",\"message\":");
	json_write_text(body, event->row.message);
}

/* A line that is shuffled is open once that is done, whatever the clock here says: Redis knows. */
static bool is_prequeue(const struct catalog_event *event, const struct queue_op *op)
{
	return catalog_has_shuffle(event) ? op->shuffling : !catalog_open(event);
}

static const char *waiting_status(const struct catalog_event *event, const struct queue_op *op)
{
	if (is_prequeue(event, op))
		return "prequeue";
	return catalog_sold_out(event) ? "sold_out" : "waiting";
}

/* Three polls may go missing before anybody is dropped. */
static int64_t poll_after_ms(
	const struct app *app, const struct catalog_event *event, int64_t ahead, int64_t waiting)
{
	struct queue_pace pace = app->pace;
	int64_t longest = event->row.abandon_after_seconds * 1000 / 3;

	if (pace.poll_max_ms > longest)
		pace.poll_max_ms = longest;
	if (pace.poll_min_ms > longest)
		pace.poll_min_ms = longest;
	return queue_poll_after_ms(&pace, ahead, waiting, randombytes_random());
}

/* Says when to ask again, and notes it for a flow whose client does not do so by itself. */
static void append_again(struct buf *body, struct flow *flow, int64_t after_ms)
{
	append_member(body, ",\"poll_after_ms\":", after_ms);
	flow->again_ms = after_ms;
}

static void append_waiting(struct buf *body, struct flow *flow, const struct catalog_event *event,
	const struct queue_op *op)
{
	buf_append_text(body, ",\"status\":\"");
	buf_append_text(body, waiting_status(event, op));
	if (!is_prequeue(event, op)) {
		append_member(body, "\",\"position\":", op->ahead + 1);
		append_member(body, ",\"ahead\":", op->ahead);
	} else {
		buf_append_text(body, "\",\"position\":null,\"ahead\":null");
	}
	append_member(body, ",\"waiting\":", op->waiting);
	append_eta(body, event, op->ahead);
	append_again(body, flow, poll_after_ms(flow->app, event, op->ahead, op->waiting));
}

static void append_admitted(struct buf *body, struct flow *flow, const struct catalog_event *event,
	const struct queue_op *op)
{
	struct queue_pass pass = {event->row.id, op->user_id, op->nonce, op->pass_expires_ms};

	buf_append_text(body, ",\"status\":\"admitted\",\"position\":0,\"ahead\":0");
	append_member(body, ",\"waiting\":", op->waiting);
	buf_append_text(body, ",\"eta_seconds\":null");
	append_again(body, flow, flow->app->pace.poll_max_ms);
	append_pass(body, flow->app, &pass);
}

void place_reply(
	struct flow *flow, int status, const struct catalog_event *event, const struct queue_op *op)
{
	struct buf body = BUF_INIT(PLACE_BODY_MAX);

	buf_reserve(&body, PLACE_BODY_MOSTLY);
	append_token(&body, flow->app, event, op->user_id, op->number);
	if (op->state == QUEUE_ADMITTED)
		append_admitted(&body, flow, event, op);
	else
		append_waiting(&body, flow, event, op);
	append_event(&body, event);
	buf_append_char(&body, '}');
	flow_reply_json(flow, status, body.data, body.len);
	buf_free(&body);
}

void place_reply_stale(struct flow *flow, const struct catalog_event *event, int64_t user_id,
	int64_t number, const struct queue_pass *pass)
{
	struct buf body = BUF_INIT(PLACE_BODY_MAX);

	append_token(&body, flow->app, event, user_id, number);
	if (pass != NULL)
		buf_append_text(&body, ",\"status\":\"admitted\",\"position\":0,\"ahead\":0");
	else
		buf_append_text(&body, ",\"status\":\"waiting\",\"position\":null,\"ahead\":null");
	buf_append_text(&body, ",\"waiting\":null,\"eta_seconds\":null,\"stale\":true");
	append_again(&body, flow, flow->app->pace.poll_max_ms);
	if (pass != NULL)
		append_pass(&body, flow->app, pass);
	append_event(&body, event);
	buf_append_char(&body, '}');
	flow_reply_json(flow, 200, body.data, body.len);
	buf_free(&body);
}
