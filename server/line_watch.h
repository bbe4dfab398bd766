/* Who waits in a line with a stream open, so that each is told at once of what cannot wait for its next turn: its
 * admission, and what changes for all of the line (paused, its message, opened, sold out). An admission shows in the
 * picture that each tick brings: whom it no longer shows has left the line, and asks. */
#ifndef ONSALE_SERVER_LINE_WATCH_H
#define ONSALE_SERVER_LINE_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct catalog_event;
struct stream;

/* A stream's place among them, embedded in the stream. */
struct line_watcher {
	struct catalog_event *event; /* NULL: it is not among them */
	size_t at; /* line_watch.c's */
};

void line_watch_add(
	struct line_watcher *watcher, struct catalog_event *event, struct stream *stream);
void line_watch_remove(struct line_watcher *watcher);

/* It was told that it waits with this number; 0: that it does not wait, or that its number is not known yet. */
void line_watch_told(struct line_watcher *watcher, int64_t number);

/* A tick has gone by: called by ticker.c. */
void line_watch_ticked(struct app *app, struct catalog_event *event);

/* Looks for what has changed for all of a line. */
void line_watch_look(struct app *app);

#endif
