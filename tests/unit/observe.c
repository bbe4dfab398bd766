/* What becomes of a request: its trail's stages, and what is counted of it. */
#include "server/observe.h"

#include <criterion/criterion.h>
#include "proto/base/clock.h"

enum { ROUTES = 3 };

static void end(struct observer *observer, struct trail *trail, int status, enum problem problem)
{
	struct observation observation = {
		.trail = trail, .request_id = "id", .status = status, .problem = problem};

	observe(observer, trail, &observation);
}

static void spend_a_millisecond(void)
{
	uint64_t end_us = clock_mono_us_now() + 1000;

	while (clock_mono_us_now() < end_us)
		;
}

Test(observe, stages_add_up_to_the_whole)
{
	struct observer *observer = observer_new(ROUTES);
	struct trail trail;

	clock_turn();
	trail_begin(&trail);
	spend_a_millisecond();
	trail_routed(&trail, 1);
	trail_mark(&trail, STAGE_REDIS);
	cr_expect_eq(trail.stages_us[STAGE_REDIS], 0, "in the same turn nothing was waited for");
	spend_a_millisecond();
	clock_turn();
	trail_mark(&trail, STAGE_POSTGRESQL);
	spend_a_millisecond();
	end(observer, &trail, 200, PROBLEM_COUNT);
	cr_expect_geq(trail.stages_us[STAGE_PARSE], 1000);
	cr_expect_geq(trail.stages_us[STAGE_POSTGRESQL], 1000);
	cr_expect_geq(trail.stages_us[STAGE_REPLY], 1000);
	uint64_t sum = 0;
	for (unsigned i = 0; i < STAGES; i++) {
		cr_expect_eq(observed_stage_us(observer, 1, i), trail.stages_us[i]);
		sum += trail.stages_us[i];
	}
	cr_expect_eq(sum, trail.marked_us - trail.begun_us);
	cr_expect_eq(observed_times(observer, 1)->sum, sum);
	observer_free(observer);
}

Test(observe, counts_by_route_and_status_and_refusal)
{
	struct observer *observer = observer_new(ROUTES);
	struct trail trail;

	clock_turn();
	for (unsigned route = 0; route < ROUTES; route++)
		for (unsigned i = 0; i <= route; i++) {
			trail_begin(&trail);
			trail_routed(&trail, route);
			end(observer, &trail, 200, PROBLEM_COUNT);
		}
	trail_begin(&trail);
	trail_routed(&trail, 2);
	end(observer, &trail, 409, PROBLEM_SEAT_UNAVAILABLE);
	cr_assert_eq(observed_status(observer, 0), 200);
	cr_assert_eq(observed_status(observer, 1), 409);
	cr_assert_eq(observed_status(observer, 2), 0);
	for (unsigned route = 0; route < ROUTES; route++) {
		cr_expect_eq(observed_count(observer, route, 0), route + 1);
		cr_expect_eq(observed_count(observer, route, 1), route == 2);
	}
	cr_expect_eq(histogram_count(observed_times(observer, 2)), 4);
	cr_expect_eq(observed_refusals(observer, PROBLEM_SEAT_UNAVAILABLE), 1);
	cr_expect_eq(observed_refusals(observer, PROBLEM_BUSY), 0);
	observer_free(observer);
}
