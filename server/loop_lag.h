/* How late the loop is. A timer of the kernel's (timerfd) is due each 20 ms; how long after that the loop comes to it
 * is how long anything else that arrived then had to wait: for a turn that computed, or for a core that others had.
 * Those that came due while the loop was away are counted too, each by its own time, so that one long stall is not
 * one sample. */
#ifndef ONSALE_SERVER_LOOP_LAG_H
#define ONSALE_SERVER_LOOP_LAG_H

struct event_base;
struct histogram;
struct loop_lag;

/* NULL where the system has no timer to give: nothing is measured then. */
struct loop_lag *loop_lag_new(struct event_base *base);
void loop_lag_free(struct loop_lag *lag);

/* In microseconds. */
const struct histogram *loop_lag_us(const struct loop_lag *lag);

#endif
