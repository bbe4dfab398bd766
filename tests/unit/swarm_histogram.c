/* The histogram of bench/swarm against sorted lists of what was put into it. */
#include "bench/swarm/histogram.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

static struct histogram histogram;

/* True where `told` is what stands for `value`: not less, and by less than a thousandth more. */
static bool stands_for(uint64_t told, uint64_t value)
{
	return told >= value && told - value <= value / 1000;
}

Test(swarm_histogram, empty)
{
	cr_expect_eq(histogram_percentile(&histogram, 0.5), 0);
	cr_expect_eq(histogram_percentile(&histogram, 1), 0);
	cr_expect_eq(histogram.max, 0);
}

Test(swarm_histogram, one_value_is_all_percentiles)
{
	for (uint64_t value = 0; value < 100000000; value = value * 3 + 1) {
		histogram = (struct histogram){0};
		histogram_add(&histogram, value);
		cr_expect_eq(histogram_percentile(&histogram, 0.001), value);
		cr_expect_eq(histogram_percentile(&histogram, 0.5), value);
		cr_expect_eq(histogram_percentile(&histogram, 1), value);
	}
}

Test(swarm_histogram, small_values_are_exact)
{
	for (uint64_t value = 1; value <= 2000; value++)
		histogram_add(&histogram, value);
	cr_expect_eq(histogram.count, 2000);
	cr_expect_eq(histogram_percentile(&histogram, 0.5), 1000);
	cr_expect_eq(histogram_percentile(&histogram, 0.9), 1800);
	cr_expect_eq(histogram_percentile(&histogram, 0.999), 1998);
	cr_expect_eq(histogram_percentile(&histogram, 0.9991), 1999);
	cr_expect_eq(histogram_percentile(&histogram, 1), 2000);
}

/* Each value just below, at and above a power of two and a half, where buckets meet. */
Test(swarm_histogram, three_digits_everywhere)
{
	for (unsigned bit = 0; bit < HISTOGRAM_VALUE_BITS - 1; bit++) {
		for (int64_t near = -2; near <= 2; near++) {
			uint64_t whole = (UINT64_C(1) << bit) + (uint64_t)near;
			uint64_t values[] = {whole, whole + (UINT64_C(1) << bit) / 2};
			for (size_t i = 0; i < 2 && (int64_t)values[i] >= 0; i++) {
				histogram = (struct histogram){0};
				histogram_add(&histogram, values[i]);
				histogram_add(&histogram, UINT64_MAX);
				uint64_t told = histogram_percentile(&histogram, 0.5);
				cr_expect(stands_for(told, values[i]), "%llu for %llu",
					(unsigned long long)told, (unsigned long long)values[i]);
			}
		}
	}
}

Test(swarm_histogram, what_is_too_large_is_the_largest)
{
	uint64_t largest = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

	histogram_add(&histogram, UINT64_MAX);
	histogram_add(&histogram, largest + 1);
	cr_expect_eq(histogram.count, 2);
	cr_expect_eq(histogram.max, largest);
	cr_expect_eq(histogram_percentile(&histogram, 0.1), largest);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

Test(swarm_histogram, percentiles_of_a_long_tail)
{
	enum { VALUES = 100000 };
	static uint64_t values[VALUES];
	static const double shares[] = {0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 0.99999, 1};
	unsigned seed = 1;

	for (size_t i = 0; i < VALUES; i++) {
		values[i] = (uint64_t)rand_r(&seed) >> rand_r(&seed) % 31;
		histogram_add(&histogram, values[i]);
	}
	qsort(values, VALUES, sizeof values[0], compare);
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		uint64_t told = histogram_percentile(&histogram, shares[i]);
		uint64_t real = values[(size_t)(shares[i] * VALUES + 0.5) - 1];
		cr_expect(stands_for(told, real), "at %f %llu for %llu", shares[i],
			(unsigned long long)told, (unsigned long long)real);
	}
	cr_expect_eq(histogram_percentile(&histogram, 1), values[VALUES - 1]);
}
