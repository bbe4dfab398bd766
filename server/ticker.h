/* The admission ticker: runs the admission script for each event that has a line, each tick_ms where
 * somebody is in it or asked for it lately, else each second. Every instance ticks; the script is safe to
 * run from many. */
#ifndef ONSALE_SERVER_TICKER_H
#define ONSALE_SERVER_TICKER_H

struct app;

struct ticker *ticker_new(struct app *app);
/* After redis_free: no tick is under way any more. */
void ticker_free(struct ticker *ticker);

#endif
