/* Poll intervals and estimates, over the whole range of lines. */
#include <criterion/criterion.h>
#include "proto/base/check.h"
#include "queue/queue.h"

static const struct queue_pace pace = {
	.poll_min_ms = 1000, .poll_max_ms = 10000, .polls_per_second = 20000};

static const uint32_t randoms[] = {0, 1, 150, 151, 300, 301, 0x7fffffff, 0x80000000, UINT32_MAX};

static const int64_t lines[] = {0, 1, 10, 1000, 20000, 100000, 200000, 1000000, 100000000};

Test(pace, stays_in_its_range)
{
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		for (int64_t ahead = -1; ahead <= lines[i];
			ahead = ahead < 1 ? ahead + 1 : ahead * 3)
			for (size_t j = 0; j < ARRAY_LEN(randoms); j++) {
				int64_t ms = queue_poll_after_ms(
					&pace, ahead, lines[i], randoms[j]);
				cr_assert(ms >= pace.poll_min_ms && ms <= pace.poll_max_ms,
					"%lld ahead: %lld", (long long)ahead, (long long)ms);
			}
}

static int64_t middle(int64_t ahead, int64_t waiting)
{
	return queue_poll_after_ms(&pace, ahead, waiting, 150); /* the jitter's middle */
}

Test(pace, is_short_in_front_and_longer_far_back)
{
	cr_expect_leq(middle(0, 1000), 1200);
	cr_expect_geq(middle(50000, 50000), 8000);
	for (int64_t ahead = 1; ahead < 100000; ahead *= 2)
		cr_expect_leq(
			middle(ahead, 100000), middle(2 * ahead, 100000), "%lld", (long long)ahead);
}

/* Counted over all places of a line, with a spread of jitters. */
static double polls_per_second(int64_t waiting)
{
	double polls = 0;
	for (int64_t ahead = 0; ahead < waiting; ahead++)
		polls += 1000 / (double)queue_poll_after_ms(&pace, ahead, waiting,
					(uint32_t)ahead * UINT32_C(2654435761));
	return polls;
}

Test(pace, a_long_line_polls_no_more_than_it_may)
{
	for (int64_t waiting = 1000; waiting <= 200000; waiting += 19900)
		cr_expect_leq(polls_per_second(waiting), (double)pace.polls_per_second,
			"%lld waiting", (long long)waiting);
}

Test(pace, is_spread_by_its_jitter)
{
	int64_t least = INT64_MAX, most = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		int64_t ms = queue_poll_after_ms(&pace, 2000, 5000, i * UINT32_C(2654435761));
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	cr_expect_geq((double)most / (double)least, 1.25);
	cr_expect_leq((double)most / (double)least, 1.36);
}

Test(pace, a_range_of_one_value_is_that_value)
{
	struct queue_pace fixed = {.poll_min_ms = 500, .poll_max_ms = 500, .polls_per_second = 1};
	for (size_t j = 0; j < ARRAY_LEN(randoms); j++)
		cr_expect_eq(queue_poll_after_ms(&fixed, 7, 9, randoms[j]), 500);
}

/* --- estimates --- */

static void run(struct queue_rate *rate, int64_t *now_ms, int64_t *total, int64_t for_ms,
	int64_t per_second)
{
	for (int64_t passed = 100; passed <= for_ms; passed += 100) {
		*now_ms += 100;
		queue_rate_measure(rate, *now_ms, *total + per_second * passed / 1000);
	}
	*total += per_second * for_ms / 1000;
}

Test(rate, is_unknown_at_first)
{
	struct queue_rate rate = {0};
	int64_t min, max;
	cr_expect_not(queue_eta(&rate, 5, &min, &max));
	queue_rate_measure(&rate, 1000000, 0);
	cr_expect_not(queue_eta(&rate, 5, &min, &max));
	queue_rate_measure(&rate, 1000100, 0);
	cr_expect_not(queue_eta(&rate, 5, &min, &max), "nobody was admitted");
}

Test(rate, follows_admissions)
{
	struct queue_rate rate = {0};
	int64_t now_ms = 1000000, total = 500;
	queue_rate_measure(&rate, now_ms, total);
	run(&rate, &now_ms, &total, 2000, 50);
	cr_expect_float_eq(rate.per_second, 50, 1, "%f", rate.per_second);
	run(&rate, &now_ms, &total, 10000, 50);
	cr_expect_float_eq(rate.per_second, 50, 1, "%f", rate.per_second);
	run(&rate, &now_ms, &total, 10000, 100);
	cr_expect(rate.per_second > 75 && rate.per_second < 95, "%f", rate.per_second);
	run(&rate, &now_ms, &total, 40000, 100);
	cr_expect_float_eq(rate.per_second, 100, 2, "%f", rate.per_second);
}

Test(rate, starts_over_when_redis_was_lost_or_its_clock_went_back)
{
	struct queue_rate rate = {0};
	int64_t now_ms = 1000000, total = 0, min, max;
	queue_rate_measure(&rate, now_ms, total);
	run(&rate, &now_ms, &total, 5000, 50);
	queue_rate_measure(&rate, now_ms + 100, 3);
	cr_expect_not(queue_eta(&rate, 5, &min, &max));
	queue_rate_measure(&rate, now_ms + 1100, 13);
	cr_expect_float_eq(rate.per_second, 10, 0.01);
	queue_rate_measure(&rate, now_ms - 60000, 13);
	cr_expect_not(queue_eta(&rate, 5, &min, &max));
}

Test(rate, the_same_moment_twice_changes_nothing)
{
	struct queue_rate rate = {0};
	queue_rate_measure(&rate, 1000, 0);
	queue_rate_measure(&rate, 2000, 10);
	queue_rate_measure(&rate, 2000, 20);
	cr_expect_float_eq(rate.per_second, 10, 0.01);
	queue_rate_measure(&rate, 3000, 20);
	cr_expect_float_eq(rate.per_second, 10, 0.01);
}

Test(eta, is_a_range_around_the_place)
{
	struct queue_rate rate = {.per_second = 10};
	int64_t min, max;
	cr_assert(queue_eta(&rate, 599, &min, &max));
	cr_expect(min > 30 && min <= 60, "%lld", (long long)min);
	cr_expect(max >= 60 && max < 120, "%lld", (long long)max);
	cr_assert(queue_eta(&rate, 0, &min, &max));
	cr_expect(min == 0 && max == 1, "%lld, %lld", (long long)min, (long long)max);
	cr_expect_not(queue_eta(&rate, INT64_C(1) << 40, &min, &max), "nobody waits for years");
}
