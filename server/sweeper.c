/*   on_timer -> mutex_had -> swept */
#include "server/sweeper.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include "db/store_reservations.h"
#include "lock/mutex.h"
#include "proto/base/check.h"
#include "server/app.h"

/* An owner that died, or was never told that the mutex is its own, keeps the others from sweeping for so long:
 * well below the 5 s after which a lapsed hold counts as an orphan. */
enum { SWEEP_LIMIT = 500, MUTEX_TTL_MS = 2000 };

struct sweeper {
	struct app *app;
	struct event *timer;
	struct mutex *mutex;
	struct store_sweep store;
	bool running, owner;
};

static void sweep(struct sweeper *sweeper);
static void swept(struct pg_op *op, enum db_result result);

static void mutex_had(void *context, enum mutex_result result)
{
	struct sweeper *sweeper = context;

	sweeper->owner = result == MUTEX_OURS;
	if (result == MUTEX_TAKEN)
		sweeper->running = false;
	else
		sweep(sweeper); /* also without Redis: sweeping twice does no harm */
}

static void sweep(struct sweeper *sweeper)
{
	sweeper->store = (struct store_sweep){.op = {.done = swept, .owner = sweeper},
		.limit = SWEEP_LIMIT,
		.nobody_told = strcmp(sweeper->app->settings.outbox_target, "none") == 0,
		.keep_days = sweeper->app->settings.outbox_keep_days};
	store_sweep(sweeper->app->pg, &sweeper->store);
}

static void swept(struct pg_op *op, enum db_result result)
{
	struct sweeper *sweeper = op->owner;
	const struct store_sweep *store = &sweeper->store;

	if (result == DB_OK)
		sweeper->app->counters.expiries += (uint64_t)store->swept;
	if (result == DB_OK && (store->swept == SWEEP_LIMIT || store->keys_dropped == SWEEP_LIMIT ||
				       store->revocations_dropped == SWEEP_LIMIT ||
				       store->events_dropped == SWEEP_LIMIT ||
				       store->untold_dropped == SWEEP_LIMIT)) {
		sweep(sweeper); /* there is more */
		return;
	}
	sweeper->running = false;
	if (sweeper->owner)
		mutex_release(sweeper->mutex);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct sweeper *sweeper = arg;
	(void)fd;
	(void)what;

	if (sweeper->running || sweeper->app->stopping)
		return;
	sweeper->running = true;
	mutex_acquire(sweeper->mutex, mutex_had, sweeper);
}

struct sweeper *sweeper_new(struct app *app)
{
	struct sweeper *sweeper = must_calloc(1, sizeof *sweeper);
	int64_t ms = app->settings.seat_sweep_ms;
	struct timeval period = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	sweeper->app = app;
	sweeper->mutex = mutex_new(app->base, app->redis, "sweep", MUTEX_TTL_MS, 0);
	sweeper->timer = event_new(app->base, -1, EV_PERSIST, on_timer, sweeper);
	CHECK(sweeper->timer != NULL);
	event_add(sweeper->timer, &period);
	return sweeper;
}

void sweeper_free(struct sweeper *sweeper)
{
	event_free(sweeper->timer);
	mutex_free(sweeper->mutex);
	free(sweeper);
}
