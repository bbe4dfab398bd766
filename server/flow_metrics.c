/* What has been counted, for Prometheus. A page is written in one go, from numbers at hand: nothing is asked of a store. */
#include <stdio.h>
#include "db/pg.h"
#include "db/redis.h"
#include "lock/redlock.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/known_people.h"
#include "server/metrics_text.h"
#include "server/net.h"
#include "server/outbox.h"
#include "server/revocations.h"
#include "server/route.h"

enum { METRICS_MAX = 1024 * 1024 };

static bool was_asked_for(const struct observer *observer, unsigned route)
{
	return histogram_count(observed_times(observer, route)) > 0;
}

static void route_labels(unsigned route, char labels[METRIC_LABELS_SIZE])
{
	snprintf(labels, METRIC_LABELS_SIZE, "route=\"%s\",method=\"%s\"", route_path(route),
		route_method(route));
}

static void request_counts(struct buf *out, const struct observer *observer, unsigned route)
{
	char labels[METRIC_LABELS_SIZE + 32];
	int status;

	for (unsigned i = 0; (status = observed_status(observer, i)) != 0; i++) {
		uint64_t count = observed_count(observer, route, i);

		if (count == 0)
			continue;
		snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%d\"",
			route_path(route), route_method(route), status);
		metric_sample(out, "onsale_requests_total", labels, count);
	}
}

static void stage_times(struct buf *out, const struct observer *observer, unsigned route)
{
	char labels[METRIC_LABELS_SIZE + 32];

	for (enum trail_stage stage = 0; stage < STAGES; stage++) {
		snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",stage=\"%s\"",
			route_path(route), route_method(route), stage_name(stage));
		metric_sample_us(out, "onsale_request_stage_seconds_total", labels,
			observed_stage_us(observer, route, stage));
	}
}

static void refusals(struct buf *out, const struct observer *observer)
{
	char labels[METRIC_LABELS_SIZE];

	metric_family(out, "onsale_refusals_total", "counter",
		"Requests that were refused, by the code that says why.");
	for (enum problem problem = 0; problem < PROBLEM_COUNT; problem++) {
		snprintf(labels, sizeof labels, "code=\"%s\"", problem_code(problem));
		metric_sample(
			out, "onsale_refusals_total", labels, observed_refusals(observer, problem));
	}
}

/* Routes that nobody has asked for take no lines. */
static void request_metrics(struct buf *out, const struct observer *observer)
{
	char labels[METRIC_LABELS_SIZE];

	metric_family(out, "onsale_requests_total", "counter",
		"Requests that were answered, by route, method (HEAD counts as GET) and status.");
	for (unsigned route = 0; route < route_count(); route++)
		request_counts(out, observer, route);
	metric_family(out, "onsale_request_duration_seconds", "histogram",
		"Time from a request's first byte until its reply was made.");
	for (unsigned route = 0; route < route_count(); route++) {
		if (!was_asked_for(observer, route))
			continue;
		route_labels(route, labels);
		metric_histogram_us(out, "onsale_request_duration_seconds", labels,
			observed_times(observer, route));
	}
	metric_family(out, "onsale_request_stage_seconds_total", "counter",
		"Where that time went: until the request had come whole and its turn came, waiting "
		"for Redis, for PostgreSQL, all else.");
	for (unsigned route = 0; route < route_count(); route++)
		if (was_asked_for(observer, route))
			stage_times(out, observer, route);
	refusals(out, observer);
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

static void outbox_metrics(struct buf *out, const struct outbox *outbox)
{
	struct outbox_counts counts = outbox_counts(outbox);

	metric_counter(out, "onsale_outbox_published_total",
		"Events of the outbox that this instance has delivered.", counts.published);
	metric_counter(out, "onsale_outbox_failures_total",
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

	metric_gauge(out, "onsale_redlock_nodes_up", "Redis of the Redlock that are up.",
		redlock_nodes_up(redlock));
	metric_counter(out, "onsale_redlock_split_total",
		"Seat locks that nobody had most of the Redlock's Redis for.", stats->split);
	metric_counter(out, "onsale_redlock_away_total",
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
	request_metrics(&out, app->observer);
	shed_metrics(&out, counters);
	metric_counter(&out, "onsale_requests_limited_total", "Requests refused by a rate limit.",
		counters->limited);
	metric_gauge(&out, "onsale_in_flight", "Requests in work.", counters->in_flight);
	metric_gauge(&out, "onsale_in_flight_peak",
		"The most requests that were ever in work at once.", counters->in_flight_peak);
	metric_counter(&out, "onsale_clients_gone_total", "Clients that left before their reply.",
		counters->clients_gone);
	metric_counter(&out, "onsale_replays_total",
		"Replies given again under their Idempotency-Key.", counters->replays);
	metric_counter(&out, "onsale_polls_from_picture_total",
		"Polls answered as of the last tick, without asking Redis.",
		queue_pictured(app->queue));
	metric_counter(&out, "onsale_holds_total", "Holds made.", counters->holds);
	metric_counter(&out, "onsale_holds_lost_total",
		"Holds that PostgreSQL refused, since their seats were taken.",
		counters->holds_lost);
	metric_counter(&out, "onsale_seat_conflicts_total",
		"Holds judged again, since a seat changed between an optimistic look and its lock.",
		counters->seat_conflicts);
	metric_counter(&out, "onsale_payments_total", "Payments made.", counters->payments);
	metric_counter(&out, "onsale_seat_map_reads_total", "Seat maps read from PostgreSQL.",
		counters->seat_map_reads);
	metric_counter(&out, "onsale_seat_map_copies_total",
		"Seat maps taken from Redis, where another instance left them.",
		counters->seat_map_copies);
	metric_counter(&out, "onsale_seat_map_messages_total",
		"Changes of seats that other instances told of.", counters->seat_map_messages);
	metric_gauge_us(&out, "onsale_loop_turn_max_seconds",
		"The most that one turn of the loop ever computed.", counters->turn_max_us);
	metric_gauge(
		&out, "onsale_connections", "Client connections open.", net_connections(app->net));
	metric_gauge(&out, "onsale_redis_pending", "Redis commands in flight.",
		redis_pending(app->redis));
	metric_gauge(&out, "onsale_redis_breaker_state", "0 closed, 1 open, 2 half-open.",
		redis_breaker(app->redis));
	if (app->redlock != NULL)
		redlock_metrics(&out, app->redlock);
	metric_gauge(&out, "onsale_streams", "Event streams open.", counters->streams);
	metric_counter(
		&out, "onsale_stream_events_total", "Events sent to streams.", counters->pushes);
	metric_counter(&out, "onsale_streams_cut_total",
		"Streams closed since their clients did not read.", counters->streams_cut);
	metric_gauge(&out, "onsale_redis_listening", "1 while other instances' messages are heard.",
		redis_up(app->listener));
	metric_gauge(&out, "onsale_postgresql_lanes_up", "Lanes that are connected and ready.",
		pg_lanes_up(app->pg));
	metric_gauge(&out, "onsale_postgresql_pending",
		"PostgreSQL operations waiting or in flight.", pg_pending(app->pg));
	metric_gauge_us(&out, "onsale_postgresql_backlog_seconds",
		"How long an operation waits for a lane.", (uint64_t)app->backlog_ms * 1000);
	metric_gauge(&out, "onsale_revocations",
		"Access tokens that were logged out and have not expired.",
		revocations_count(app->revocations));
	metric_gauge(&out, "onsale_known_tokens",
		"Access tokens that were verified and are remembered.",
		known_people_count(app->known_tokens));
	metric_gauge(&out, "onsale_known_identities",
		"People of the identity provider whose users are remembered.",
		known_people_count(app->known_identities));
	outbox_metrics(&out, app->outbox);
	flow_reply(flow, 200, "text/plain; version=0.0.4; charset=utf-8",
		"Cache-Control: no-store\r\n", out.data, out.len);
	buf_free(&out);
}
