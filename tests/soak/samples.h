/* What a process holds, measured again and again: resident memory and open descriptors, and the line that is
 * laid through them (least squares). */
#ifndef ONSALE_TESTS_SOAK_SAMPLES_H
#define ONSALE_TESTS_SOAK_SAMPLES_H

#include <stddef.h>
#include <sys/types.h>

enum { SAMPLES_MAX = 4096 };

struct sample {
	double at_s, rss_kib, fds;
};

struct samples {
	struct sample list[SAMPLES_MAX];
	size_t count;
};

/* Both numbers of a process now; the test fails where /proc does not tell. */
void samples_take(struct samples *samples, pid_t pid, double at_s);

struct trend {
	size_t count;
	double rss_kib, rss_percent; /* the mean; what the line gains over the run, of the mean */
	double fds, fds_gained;
};

/* Of the samples from from_s on, of which there are at least two. */
struct trend samples_trend(const struct samples *samples, double from_s);

#endif
