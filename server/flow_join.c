/* Join the line: a new place, or the place or pass that this person already has.
 *   join_start -> (the event is looked for once more -> event_known) -> joined
 *        joined -> place_reply -> end
 *        joined -> (Redis knows no such line: epoch_begun -> joined) -> end */
#include "server/adopt.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/place.h"

enum { EPOCHS_MAX = 3 };

struct join {
	struct flow flow;
	int64_t event_id;
	struct catalog_event *event;
	struct queue_op queue;
	struct catalog_wait catalog;
	struct adopt_wait adopt;
	unsigned epochs;
};

static void event_known(struct catalog_wait *wait);
static void join(struct join *join);
static void joined(struct queue_op *op, enum db_result result);
static void epoch_begun(struct adopt_wait *wait, bool adopted);

void join_start(const struct request *request)
{
	struct join *self = flow_new(sizeof *self, request);

	if (self == NULL)
		return;
	self->event_id = request->path_ids[0];
	self->queue = (struct queue_op){.done = joined,
		.owner = self,
		.event_id = self->event_id,
		.user_id = request->user_id};
	self->event = catalog_event(self->flow.app->catalog, self->event_id);
	if (self->event != NULL) {
		join(self);
		return;
	}
	self->catalog.done = event_known;
	self->catalog.owner = self;
	catalog_refresh(self->flow.app->catalog, &self->catalog);
}

static void event_known(struct catalog_wait *wait)
{
	struct join *self = wait->owner;

	self->event = catalog_event(self->flow.app->catalog, self->event_id);
	if (self->event != NULL)
		join(self);
	else
		flow_fail(&self->flow, catalog_loaded(self->flow.app->catalog)
					       ? PROBLEM_EVENT_NOT_FOUND
					       : PROBLEM_UNAVAILABLE);
}

static void join(struct join *self)
{
	if (!self->event->row.queue_enabled) {
		flow_fail(&self->flow, PROBLEM_QUEUE_DISABLED);
		return;
	}
	catalog_touch(self->event);
	queue_join(self->flow.app->queue, &self->queue);
}

static void joined(struct queue_op *op, enum db_result result)
{
	struct join *self = op->owner;

	flow_mark(&self->flow, STAGE_REDIS);
	if (result != DB_OK) {
		/* Joining again finds the place, should there be one by now. */
		flow_fail(&self->flow, result == DB_BUSY ? PROBLEM_BUSY : PROBLEM_UNAVAILABLE);
	} else if (op->state == QUEUE_NO_EPOCH && self->epochs++ < EPOCHS_MAX) {
		self->adopt.done = epoch_begun;
		self->adopt.owner = self;
		adopt_epoch(self->flow.app, self->event, 0, &self->adopt);
	} else if (op->state == QUEUE_WAITING || op->state == QUEUE_ADMITTED) {
		self->flow.app->counters.joins += op->created;
		place_reply(&self->flow, op->created ? 201 : 200, self->event, op);
	} else {
		flow_fail(&self->flow, PROBLEM_UNAVAILABLE);
	}
}

static void epoch_begun(struct adopt_wait *wait, bool adopted)
{
	struct join *self = wait->owner;

	if (adopted)
		queue_join(self->flow.app->queue, &self->queue);
	else
		flow_fail(&self->flow, PROBLEM_UNAVAILABLE);
}
