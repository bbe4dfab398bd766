/* The figures that operators watch, as JSON: of an event, and of the instance that tells them. */
#ifndef ONSALE_SERVER_FIGURES_H
#define ONSALE_SERVER_FIGURES_H

#include "proto/base/buf.h"

struct app;
struct catalog_event;
struct store_stats;

/* How much room a body may take. */
enum { FIGURES_MAX = 16 * 1024 };

/* The body of GET …/stats, of which each picture of …/live is one. store: what was just read. */
void figures_write(struct buf *out, const struct app *app, const struct catalog_event *event,
	const struct store_stats *store);

#endif
