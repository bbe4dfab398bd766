/* Prometheus's text format (0.0.4): a family is its head, then a line a sample. Units are base ones: what the server
 * counts in microseconds is written in seconds. */
#ifndef ONSALE_SERVER_METRICS_TEXT_H
#define ONSALE_SERVER_METRICS_TEXT_H

#include <stdint.h>
#include "proto/base/buf.h"
#include "proto/base/histogram.h"

/* Labels, as `a="b",c="d"`, or "" for none; of values that need no escaping. */
enum { METRIC_LABELS_SIZE = 160 };

void metric_family(struct buf *out, const char *name, const char *type, const char *help);
void metric_sample(struct buf *out, const char *name, const char *labels, uint64_t value);
void metric_sample_us(struct buf *out, const char *name, const char *labels, uint64_t us);

/* A family of one sample without labels. */
void metric_counter(struct buf *out, const char *name, const char *help, uint64_t value);
void metric_counter_us(struct buf *out, const char *name, const char *help, uint64_t us);
void metric_gauge(struct buf *out, const char *name, const char *help, uint64_t value);
void metric_gauge_us(struct buf *out, const char *name, const char *help, uint64_t us);

/* The samples of a histogram of microseconds, or of plain numbers. */
void metric_histogram_us(
	struct buf *out, const char *name, const char *labels, const struct histogram *histogram);
void metric_histogram(
	struct buf *out, const char *name, const char *labels, const struct histogram *histogram);

#endif
