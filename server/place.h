/* The document of a place in line, as joining and polling answer with it. */
#ifndef ONSALE_SERVER_PLACE_H
#define ONSALE_SERVER_PLACE_H

#include "server/flow.h"

struct catalog_event;

/* Ends the flow with the place that `op` found (QUEUE_WAITING or QUEUE_ADMITTED). */
void place_reply(struct flow *flow, int status, const struct catalog_event *event,
	const struct queue_op *op);

/* Ends the flow where Redis could not say: the place stands, its position is not known. pass: a valid pass
 * that came along, or NULL. */
struct queue_pass;
void place_reply_stale(struct flow *flow, const struct catalog_event *event, int64_t user_id,
	int64_t number, const struct queue_pass *pass);

#endif
