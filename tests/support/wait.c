/* The pause between two looks is short, so that what is waited for is seen soon; it decides nothing. */
#include "tests/support/wait.h"

#include <time.h>

enum { PAUSE_NS = 3 * 1000 * 1000 };

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool wait_until(bool (*condition)(void *context), void *context, unsigned limit_ms)
{
	uint64_t end_ms = now_ms() + limit_ms;
	struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (!condition(context)) {
		if (now_ms() >= end_ms)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}
