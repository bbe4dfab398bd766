/* Lines are put together by hand: a page has some thousand of them, and the loop waits meanwhile. */
#include "server/metrics_text.h"

#include <stdbool.h>

void metric_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Exact to the microsecond, without zeros at the end. */
static void append_us(struct buf *out, uint64_t us)
{
	uint64_t rest = us % 1000000;
	char digits[8] = ".000000";

	buf_append_i64(out, (int64_t)(us / 1000000));
	if (rest == 0)
		return;
	unsigned len = 7;
	for (unsigned i = 6; i > 0; i--, rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (digits[len - 1] == '0')
		len--;
	buf_append(out, digits, len);
}

static void append_value(struct buf *out, uint64_t value, bool us)
{
	buf_append_char(out, ' ');
	if (us)
		append_us(out, value);
	else
		buf_append_i64(out, (int64_t)value);
	buf_append_char(out, '\n');
}

static void append_name(struct buf *out, const char *name, const char *suffix, const char *labels)
{
	buf_append_text(out, name);
	buf_append_text(out, suffix);
	if (labels[0] == '\0')
		return;
	buf_append_char(out, '{');
	buf_append_text(out, labels);
	buf_append_char(out, '}');
}

void metric_sample(struct buf *out, const char *name, const char *labels, uint64_t value)
{
	append_name(out, name, "", labels);
	append_value(out, value, false);
}

void metric_sample_us(struct buf *out, const char *name, const char *labels, uint64_t us)
{
	append_name(out, name, "", labels);
	append_value(out, us, true);
}

/* --- families of one --- */

void metric_counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	metric_family(out, name, "counter", help);
	metric_sample(out, name, "", value);
}

void metric_counter_us(struct buf *out, const char *name, const char *help, uint64_t us)
{
	metric_family(out, name, "counter", help);
	metric_sample_us(out, name, "", us);
}

void metric_gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	metric_family(out, name, "gauge", help);
	metric_sample(out, name, "", value);
}

void metric_gauge_us(struct buf *out, const char *name, const char *help, uint64_t us)
{
	metric_family(out, name, "gauge", help);
	metric_sample_us(out, name, "", us);
}

/* --- histograms --- */

/* bound NULL: above all of them. */
static void append_bucket(struct buf *out, const char *name, const char *labels,
	const uint64_t *bound, uint64_t count, bool us)
{
	buf_append_text(out, name);
	buf_append_text(out, "_bucket{");
	buf_append_text(out, labels);
	buf_append_text(out, labels[0] != '\0' ? ",le=\"" : "le=\"");
	if (bound == NULL)
		buf_append_text(out, "+Inf");
	else if (us)
		append_us(out, *bound);
	else
		buf_append_i64(out, (int64_t)*bound);
	buf_append_text(out, "\"} ");
	buf_append_i64(out, (int64_t)count);
	buf_append_char(out, '\n');
}

static void append_histogram(struct buf *out, const char *name, const char *labels,
	const struct histogram *histogram, bool us)
{
	const struct histogram_bounds *bounds = histogram->bounds;
	uint64_t count = 0;

	for (unsigned i = 0; i <= bounds->count; i++) {
		count += histogram->counts[i];
		append_bucket(
			out, name, labels, i < bounds->count ? &bounds->most[i] : NULL, count, us);
	}
	append_name(out, name, "_sum", labels);
	append_value(out, histogram->sum, us);
	append_name(out, name, "_count", labels);
	append_value(out, count, false);
}

void metric_histogram_us(
	struct buf *out, const char *name, const char *labels, const struct histogram *histogram)
{
	append_histogram(out, name, labels, histogram, true);
}

void metric_histogram(
	struct buf *out, const char *name, const char *labels, const struct histogram *histogram)
{
	append_histogram(out, name, labels, histogram, false);
}
