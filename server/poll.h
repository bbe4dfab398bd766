/* A poll as whoever has it made sees it: a client's request, or the stream of a place (flow_queue_events.c). */
#ifndef ONSALE_SERVER_POLL_H
#define ONSALE_SERVER_POLL_H

#include "proto/token.h"
#include "queue/queue.h"
#include "server/flow.h"

/* What it asks with: both are genuine. */
struct poll_place {
	struct queue_token token;
	bool has_pass;
	struct queue_pass pass; /* came along, for when Redis is away, and when it is back */
};

/* From the token's text (NULL: none came) and the request's X-Queue-Pass. False: the token is not ours. */
bool poll_place_read(const struct request *request, const char *text, struct poll_place *place);

/* Starts the flow. */
void poll_place_start(const struct request *request, const struct poll_place *place);

/* What the stream that had it made is about to be told of its place. */
void queue_events_told(struct stream *stream, const struct queue_op *op);

#endif
