/* Files of a text a line: people with their tokens, as `onsale users` prints them, queue tokens, passes. A
 * file is mapped, not read: a million people cost the index alone. */
#ifndef ONSALE_BENCH_SWARM_LINES_H
#define ONSALE_BENCH_SWARM_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/base/check.h"

struct line {
	const char *text; /* the last word of the line; no NUL follows */
	size_t len; /* 0: the line is empty */
};

/* A zeroed struct is valid and has no lines. */
struct lines {
	struct line *list;
	size_t count;
	char *mapped;
	size_t mapped_len;
};

/* Reads all lines but the first `skip`; false with the reason in `why`. */
bool lines_read(
	struct lines *lines, const char *path, size_t skip, char *why, size_t why_size) MUST_CHECK;
void lines_free(struct lines *lines);

#endif
