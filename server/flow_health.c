/* For those who run it: is the loop turning, may traffic come, what has been counted. */
#include <string.h>
#include "db/pg.h"
#include "db/redis.h"
#include "lock/redlock.h"
#include "proto/base/clock.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/known_people.h"
#include "server/net.h"
#include "server/outbox.h"
#include "server/revocations.h"

enum { METRICS_MAX = 64 * 1024 };

void livez_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);

	if (flow != NULL)
		flow_reply_json(flow, 200, "{\"status\":\"ok\"}", strlen("{\"status\":\"ok\"}"));
}

/* Without PostgreSQL nothing is sold; without Redis selling goes on. */
void readyz_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const struct app *app = request->app;
	bool degraded = app_degraded(app);

	if (flow == NULL)
		return;
	if (app->draining || !app_ready(app)) {
		flow_fail_extra(flow, PROBLEM_UNAVAILABLE,
			app->draining ? ",\"down\":[\"draining\"]" : ",\"down\":[\"postgresql\"]",
			NULL);
		return;
	}
	const char *body = degraded ? "{\"status\":\"ok\",\"degraded\":[\"redis\"]}"
				    : "{\"status\":\"ok\",\"degraded\":[]}";
	flow_reply_json(flow, 200, body, strlen(body));
}

static void metric(
	struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
		(unsigned long long)value);
}

static void shed_metrics(struct buf *out, const struct counters *counters)
{
	buf_append_text(out,
		"# HELP onsale_requests_shed_total Requests refused because there was too much to do.\n"
		"# TYPE onsale_requests_shed_total counter\n");
	for (enum priority priority = 0; priority < PRIORITIES; priority++)
		buf_printf(out, "onsale_requests_shed_total{priority=\"%s\"} %llu\n",
			priority_name(priority), (unsigned long long)counters->shed[priority]);
}

static void stream_metrics(struct buf *out, const struct counters *counters)
{
	metric(out, "onsale_streams", "gauge", "Event streams open.", counters->streams);
	metric(out, "onsale_stream_events_total", "counter", "Events sent to streams.",
		counters->pushes);
	metric(out, "onsale_streams_cut_total", "counter",
		"Streams closed since their clients did not read.", counters->streams_cut);
}

static void outbox_metrics(struct buf *out, const struct outbox *outbox)
{
	struct outbox_counts counts = outbox_counts(outbox);

	metric(out, "onsale_outbox_published_total", "counter",
		"Events of the outbox that this instance has delivered.", counts.published);
	metric(out, "onsale_outbox_failures_total", "counter",
		"Batches of the outbox that PostgreSQL or the target did not take.",
		counts.failures);
	buf_printf(out,
		"# HELP onsale_outbox_lag_seconds Age of the oldest event that is not delivered.\n"
		"# TYPE onsale_outbox_lag_seconds gauge\nonsale_outbox_lag_seconds %llu.%03llu\n",
		(unsigned long long)counts.lag_ms / 1000, (unsigned long long)counts.lag_ms % 1000);
}

static void redlock_metrics(struct buf *out, const struct redlock *redlock)
{
	const struct redlock_stats *stats = redlock_stats(redlock);

	metric(out, "onsale_redlock_nodes_up", "gauge", "Redis of the Redlock that are up.",
		redlock_nodes_up(redlock));
	metric(out, "onsale_redlock_split_total", "counter",
		"Seat locks that nobody had most of the Redlock's Redis for.", stats->split);
	metric(out, "onsale_redlock_away_total", "counter",
		"Seat locks that most of the Redlock's Redis did not answer for.", stats->away);
}

void metrics_start(const struct request *request)
{
	struct flow *flow = flow_new(sizeof *flow, request);
	const struct app *app = request->app;
	const struct counters *counters = &app->counters;
	struct buf out = BUF_INIT(METRICS_MAX);

	if (flow == NULL)
		return;
	metric(&out, "onsale_requests_total", "counter", "Requests routed.", counters->requests);
	shed_metrics(&out, counters);
	metric(&out, "onsale_requests_limited_total", "counter",
		"Requests refused by a rate limit.", counters->limited);
	metric(&out, "onsale_in_flight", "gauge", "Requests in work.", counters->in_flight);
	metric(&out, "onsale_in_flight_peak", "gauge",
		"The most requests that were ever in work at once.", counters->in_flight_peak);
	metric(&out, "onsale_clients_gone_total", "counter",
		"Clients that left before their reply.", counters->clients_gone);
	metric(&out, "onsale_replays_total", "counter",
		"Replies given again under their Idempotency-Key.", counters->replays);
	metric(&out, "onsale_polls_from_picture_total", "counter",
		"Polls answered as of the last tick, without asking Redis.",
		queue_pictured(app->queue));
	metric(&out, "onsale_holds_total", "counter", "Holds made.", counters->holds);
	metric(&out, "onsale_holds_lost_total", "counter",
		"Holds that PostgreSQL refused, since their seats were taken.",
		counters->holds_lost);
	metric(&out, "onsale_seat_conflicts_total", "counter",
		"Holds judged again, since a seat changed between an optimistic look and its lock.",
		counters->seat_conflicts);
	metric(&out, "onsale_payments_total", "counter", "Payments made.", counters->payments);
	metric(&out, "onsale_seat_map_reads_total", "counter", "Seat maps read from PostgreSQL.",
		counters->seat_map_reads);
	metric(&out, "onsale_seat_map_copies_total", "counter",
		"Seat maps taken from Redis, where another instance left them.",
		counters->seat_map_copies);
	metric(&out, "onsale_seat_map_messages_total", "counter",
		"Changes of seats that other instances told of.", counters->seat_map_messages);
	metric(&out, "onsale_loop_turn_max_microseconds", "gauge",
		"The most that one turn of the loop ever computed.", counters->turn_max_us);
	metric(&out, "onsale_connections", "gauge", "Client connections open.",
		net_connections(app->net));
	stream_metrics(&out, counters);
	metric(&out, "onsale_redis_pending", "gauge", "Redis commands in flight.",
		redis_pending(app->redis));
	metric(&out, "onsale_redis_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.",
		redis_breaker(app->redis));
	if (app->redlock != NULL)
		redlock_metrics(&out, app->redlock);
	metric(&out, "onsale_redis_listening", "gauge",
		"1 while other instances' messages are heard.", redis_up(app->listener));
	metric(&out, "onsale_postgresql_lanes_up", "gauge", "Lanes that are connected and ready.",
		pg_lanes_up(app->pg));
	metric(&out, "onsale_postgresql_pending", "gauge",
		"PostgreSQL operations waiting or in flight.", pg_pending(app->pg));
	metric(&out, "onsale_postgresql_backlog_milliseconds", "gauge",
		"How long an operation waits for a lane.", (uint64_t)app->backlog_ms);
	metric(&out, "onsale_revocations", "gauge",
		"Access tokens that were logged out and have not expired.",
		revocations_count(app->revocations));
	metric(&out, "onsale_known_tokens", "gauge",
		"Access tokens that were verified and are remembered.",
		known_people_count(app->known_tokens));
	metric(&out, "onsale_known_identities", "gauge",
		"People of the identity provider whose users are remembered.",
		known_people_count(app->known_identities));
	outbox_metrics(&out, app->outbox);
	flow_reply(flow, 200, "text/plain; version=0.0.4; charset=utf-8",
		"Cache-Control: no-store\r\n", out.data, out.len);
	buf_free(&out);
}
