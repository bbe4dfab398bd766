/* The command line: a mode, and the options that modes share. */
#ifndef ONSALE_BENCH_SWARM_OPTIONS_H
#define ONSALE_BENCH_SWARM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bench/swarm/report.h"

enum { OPTIONS_HOST_SIZE = 256 };

struct mode {
	const char *name, *help;
	enum step first, last; /* what a visitor does: these steps and those between */
	bool needs_tokens;
	bool uses_seats;
	bool takes_turns; /* not all visitors of the run at once: one that is done begins anew as the next */
	bool rush; /* all at once */
	bool linger; /* connections are kept until the seconds are over */
};

/* Texts are the command line's own. Numbers that were not given are what the mode takes them for. */
struct options {
	const struct mode *mode;
	const char *url, *tokens, *passes, *queue_tokens, *out, *path, *source;
	const char *spacing, *pick, *then;
	int64_t event, performance, seats, pool, first_seat;
	int64_t count, users, connections, seconds, limit, arrivals;
	int64_t tries, poll_ms, skip, seed;
	char host[OPTIONS_HOST_SIZE], port[8]; /* of the URL */
};

/* False with the reason in `why`, which is empty where help was asked for and printed. */
bool options_read(
	struct options *options, int argc, char **argv, char *why, size_t why_size) MUST_CHECK;

#endif
