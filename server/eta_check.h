/* Is what people are told of their wait true? Of each line one place at a time is watched: the one that is last, or
 * that a minute of admissions is to reach. When as many have been admitted or dropped as stood before it, the time
 * that took is compared with what it was told. */
#ifndef ONSALE_SERVER_ETA_CHECK_H
#define ONSALE_SERVER_ETA_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/base/histogram.h"

struct queue_rate;

/* Of a line; zeroed: nothing is watched. */
struct eta_watch {
	bool watching;
	int64_t begun_ms, ahead;
	int64_t done; /* admitted and dropped, when it began */
	int64_t min_s, max_s; /* what was told */
};

struct eta_checks {
	uint64_t within, outside; /* the wait was as told; it was not */
	struct histogram errors_us; /* by how much it missed the middle of what was told */
};

/* A line as a tick found it. now_ms: by the clock that the ticks go by; paused: nothing is told. */
struct eta_line {
	int64_t now_ms, waiting, admitted_total, abandoned_total;
	const struct queue_rate *rate;
	bool paused;
};
void eta_check(struct eta_watch *watch, struct eta_checks *checks, const struct eta_line *line);

#endif
