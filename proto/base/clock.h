/* Two clocks, read once a loop turn. Durations and deadlines are on the monotonic one; the wall
 * clock only stamps what people and other machines read. */
#ifndef ONSALE_PROTO_BASE_CLOCK_H
#define ONSALE_PROTO_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* A new turn: the loop calls it before it waits for events. */
void clock_turn(void);

/* As of the first of these calls in the turn. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
int64_t clock_unix_ms(void);

/* Read now: for measuring within a turn. */
uint64_t clock_mono_us_now(void);

/* "2026-11-21T10:00:00.000Z" (RFC 3339, UTC, milliseconds) and its NUL. */
#define CLOCK_TEXT_SIZE 25
void clock_format(int64_t unix_ms, char text[CLOCK_TEXT_SIZE]);

/* The Date of replies, as of the turn: "Sat, 21 Nov 2026 10:00:00 GMT" (RFC 9110, 5.6.7). It lives until the
 * next call. */
const char *clock_http_date(void);

/* Parses an RFC 3339 date-time (any offset, fraction optional). False where it is not one, or lies
 * outside of the years 1970 to 9999. */
_Bool clock_parse(const char *text, int64_t *unix_ms);

#endif
