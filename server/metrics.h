/* The page of /metrics, written in one go from numbers at hand: nothing is asked of a store. */
#ifndef ONSALE_SERVER_METRICS_H
#define ONSALE_SERVER_METRICS_H

struct app;
struct buf;
struct observer;

void metrics_write(struct buf *out, struct app *app);

/* Its part about requests. */
void metrics_write_requests(struct buf *out, const struct observer *observer);

#endif
