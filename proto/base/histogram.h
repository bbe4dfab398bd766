/* How often a measure came out how large: counts by fixed bounds, as Prometheus reads them. Adding is a few
 * comparisons, so that it may be done for each request; nothing is allocated. */
#ifndef ONSALE_PROTO_BASE_HISTOGRAM_H
#define ONSALE_PROTO_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

/* The largest value that each bucket takes, growing; what is larger than all of them goes into one more. */
struct histogram_bounds {
	unsigned count;
	uint64_t most[HISTOGRAM_BOUNDS_MAX];
};

/* 100 µs, 200 µs, 500 µs … 10 s, in microseconds. */
extern const struct histogram_bounds histogram_times_us;
/* 1 s, 2 s, 5 s … 1 h, in microseconds: for what people wait. */
extern const struct histogram_bounds histogram_waits_us;
/* 1, 2, 4 … 1024. */
extern const struct histogram_bounds histogram_sizes;

struct histogram {
	const struct histogram_bounds *bounds;
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* of each bucket alone */
	uint64_t sum; /* of all values */
};

/* An empty one; the bounds must outlive it. */
void histogram_init(struct histogram *histogram, const struct histogram_bounds *bounds);

void histogram_note(struct histogram *histogram, uint64_t value);

uint64_t histogram_count(const struct histogram *histogram);

/* The value that this share (0.99, say) of all are not above, as far as buckets tell: between the bounds of its own it is taken to
 * be where a straight line leads. 0 where there is no value; the last bound, where it is above all of them. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/* What was added since `before`, an earlier copy of it. */
struct histogram histogram_since(const struct histogram *histogram, const struct histogram *before);

#endif
