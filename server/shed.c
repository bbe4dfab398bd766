#include "server/shed.h"

#include <stdint.h>
#include "proto/base/reserve.h"
#include "server/app.h"

/* In percent of the limits; 0: that limit does not bind it. */
static const struct share {
	const char *name;
	int64_t in_flight, backlog;
} shares[PRIORITIES] = {
	[PRIORITY_OPERATOR] = {"operator", 100, 0},
	[PRIORITY_PAY] = {"pay", 100, 200},
	[PRIORITY_HOLD] = {"hold", 90, 100},
	[PRIORITY_POLL] = {"poll", 75, 0},
	[PRIORITY_JOIN] = {"join", 50, 0},
	[PRIORITY_ACCOUNT] = {"account", 50, 50},
};

/* How long one more would wait for PostgreSQL. Holds and payments that were let in and have not come that far, which
 * may be a turn's worth, and more where Redis takes its time, will wait before it: as many of them as lately came that
 * far. Of a crowd for one seat nearly all lose it in Redis. */
static int64_t wait_ms(const struct app *app)
{
	const struct counters *counters = &app->counters;
	int64_t coming = (int64_t)counters->in_work[PRIORITY_PAY] +
			 counters->in_work[PRIORITY_HOLD] - app->pg_pending;

	if (coming <= 0)
		return app->backlog_ms;
	return app->backlog_ms + coming * app->passed_percent / 100 * app->operation_ns / 1000000;
}

static bool fits(const struct app *app, const struct share *share)
{
	const struct settings *settings = &app->settings;

	if (app->counters.in_flight * INT64_C(100) >=
		settings->http_in_flight_max * share->in_flight)
		return false;
	return share->backlog == 0 ||
	       wait_ms(app) * 100 < settings->db_backlog_max_ms * share->backlog;
}

bool shed_admits(struct app *app, enum priority priority)
{
	bool admitted = fits(app, &shares[priority]) &&
			(priority == PRIORITY_OPERATOR || !reserve_short());

	app->counters.shed[priority] += !admitted;
	return admitted;
}

const char *priority_name(enum priority priority)
{
	return shares[priority].name;
}
