/* Give the place, or the admitted slot, back.
 *   leave_start -> left -> end */
#include "proto/token.h"
#include "server/flow.h"
#include "server/flows.h"

struct leave {
	struct flow flow;
	struct queue_op queue;
};

static void left(struct queue_op *op, enum db_result result);

void leave_start(const struct request *request)
{
	const char *text = http_header(request->parser, "x-queue-token");
	struct app *app = request->app;
	struct leave *leave = flow_new(sizeof *leave, request);
	struct queue_token token;

	if (leave == NULL)
		return;
	if (text == NULL || !queue_token_verify(app->token_key, text, &token)) {
		flow_fail(&leave->flow, PROBLEM_INVALID_QUEUE_TOKEN);
		return;
	}
	leave->flow.trail.user_id = token.user_id;
	leave->queue = (struct queue_op){.done = left,
		.owner = leave,
		.event_id = token.event_id,
		.user_id = token.user_id,
		.number = token.number};
	queue_leave(app->queue, &leave->queue);
}

static void left(struct queue_op *op, enum db_result result)
{
	struct leave *leave = op->owner;

	flow_mark(&leave->flow, STAGE_REDIS);
	if (result == DB_OK)
		flow_reply_empty(&leave->flow, 204, NULL);
	else /* leaving twice is the same as leaving once */
		flow_fail(&leave->flow, PROBLEM_UNAVAILABLE);
}
