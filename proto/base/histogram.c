/* Values enter the first bucket that takes them. */
#include "proto/base/histogram.h"

#include "proto/base/check.h"

const struct histogram_bounds histogram_times_us = {
	16, {100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000,
		    2000000, 5000000, 10000000}};

const struct histogram_bounds histogram_waits_us = {
	12, {1000000, 2000000, 5000000, 10000000, 20000000, 30000000, 60000000, 120000000,
		    300000000, 600000000, 1800000000, 3600000000}};

const struct histogram_bounds histogram_sizes = {11, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}};

void histogram_init(struct histogram *histogram, const struct histogram_bounds *bounds)
{
	CHECK(bounds->count > 0 && bounds->count <= HISTOGRAM_BOUNDS_MAX);
	*histogram = (struct histogram){.bounds = bounds};
}

void histogram_note(struct histogram *histogram, uint64_t value)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	unsigned i = 0;

	while (i < bounds->count && value > bounds->most[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += value;
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i <= histogram->bounds->count; i++)
		count += histogram->counts[i];
	return count;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	double rank = (double)histogram_count(histogram) * share, below = 0;

	if (rank <= 0)
		return 0;
	for (unsigned i = 0; i < bounds->count; i++) {
		double here = (double)histogram->counts[i];
		double from = i > 0 ? (double)bounds->most[i - 1] : 0;

		if (below + here >= rank && here > 0)
			return (uint64_t)(from +
					  ((double)bounds->most[i] - from) * (rank - below) / here);
		below += here;
	}
	return bounds->most[bounds->count - 1];
}

struct histogram histogram_since(const struct histogram *histogram, const struct histogram *before)
{
	struct histogram since = *histogram;

	CHECK(histogram->bounds == before->bounds);
	for (unsigned i = 0; i <= since.bounds->count; i++)
		since.counts[i] -= before->counts[i];
	since.sum -= before->sum;
	return since;
}
