/* Latencies, counted in the manner of HdrHistogram (hdrhistogram.org): exactly up to 2,047, then in buckets
 * of at most a thousandth of their value, so that each percentile has three digits, however long the tail.
 * No value is dropped: what is above the largest counts as the largest. */
#ifndef ONSALE_BENCH_SWARM_HISTOGRAM_H
#define ONSALE_BENCH_SWARM_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_EXACT_BITS = 11, /* values below 2^11 have a bucket each */
	HISTOGRAM_VALUE_BITS = 36, /* 2^36 us are 19 hours */
	HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_EXACT_BITS + 2)
			    << (HISTOGRAM_EXACT_BITS - 1)
};

/* A zeroed struct is a valid, empty histogram. */
struct histogram {
	uint64_t count, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value that this share of all (0.99, say) do not exceed: the upper end of its bucket, and never more
 * than the largest value there was. 0 where there is none. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
