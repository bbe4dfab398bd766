/* What is refused when there is too much to do: early, before anything was spent on it, and by what it is
 * worth. Whoever holds a seat gets to pay, whoever was admitted gets to hold, and only then come polls, joins
 * and whatever else there is.
 *
 * Two things are measured: requests in work, against http.in_flight_max; and how long an operation waits for
 * PostgreSQL, against db.backlog_max_ms. Each priority is refused at its share of them. While memory cannot be had,
 * only operators are served. */
#ifndef ONSALE_SERVER_SHED_H
#define ONSALE_SERVER_SHED_H

#include <stdbool.h>

struct app;

enum priority {
	PRIORITY_OPERATOR, /* steers, watches, or makes room: never refused for PostgreSQL's sake */
	PRIORITY_PAY,
	PRIORITY_HOLD,
	PRIORITY_POLL,
	PRIORITY_JOIN,
	PRIORITY_ACCOUNT, /* people looking after themselves: they can come back later */
	PRIORITIES
};

/* May another request of this priority begin? It is counted where not. */
bool shed_admits(struct app *app, enum priority priority);

const char *priority_name(enum priority priority);

#endif
