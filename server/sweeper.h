/* The sweeper: ends lapsed holds, and drops old idempotency records, log-outs of expired tokens and events told long ago, each
 * seat.sweep_ms, on one instance at a time where Redis is there to say which. For tidiness alone: every judge
 * looks at a hold's expiry. */
#ifndef ONSALE_SERVER_SWEEPER_H
#define ONSALE_SERVER_SWEEPER_H

struct app;

struct sweeper *sweeper_new(struct app *app);
/* After pg_free and redis_free: no sweep is under way any more. */
void sweeper_free(struct sweeper *sweeper);

#endif
