/*   on_timer -> mutex_had -> audited
 *
 * The mutex is kept until it lapses: whoever comes while the last audit is young leaves it at that. */
#include "server/auditor.h"

#include <event2/event.h>
#include <stdlib.h>
#include "db/store_operators.h"
#include "lock/mutex.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "server/app.h"

struct auditor {
	struct app *app;
	struct event *timer; /* NULL: nobody audits but operators */
	struct mutex *mutex;
	struct store_audit store;
	struct audit_counts counts;
	uint64_t failures;
	bool running;
};

static void audited(struct pg_op *op, enum db_result result);

static void mutex_had(void *context, enum mutex_result result)
{
	struct auditor *auditor = context;

	if (result == MUTEX_TAKEN) { /* another instance has the newer counts */
		auditor->running = false;
		auditor->counts.known = false;
		return;
	}
	auditor->store = (struct store_audit){.op = {.done = audited, .owner = auditor}};
	store_audit(auditor->app->pg, &auditor->store);
}

static void audited(struct pg_op *op, enum db_result result)
{
	struct auditor *auditor = op->owner;

	auditor->running = false;
	if (result == DB_OK)
		auditor_note(auditor, &auditor->store);
	else
		auditor->failures++;
}

void auditor_note(struct auditor *auditor, const struct store_audit *audit)
{
	auditor->counts = (struct audit_counts){.known = true,
		.double_sold = audit->double_sold,
		.negative_balances = audit->negative_balances,
		.ledger_imbalance = audit->ledger_imbalance,
		.orphan_holds = audit->orphan_holds,
		.unpublished_events = audit->unpublished_events,
		.made_unix_ms = clock_unix_ms()};
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct auditor *auditor = arg;
	(void)fd;
	(void)what;

	if (auditor->running || auditor->app->stopping)
		return;
	auditor->running = true;
	mutex_acquire(auditor->mutex, mutex_had, auditor);
}

struct auditor *auditor_new(struct app *app)
{
	struct auditor *auditor = must_calloc(1, sizeof *auditor);
	int64_t seconds = app->settings.audit_interval_seconds;
	struct timeval period = {.tv_sec = seconds};

	auditor->app = app;
	if (seconds == 0)
		return auditor;
	/* A little less, so that whoever has audited is in time for the next one. */
	auditor->mutex = mutex_new(
		app->base, app->redis, "audit", (unsigned)seconds * 1000 - 200, 0);
	auditor->timer = event_new(app->base, -1, EV_PERSIST, on_timer, auditor);
	CHECK(auditor->timer != NULL);
	event_add(auditor->timer, &period);
	return auditor;
}

void auditor_free(struct auditor *auditor)
{
	if (auditor->timer != NULL) {
		event_free(auditor->timer);
		mutex_free(auditor->mutex);
	}
	free(auditor);
}

struct audit_counts auditor_counts(const struct auditor *auditor)
{
	return auditor->counts;
}

uint64_t auditor_failures(const struct auditor *auditor)
{
	return auditor->failures;
}
