/* What happened, counted while it happens: each reply once, under its step and its status, with its latency
 * from the intended start of the request. A line on standard error each second, one JSON object at the end. */
#ifndef ONSALE_BENCH_SWARM_REPORT_H
#define ONSALE_BENCH_SWARM_REPORT_H

#include <stdint.h>
#include "bench/swarm/client.h"
#include "bench/swarm/histogram.h"

enum step { STEP_GET, STEP_JOIN, STEP_POLL, STEP_LOOK, STEP_HOLD, STEP_PAY, STEP_LEAVE, STEPS };

/* How it ended for a visitor. */
enum ending {
	END_DONE, /* all steps were gone, the last one with success */
	END_TAKEN, /* the seats were somebody else's, as often as they were tried for */
	END_SOLD_OUT, /* … or none was left */
	END_REFUSED, /* by another status */
	END_LOST, /* no reply, as often as it was tried */
	END_UNFINISHED, /* the run ended before */
	ENDINGS
};

enum { REPORT_STATUSES = 1000 };

struct report_step {
	uint64_t replies;
	uint64_t last_us; /* of the last reply, since the start */
	uint64_t statuses[REPORT_STATUSES];
	struct histogram latency;
};

struct report {
	const char *mode;
	uint64_t start_us, end_us; /* end: the last reply's time */
	uint64_t intended, started; /* visitors */
	uint64_t replies;
	uint64_t lost[CLIENT_LOST_MALFORMED + 1]; /* requests without a reply, by why */
	uint64_t unanswered; /* … when the run ended */
	uint64_t ended[ENDINGS];
	uint64_t released_us; /* how long the release of a rush took; 0: there was none */
	unsigned established, open_peak;
	struct report_step steps[STEPS];

	/* report.c's */
	uint64_t last_line_us, last_line_replies;
};

void report_reply(
	struct report *report, enum step step, int status, uint64_t intended_us, uint64_t now_us);

void report_progress(struct report *report, uint64_t now_us, uint64_t active, unsigned open);

/* The result, a line on standard output; false where it could not be written. */
bool report_print(const struct report *report) MUST_CHECK;

#endif
