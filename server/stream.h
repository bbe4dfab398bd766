/* A reply that goes on: server-sent events, each the document that the client would have been given had it asked
 * then. A stream asks in the client's place: by the very flow that answers such a request, at its pace and whenever
 * there is news. What it asks is shed, gathered and answered as everybody's requests are.
 *
 *   stream_new -> (a flow answers 200) -> open -> ask -> (the flow's answer) event -> wait -> ask …
 *                          \-> (it refuses) the client gets that and no stream
 *
 * A refusal that asking again would not change (401, 404, 410 …) ends it, as an event named "end"; others (503)
 * are told as an event named "problem". A client that does not read what it was sent is not asked for until it does,
 * and cut after http.write_timeout_ms. */
#ifndef ONSALE_SERVER_STREAM_H
#define ONSALE_SERVER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "server/flow.h"

struct reply;
struct server_event;
struct stream;

TAILQ_HEAD(stream_list, stream);

struct stream_kind {
	/* Begins one flow for stream_request's request, or ends the stream. */
	void (*ask)(struct stream *stream);
	/* It goes away; nothing works for it any more. Frees what it owns, not itself; may be NULL. */
	void (*cleanup)(struct stream *stream);
	int64_t pace_ms; /* from an answer to the next question, where the answer does not say */
};

/* What each kind embeds as its first member. */
struct stream {
	const struct stream_kind *kind;
	struct app *app;
	struct conn *conn; /* NULL until it is open */

	/* stream.c's */
	struct flow *flow; /* asks for it now, or NULL */
	char *request_id; /* of the request that opened it */
	uint64_t told_ms; /* when something was sent last */
	bool news; /* came while it asked: it has to ask again */
	struct stream_list *list; /* in which it waits, or NULL */
	TAILQ_ENTRY(stream) link;
};

struct streams *streams_new(struct app *app);
void streams_free(struct streams *streams); /* no stream is left */

/* Lets those ask whose time has come, a few each turn of the loop. True where more of them wait. */
bool streams_turn(struct streams *streams);

/* A zeroed stream of `size` bytes, for the request's reply to open: the flow of *opening, a copy of the request, will
 * have it. NULL where that cannot be: the request was answered. */
void *stream_new(size_t size, const struct stream_kind *kind, const struct request *request,
	struct request *opening);

/* The request that an open stream asks with; what else a flow needs of it is the caller's to fill in. */
struct request stream_request(struct stream *stream, enum priority priority);

/* There is news for it: it asks in this turn, or as soon as that can be. */
void stream_has_news(struct stream *stream);

/* Ends and frees it. last: the event that says why, or NULL. */
void stream_end(struct stream *stream, const struct server_event *last);
void stream_end_problem(struct stream *stream, enum problem problem);

/* --- for net.c --- */

/* The client went away; the stream is freed. */
void stream_lose_client(struct stream *stream);

/* The client has read what it was slow to read. May be called where nothing waited for it. */
void stream_client_reads(struct stream *stream);

/* --- for flow.c --- */

void stream_set_flow(struct stream *stream, struct flow *flow);

/* Its flow could not begin, and the request that was to open it was answered. */
void stream_refused(struct stream *stream);

/* The flow's end. */
void stream_answer(struct stream *stream, const struct flow *flow, struct reply *reply);

#endif
