/* Histograms: which bucket a value enters, and what quantiles they tell. */
#include "proto/base/histogram.h"

#include <criterion/criterion.h>

static const struct histogram_bounds bounds = {3, {10, 20, 40}};

Test(histogram, a_value_enters_the_first_bucket_that_takes_it)
{
	struct histogram histogram;

	histogram_init(&histogram, &bounds);
	cr_expect_eq(histogram_count(&histogram), 0);
	static const uint64_t values[] = {0, 10, 11, 20, 40, 41, UINT32_MAX};
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
		histogram_note(&histogram, values[i]);
	static const uint64_t counts[] = {2, 2, 1, 2};
	cr_expect_arr_eq(histogram.counts, counts, sizeof counts);
	cr_expect_eq(histogram_count(&histogram), 7);
	cr_expect_eq(histogram.sum, 0 + 10 + 11 + 20 + 40 + 41 + (uint64_t)UINT32_MAX);
}

Test(histogram, quantiles_lie_on_a_line_through_their_bucket)
{
	struct histogram histogram;

	histogram_init(&histogram, &bounds);
	cr_expect_eq(histogram_quantile(&histogram, 0.5), 0, "of nothing");
	for (int i = 0; i < 10; i++)
		histogram_note(&histogram, 5);
	cr_expect_eq(histogram_quantile(&histogram, 0.5), 5);
	cr_expect_eq(histogram_quantile(&histogram, 1), 10);
	for (int i = 0; i < 10; i++)
		histogram_note(&histogram, 30);
	cr_expect_eq(histogram_quantile(&histogram, 0.5), 10);
	cr_expect_eq(histogram_quantile(&histogram, 0.75), 30, "over a bucket with nothing in it");
	cr_expect_eq(histogram_quantile(&histogram, 0), 0);
	for (int i = 0; i < 80; i++)
		histogram_note(&histogram, 1000);
	cr_expect_eq(histogram_quantile(&histogram, 0.99), 40, "above all bounds");
}

Test(histogram, since_tells_what_came_after)
{
	struct histogram histogram, before;

	histogram_init(&histogram, &bounds);
	for (int i = 0; i < 100; i++)
		histogram_note(&histogram, 5);
	before = histogram;
	histogram_note(&histogram, 15);
	struct histogram since = histogram_since(&histogram, &before);
	cr_expect_eq(histogram_count(&since), 1);
	cr_expect_eq(since.sum, 15);
	cr_expect_eq(histogram_quantile(&since, 1), 20);
}

static void check_bounds(const struct histogram_bounds *these)
{
	cr_assert(these->count > 0 && these->count <= HISTOGRAM_BOUNDS_MAX);
	for (unsigned i = 1; i < these->count; i++)
		cr_expect_gt(these->most[i], these->most[i - 1]);
}

Test(histogram, bounds_grow)
{
	check_bounds(&histogram_times_us);
	check_bounds(&histogram_sizes);
	check_bounds(&histogram_waits_us);
	cr_expect_eq(histogram_times_us.most[0], 100);
	cr_expect_eq(histogram_times_us.most[histogram_times_us.count - 1], 10 * 1000 * 1000);
}
