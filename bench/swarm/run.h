/* A run: visitors begin, take their steps and end, until all that are intended have, or the time is over.
 *   run_prepare -> run -> report_print -> run_free */
#ifndef ONSALE_BENCH_SWARM_RUN_H
#define ONSALE_BENCH_SWARM_RUN_H

#include <stdio.h>
#include "bench/swarm/visitor.h"

SLIST_HEAD(free_visitors, place);

struct run {
	struct options options;
	struct event_base *base;
	struct visits visits;
	struct report report;
	struct place *places; /* one for each visitor that there may be at once */
	size_t places_max, places_used;
	struct free_visitors free;
	uint64_t journeys; /* that are to begin; UINT64_MAX: as many as there is time for */
	uint64_t begun, over;
	uint64_t end_us, limit_us; /* no visitor begins after the first, all ends at the second */
	uint64_t arrival_us; /* when the next one is due, of an open loop */
	struct event tick, arrivals, interrupt, terminate;
	size_t ready; /* of a rush */
	char **passes; /* of the journeys, where they are to be written */
	FILE *out;
};

/* False with the reason in `why`; run_free either way, on what was zeroed before. */
bool run_prepare(struct run *run, char *why, size_t why_size) MUST_CHECK;

/* Until all is over, or a SIGINT or SIGTERM; false where what --out is for could not be written. */
bool run_all(struct run *run) MUST_CHECK;
void run_free(struct run *run);

#endif
