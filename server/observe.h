/* What became of each request. Every one that is answered comes by here once, when its reply is made: by a flow, by a
 * guard before any flow, or as no HTTP at all. It is counted by route and status, and how long it took.
 *
 * What is known of a request before its end is its trail: its connection has it first, and a flow takes a copy along,
 * since it may outlive the connection. Clocks are read twice a request: when it has come whole and when it ends. */
#ifndef ONSALE_SERVER_OBSERVE_H
#define ONSALE_SERVER_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/base/histogram.h"
#include "proto/problem.h"

struct conn;

/* Where a request's time goes, in this order as a rule; they add up to the whole. */
enum trail_stage {
	STAGE_PARSE, /* from its first byte until it had come whole and its turn came */
	STAGE_REDIS, /* waiting for Redis, its own turn included */
	STAGE_POSTGRESQL, /* … for PostgreSQL, a lane included */
	STAGE_REPLY, /* all else: the work of the flow, and what else it waited for */
	STAGES
};

const char *stage_name(enum trail_stage stage);

struct trail {
	uint64_t begun_us; /* its first byte came; monotonic, as of that turn */
	uint64_t marked_us; /* up to here the stages tell */
	uint32_t stages_us[STAGES];
	uint32_t route; /* as route.h numbers them */
	int64_t user_id; /* who asks; 0: not known */
};

/* Its first byte came in this turn. */
void trail_begin(struct trail *trail);
/* It has come whole. */
void trail_routed(struct trail *trail, unsigned route);
/* What has gone by since the last mark was this stage's: as exact as the turn's clock. */
void trail_mark(struct trail *trail, enum trail_stage stage);

/* A request's end. Lives until observe returns. */
struct observation {
	const struct trail *trail; /* its stages are whole, and marked_us is its end */
	const char *request_id;
	const struct conn *conn; /* NULL: the client has gone, and nobody hears the reply */
	int status;
	enum problem problem; /* PROBLEM_COUNT: none is known */
	size_t body_len;
	bool replayed; /* a reply given again under its key */
};

struct observer;

/* routes: how many there are. */
struct observer *observer_new(unsigned routes);
void observer_free(struct observer *observer);

/* Ends the trail, and counts. */
void observe(struct observer *observer, struct trail *trail, const struct observation *observation);

/* --- what was counted, since the start --- */

/* Statuses that were replied, in the order in which they first were; 0 past the last one. */
enum { STATUSES_MAX = 48 };
int observed_status(const struct observer *observer, unsigned i);
/* Requests of a route that were answered with the i-th status. */
uint64_t observed_count(const struct observer *observer, unsigned route, unsigned i);
/* How long those of a route took, in microseconds. */
const struct histogram *observed_times(const struct observer *observer, unsigned route);
uint64_t observed_stage_us(const struct observer *observer, unsigned route, enum trail_stage stage);
/* Refusals that were said, those under a known key included. */
uint64_t observed_refusals(const struct observer *observer, enum problem problem);

#endif
