/* Orders pre-sale lines at their opening: the list of entrants is closed in Redis, put in its order on a thread,
 * written to PostgreSQL, and from there given back to Redis as numbers in line.
 *
 * Every instance does it, at the same time or after another died at any point: the first list that is whole in
 * PostgreSQL is the one that all of them go on with. Nobody is admitted before the last number is given. */
#ifndef ONSALE_SERVER_SHUFFLER_H
#define ONSALE_SERVER_SHUFFLER_H

struct app;
struct catalog_event;
struct shuffler;

struct shuffler *shuffler_new(struct app *app);
/* After the stores are closed, which ends what waits for them. */
void shuffler_free(struct shuffler *shuffler);

/* Takes the event's line as far as it gets; nothing where that is under way. The ticker calls it again until
 * the line is shuffled. Nobody waits for it. */
void shuffler_start(struct shuffler *shuffler, struct catalog_event *event);

#endif
