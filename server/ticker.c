/*   on_timer -> tick_event -> tick_done */
#include "server/ticker.h"

#include <event2/event.h>
#include <stdlib.h>
#include "db/pg.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "server/adopt.h"
#include "server/catalog.h"
#include "server/line_watch.h"
#include "server/shuffler.h"

enum { IDLE_TICK_MS = 1000 };

struct ticker {
	struct app *app;
	struct event *timer;
};

struct tick {
	struct queue_tick queue; /* first: tick_done gets its address */
	struct app *app;
	struct catalog_event *event;
};

/* By the rate that people were told of: before this tick changes it. */
static void check_eta(const struct tick *tick)
{
	struct eta_line line = {.now_ms = tick->queue.now_ms,
		.waiting = tick->queue.waiting,
		.admitted_total = tick->queue.admitted_total,
		.abandoned_total = tick->queue.abandoned_total,
		.rate = &tick->event->rate,
		.paused = tick->event->row.queue_paused};

	eta_check(&tick->event->eta, &tick->app->eta_checks, &line);
}

static void tick_done(struct queue_tick *queue_tick, enum db_result result)
{
	struct tick *tick = (struct tick *)queue_tick;
	struct catalog_event *event = tick->event;

	event->ticking = false;
	if (result == DB_OK && queue_tick->state == QUEUE_NO_EPOCH) {
		adopt_epoch(tick->app, event, 0, NULL);
	} else if (result == DB_OK) {
		event->waiting = queue_tick->waiting;
		event->live = queue_tick->live;
		event->holding = queue_tick->holding;
		event->joined_total = queue_tick->joined_total;
		event->admitted_total = queue_tick->admitted_total;
		event->abandoned_total = queue_tick->abandoned_total;
		event->shuffle = queue_tick->shuffle;
		check_eta(tick);
		if (event->waiting > 0)
			queue_rate_measure(
				&event->rate, queue_tick->now_ms, queue_tick->admitted_total);
		else
			queue_rate_rest(
				&event->rate, queue_tick->now_ms, queue_tick->admitted_total);
		if (event->waiting > 0 || event->live > 0)
			catalog_touch(event);
		if (queue_tick->shuffle == QUEUE_SHUFFLE_CLOSED ||
			(queue_tick->shuffle == QUEUE_SHUFFLE_PENDING && catalog_open(event)))
			shuffler_start(tick->app->shuffler, event);
		line_watch_ticked(tick->app, event);
	}
	free(tick);
}

/* Nobody is admitted unless all is known to be well: the sale is open, the line runs, PostgreSQL answers
 * and the count of seats is young. A line that is shuffled is open once that is done: Redis knows. */
static bool may_admit(const struct app *app, const struct catalog_event *event)
{
	return !event->row.queue_paused && !app->draining &&
	       (catalog_has_shuffle(event) || catalog_open(event)) && pg_up(app->pg) &&
	       catalog_counted(event) && event->seats_available > 0;
}

static void tick_event(struct app *app, struct catalog_event *event)
{
	struct tick *tick = calloc(1, sizeof *tick);

	if (tick == NULL)
		return;
	tick->app = app;
	tick->event = event;
	tick->queue = (struct queue_tick){
		.done = tick_done,
		.event_id = event->row.id,
		.admit = may_admit(app, event),
		.seats_available = event->seats_available,
		.capacity = event->row.capacity,
		.admit_per_second = event->row.admit_per_second,
		.pass_ttl_ms = event->row.pass_ttl_seconds * 1000,
		.claim_within_ms = app->settings.queue_claim_within_ms,
		.abandon_after_ms = event->row.abandon_after_seconds * 1000,
	};
	event->ticking = true;
	event->last_tick_ms = clock_mono_ms();
	queue_tick(app->queue, &tick->queue);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = ((struct ticker *)arg)->app;
	uint64_t now = clock_mono_ms();
	(void)fd;
	(void)what;

	if (app->stopping)
		return;
	for (size_t i = 0; i < catalog_event_count(app->catalog); i++) {
		struct catalog_event *event = catalog_event_at(app->catalog, i);
		bool due = event->active_until_ms > now ||
			   now - event->last_tick_ms >= IDLE_TICK_MS;

		if (event->row.queue_enabled && !event->ticking && due && redis_up(app->redis))
			tick_event(app, event);
	}
}

struct ticker *ticker_new(struct app *app)
{
	struct ticker *ticker = must_calloc(1, sizeof *ticker);
	int64_t ms = app->settings.queue_tick_ms;
	struct timeval period = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	ticker->app = app;
	ticker->timer = event_new(app->base, -1, EV_PERSIST, on_timer, ticker);
	CHECK(ticker->timer != NULL);
	event_add(ticker->timer, &period);
	return ticker;
}

void ticker_free(struct ticker *ticker)
{
	event_free(ticker->timer);
	free(ticker);
}
