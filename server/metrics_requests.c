/* What /metrics says of requests: counts and times by route, where the time went, and refusals by their code. */
#include <stdio.h>
#include "server/metrics.h"
#include "server/metrics_text.h"
#include "server/observe.h"
#include "server/route.h"

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
void metrics_write_requests(struct buf *out, const struct observer *observer)
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
