/* Whoever watches asks each second, and derives what a second brought: counters only grow, and percentiles come of
 * the counts of buckets. */
#include "server/figures.h"

#include <string.h>
#include <unistd.h>
#include "db/pg.h"
#include "db/redis.h"
#include "db/store_operators.h"
#include "lock/seat_lock.h"
#include "proto/base/check.h"
#include "proto/json.h"
#include "server/app.h"
#include "server/catalog.h"
#include "server/loop_lag.h"
#include "server/net.h"
#include "server/observe.h"
#include "server/route.h"

enum { HOST_MAX = 256 };

static void write_line(struct buf *out, const struct store_event *row)
{
	buf_printf(out,
		",\"line\":{\"enabled\":%s,\"paused\":%s,\"capacity\":%lld,\"admit_per_second\":%lld,"
		"\"message\":",
		row->queue_enabled ? "true" : "false", row->queue_paused ? "true" : "false",
		(long long)row->capacity, (long long)row->admit_per_second);
	if (row->message[0] != '\0')
		json_write_text(out, row->message);
	else
		buf_append_text(out, "null");
	buf_append_char(out, '}');
}

/* --- the instance --- */

/* Another one after each start, as its counters are. */
static void write_instance(struct buf *out)
{
	char host[HOST_MAX], name[HOST_MAX + 16];

	if (gethostname(host, sizeof host) != 0)
		strcpy(host, "?");
	host[sizeof host - 1] = '\0';
	snprintf(name, sizeof name, "%s/%ld", host, (long)getpid());
	buf_append_text(out, "\"instance\":");
	json_write_text(out, name);
}

static void write_requests(struct buf *out, const struct observer *observer)
{
	uint64_t by_class[6] = {0};
	int status;

	for (unsigned i = 0; (status = observed_status(observer, i)) != 0; i++)
		for (unsigned route = 0; route < route_count(); route++)
			by_class[status / 100] += observed_count(observer, route, i);
	buf_append_text(out, ",\"requests\":{");
	for (unsigned i = 2; i < ARRAY_LEN(by_class); i++)
		buf_printf(out, "%s\"%uxx\":%llu", i > 2 ? "," : "", i,
			(unsigned long long)by_class[i]);
	buf_append_char(out, '}');
}

/* Those that there were. */
static void write_refusals(struct buf *out, const struct observer *observer)
{
	const char *comma = "";

	buf_append_text(out, ",\"refusals\":{");
	for (enum problem problem = 0; problem < PROBLEM_COUNT; problem++) {
		uint64_t count = observed_refusals(observer, problem);

		if (count == 0)
			continue;
		buf_printf(out, "%s\"%s\":%llu", comma, problem_code(problem),
			(unsigned long long)count);
		comma = ",";
	}
	buf_append_char(out, '}');
}

static const struct histogram *times_of(
	const struct observer *observer, const char *method, const char *path)
{
	unsigned route = ROUTE_TABLE;

	while (route < route_count() &&
		!(strcmp(route_method(route), method) == 0 && strcmp(route_path(route), path) == 0))
		route++;
	CHECK(route < route_count());
	return observed_times(observer, route);
}

static void write_counts(struct buf *out, const char *name, const struct histogram *histogram)
{
	CHECK(histogram->bounds == &histogram_times_us);
	buf_printf(out, ",\"%s\":[", name);
	for (unsigned i = 0; i <= histogram->bounds->count; i++)
		buf_printf(
			out, "%s%llu", i > 0 ? "," : "", (unsigned long long)histogram->counts[i]);
	buf_append_char(out, ']');
}

/* How many took how long: at most each bound, and over the last one. */
static void write_latency(struct buf *out, const struct app *app)
{
	static const struct histogram_bounds *bounds = &histogram_times_us;
	const struct observer *observer = app->observer;

	buf_append_text(out, ",\"latency\":{\"bounds_ms\":[");
	for (unsigned i = 0; i < bounds->count; i++)
		buf_printf(out, "%s%g", i > 0 ? "," : "", (double)bounds->most[i] / 1000);
	buf_append_char(out, ']');
	write_counts(out, "hold", times_of(observer, "POST", "/v1/reservations"));
	write_counts(out, "pay", times_of(observer, "POST", "/v1/reservations/{}/payment"));
	write_counts(out, "poll", times_of(observer, "GET", "/v1/queue"));
	if (app->loop_lag != NULL)
		write_counts(out, "loop", loop_lag_us(app->loop_lag));
	buf_append_char(out, '}');
}

/* Of the requests for seat locks: those that found a seat taken. */
static void write_locks(struct buf *out, const struct seat_locks *locks)
{
	struct seat_lock_stats stats = {0};

	if (locks != NULL)
		stats = seat_lock_stats(locks);
	buf_printf(out, ",\"locks\":{\"attempts\":%llu,\"taken\":%llu}",
		(unsigned long long)stats.attempts,
		(unsigned long long)stats.results[SEAT_LOCK_TAKEN]);
}

static const char *breaker_name(const struct app *app)
{
	static const char *const names[] = {[REDIS_BREAKER_CLOSED] = "closed",
		[REDIS_BREAKER_OPEN] = "open",
		[REDIS_BREAKER_HALF_OPEN] = "half_open"};

	return strcmp(app->settings.redis_url, "none") == 0 ? "none"
							    : names[redis_breaker(app->redis)];
}

static void write_server(struct buf *out, const struct app *app)
{
	const struct counters *counters = &app->counters;
	uint64_t shed = 0;

	for (enum priority priority = 0; priority < PRIORITIES; priority++)
		shed += counters->shed[priority];
	buf_append_text(out, ",\"server\":{");
	write_instance(out);
	write_requests(out, app->observer);
	write_refusals(out, app->observer);
	write_latency(out, app);
	write_locks(out, app->locks);
	buf_printf(out,
		",\"shed\":%llu,\"in_flight\":%u,\"connections\":%u,"
		"\"redis\":{\"up\":%s,\"breaker\":\"%s\"},"
		"\"lanes\":{\"up\":%u,\"of\":%lld,\"depth\":%u}}",
		(unsigned long long)shed, counters->in_flight, net_connections(app->net),
		redis_up(app->redis) ? "true" : "false", breaker_name(app), pg_lanes_up(app->pg),
		(long long)app->settings.db_lanes, pg_pending(app->pg));
}

void figures_write(struct buf *out, const struct app *app, const struct catalog_event *event,
	const struct store_stats *store)
{
	buf_printf(out,
		"{\"event_id\":%lld,\"waiting\":%lld,\"active\":%lld,\"holding\":%lld,\"joined\":%lld,"
		"\"admitted\":%lld,\"abandoned\":%lld,\"seats\":%lld,\"held\":%lld,\"sold\":%lld,"
		"\"revenue\":%lld",
		(long long)event->row.id, (long long)event->waiting, (long long)event->live,
		(long long)event->holding, (long long)event->joined_total,
		(long long)event->admitted_total, (long long)event->abandoned_total,
		(long long)event->seats_total, (long long)store->held, (long long)store->sold,
		(long long)store->revenue);
	write_line(out, &event->row);
	write_server(out, app);
	buf_append_char(out, '}');
}
