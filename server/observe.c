/* Counting: a row of counts a route, a column a status. */
#include "server/observe.h"

#include <stdlib.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"

enum { STATUS_LEAST = 100, STATUS_MOST = 599 };

struct route_counts {
	uint64_t by_status[STATUSES_MAX];
	uint64_t stages_us[STAGES];
	struct histogram times;
};

struct observer {
	unsigned routes;
	unsigned status_count;
	short statuses[STATUSES_MAX];
	/* Of each status its place among those, and one more; 0: it was never replied. */
	unsigned char places[STATUS_MOST - STATUS_LEAST + 1];
	uint64_t refusals[PROBLEM_COUNT];
	struct route_counts counts[];
};

const char *stage_name(enum trail_stage stage)
{
	static const char *const names[STAGES] = {[STAGE_PARSE] = "parse",
		[STAGE_REDIS] = "redis",
		[STAGE_POSTGRESQL] = "postgresql",
		[STAGE_REPLY] = "reply"};

	return names[stage];
}

/* --- trails --- */

static void mark(struct trail *trail, enum trail_stage stage, uint64_t now_us)
{
	if (now_us <= trail->marked_us) /* the turn's clock may be older than the last mark */
		return;
	trail->stages_us[stage] += (uint32_t)(now_us - trail->marked_us);
	trail->marked_us = now_us;
}

void trail_begin(struct trail *trail)
{
	uint64_t now_us = clock_mono_us();

	*trail = (struct trail){.begun_us = now_us, .marked_us = now_us};
}

void trail_routed(struct trail *trail, unsigned route)
{
	trail->route = route;
	mark(trail, STAGE_PARSE, clock_mono_us_now());
}

void trail_mark(struct trail *trail, enum trail_stage stage)
{
	mark(trail, stage, clock_mono_us());
}

/* --- counting --- */

struct observer *observer_new(unsigned routes)
{
	struct observer *observer = must_calloc(
		1, sizeof *observer + routes * sizeof observer->counts[0]);

	observer->routes = routes;
	for (unsigned i = 0; i < routes; i++)
		histogram_init(&observer->counts[i].times, &histogram_times_us);
	return observer;
}

void observer_free(struct observer *observer)
{
	free(observer);
}

/* There are far fewer statuses than places. */
static unsigned place_of(struct observer *observer, int status)
{
	CHECK(status >= STATUS_LEAST && status <= STATUS_MOST);
	unsigned char *place = &observer->places[status - STATUS_LEAST];

	if (*place == 0) {
		CHECK(observer->status_count < STATUSES_MAX);
		observer->statuses[observer->status_count] = (short)status;
		*place = (unsigned char)++observer->status_count;
	}
	return *place - 1U;
}

static void count(struct observer *observer, const struct observation *observation)
{
	const struct trail *trail = observation->trail;
	struct route_counts *counts = &observer->counts[trail->route];

	CHECK(trail->route < observer->routes);
	counts->by_status[place_of(observer, observation->status)]++;
	for (unsigned i = 0; i < STAGES; i++)
		counts->stages_us[i] += trail->stages_us[i];
	histogram_note(&counts->times, trail->marked_us - trail->begun_us);
	if (observation->problem < PROBLEM_COUNT)
		observer->refusals[observation->problem]++;
}

void observe(struct observer *observer, struct trail *trail, const struct observation *observation)
{
	mark(trail, STAGE_REPLY, clock_mono_us_now());
	count(observer, observation);
}

int observed_status(const struct observer *observer, unsigned i)
{
	return i < observer->status_count ? observer->statuses[i] : 0;
}

uint64_t observed_count(const struct observer *observer, unsigned route, unsigned i)
{
	return observer->counts[route].by_status[i];
}

const struct histogram *observed_times(const struct observer *observer, unsigned route)
{
	return &observer->counts[route].times;
}

uint64_t observed_stage_us(const struct observer *observer, unsigned route, enum trail_stage stage)
{
	return observer->counts[route].stages_us[stage];
}

uint64_t observed_refusals(const struct observer *observer, enum problem problem)
{
	return observer->refusals[problem];
}
