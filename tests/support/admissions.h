/* The admission script's own stream, onsale:{E}:admitted: who was let in, in which order, and how many were
 * in then. */
#ifndef ONSALE_TESTS_SUPPORT_ADMISSIONS_H
#define ONSALE_TESTS_SUPPORT_ADMISSIONS_H

#include <stddef.h>
#include <stdint.h>
#include "tests/support/redis_process.h"

struct admission {
	int64_t user_id, number, live, capacity, at_ms;
};

struct admissions {
	struct admission *list;
	size_t count;
};

void admissions_read(
	struct admissions *admissions, const struct redis_process *redis, int64_t event_id);
void admissions_free(struct admissions *admissions);

#endif
