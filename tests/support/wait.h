/* Waiting for a condition, never for a time: a condition is asked again every few milliseconds until it
 * holds or its limit is over. */
#ifndef ONSALE_TESTS_SUPPORT_WAIT_H
#define ONSALE_TESTS_SUPPORT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds on the monotonic clock. */
uint64_t now_ms(void);

/* True as soon as the condition holds; false where it does not within limit_ms. */
bool wait_until(bool (*condition)(void *context), void *context, unsigned limit_ms);

#endif
