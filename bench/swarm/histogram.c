/* A value's bucket: its eleven highest bits, and how far they stand to the left.
 *
 *   value    1 x x x x x x x x x x | rest        bucket = shift * 1024 + the eleven bits
 *            `------ 11 bits -----' `shift'      (shift 0: the value itself, fewer bits included) */
#include "bench/swarm/histogram.h"

#define HALF (UINT64_C(1) << (HISTOGRAM_EXACT_BITS - 1))
#define VALUE_MAX ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

static size_t bucket_of(uint64_t value)
{
	unsigned bits = value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
	unsigned shift = bits > HISTOGRAM_EXACT_BITS ? bits - HISTOGRAM_EXACT_BITS : 0;

	return (size_t)(shift * HALF + (value >> shift));
}

/* The largest value that the bucket counts. */
static uint64_t bucket_end(size_t bucket)
{
	uint64_t shift = bucket < 2 * HALF ? 0 : bucket / HALF - 1;

	return ((bucket - shift * HALF + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (value > VALUE_MAX)
		value = VALUE_MAX;
	histogram->buckets[bucket_of(value)]++;
	histogram->count++;
	if (value > histogram->max)
		histogram->max = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
	double exact = share * (double)histogram->count;
	uint64_t rank = (uint64_t)exact, seen = 0;

	if (histogram->count == 0)
		return 0;
	rank += (double)rank < exact;
	rank = rank < 1 ? 1 : rank;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank)
			return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
	}
	return histogram->max;
}
