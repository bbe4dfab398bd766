/* Short jittered pauses between two tries for what somebody else has, up to a moment of giving up.
 * Measured on the clock read now: a wait is bounded whatever else the loop does. */
#ifndef ONSALE_LOCK_PAUSE_H
#define ONSALE_LOCK_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct event;

/* The moment wait_ms from now, on the monotonic clock. */
uint64_t pause_give_up_ms(unsigned wait_ms);

bool pause_given_up(uint64_t give_up_ms);

/* Arms the timer for 5 to 25 ms, not past the moment of giving up. */
void pause_begin(struct event *timer, uint64_t give_up_ms);

#endif
