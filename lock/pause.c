/* Pauses between tries; jittered, so that those who wait for one seat do not come back together. */
#include "lock/pause.h"

#include <event2/event.h>
#include <sodium.h>
#include "proto/base/clock.h"

enum { PAUSE_MIN_MS = 5, PAUSE_MAX_MS = 25 };

static uint64_t now_ms(void)
{
	return clock_mono_us_now() / 1000;
}

uint64_t pause_give_up_ms(unsigned wait_ms)
{
	return now_ms() + wait_ms;
}

bool pause_given_up(uint64_t give_up_ms)
{
	return now_ms() >= give_up_ms;
}

void pause_begin(struct event *timer, uint64_t give_up_ms)
{
	uint64_t now = now_ms(), left_ms = give_up_ms > now ? give_up_ms - now : 0;
	uint64_t pause_ms = PAUSE_MIN_MS + randombytes_uniform(PAUSE_MAX_MS - PAUSE_MIN_MS + 1);
	if (pause_ms > left_ms)
		pause_ms = left_ms;
	struct timeval time = {.tv_usec = (suseconds_t)pause_ms * 1000};
	evtimer_add(timer, &time);
}
