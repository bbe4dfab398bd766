/* A line's watchers stand in one array, since each tick looks at all of them: 24 bytes each, in a row. */
#include "server/line_watch.h"

#include <stdlib.h>
#include "proto/base/check.h"
#include "proto/digest.h"
#include "queue/picture.h"
#include "server/app.h"
#include "server/catalog.h"
#include "server/stream.h"

enum {
	/* Whom no picture shows asks at so many ticks, and then only at its pace: it has just come, or stands in front
	 * of all that pictures show since Redis was lost. */
	UNSHOWN_ASKS_MAX = 3,
	CAPACITY_FIRST = 16
};

struct watched {
	int64_t number; /* 0: there is nothing to look for */
	struct stream *stream;
	struct line_watcher *watcher;
	unsigned unshown; /* asked since a picture showed it */
};

/* What everybody in a line is told alike. */
struct told {
	bool paused, sold_out, open;
	enum queue_shuffle shuffle;
	struct digest message;
};

struct line_watch {
	struct watched *list;
	size_t count, capacity;
	int64_t revision; /* of the event whose message was told */
	struct told told;
};

static struct digest digest_message(const struct catalog_event *event)
{
	struct digest_part part = {event->row.message, strlen(event->row.message)};

	return digest_of(&part, 1);
}

static struct told what_is_told(const struct catalog_event *event, const struct line_watch *watch)
{
	return (struct told){.paused = event->row.queue_paused,
		.sold_out = catalog_sold_out(event),
		.open = catalog_open(event),
		.shuffle = event->shuffle,
		.message = event->row.revision == watch->revision ? watch->told.message
								  : digest_message(event)};
}

static bool same(const struct told *a, const struct told *b)
{
	return a->paused == b->paused && a->sold_out == b->sold_out && a->open == b->open &&
	       a->shuffle == b->shuffle && memcmp(&a->message, &b->message, sizeof a->message) == 0;
}

static void note_told(struct catalog_event *event)
{
	event->watch->told = what_is_told(event, event->watch);
	event->watch->revision = event->row.revision;
}

static void reserve(struct line_watch *watch)
{
	if (watch->count < watch->capacity)
		return;
	watch->capacity = watch->capacity > 0 ? 2 * watch->capacity : CAPACITY_FIRST;
	watch->list = must_realloc(watch->list, watch->capacity * sizeof *watch->list);
}

void line_watch_add(
	struct line_watcher *watcher, struct catalog_event *event, struct stream *stream)
{
	if (event->watch == NULL) {
		event->watch = must_calloc(1, sizeof *event->watch);
		note_told(event);
	}
	struct line_watch *watch = event->watch;

	reserve(watch);
	*watcher = (struct line_watcher){.event = event, .at = watch->count};
	watch->list[watch->count++] = (struct watched){.stream = stream, .watcher = watcher};
}

/* The last one takes its place. */
void line_watch_remove(struct line_watcher *watcher)
{
	if (watcher->event == NULL)
		return;
	struct line_watch *watch = watcher->event->watch;

	watch->list[watcher->at] = watch->list[--watch->count];
	watch->list[watcher->at].watcher->at = watcher->at;
	if (watch->count == 0) {
		free(watch->list);
		free(watch);
		watcher->event->watch = NULL;
	}
	watcher->event = NULL;
}

void line_watch_told(struct line_watcher *watcher, int64_t number)
{
	if (watcher->event != NULL)
		watcher->event->watch->list[watcher->at].number = number;
}

static void look_for(const struct picture *picture, struct watched *watched)
{
	int64_t ahead;

	if (watched->number == 0)
		return;
	if (picture != NULL && picture_find(picture, watched->number, &ahead)) {
		watched->unshown = 0;
	} else if (watched->unshown < UNSHOWN_ASKS_MAX) {
		watched->unshown++;
		stream_has_news(watched->stream);
	}
}

/* There is no picture of a line in which nobody waits, and none of one that is too long or being shuffled: there
 * everybody asks at their pace. */
void line_watch_ticked(struct app *app, struct catalog_event *event)
{
	struct line_watch *watch = event->watch;
	const struct picture *picture = queue_picture(app->queue, event->row.id);

	if (watch == NULL)
		return;
	for (size_t i = 0; (picture != NULL || event->waiting == 0) && i < watch->count; i++)
		look_for(picture, &watch->list[i]);
	queue_want_picture(app->queue, event->row.id);
}

void line_watch_look(struct app *app)
{
	for (size_t i = 0; i < catalog_event_count(app->catalog); i++) {
		struct catalog_event *event = catalog_event_at(app->catalog, i);
		struct line_watch *watch = event->watch;

		if (watch == NULL)
			continue;
		struct told now = what_is_told(event, watch);
		bool news = !same(&now, &watch->told);
		note_told(event);
		for (size_t j = 0; news && j < watch->count; j++)
			stream_has_news(watch->list[j].stream);
	}
}
