/* Latencies are told in microseconds in the result, in milliseconds to people. */
#include "bench/swarm/report.h"

#include <stdio.h>
#include <sys/resource.h>

enum { RESULT_MAX = 64 * 1024 };

static const char *const step_names[STEPS] = {
	"get", "join", "poll", "look", "hold", "pay", "leave"};
static const char *const ending_names[ENDINGS] = {
	"done", "taken", "sold_out", "refused", "lost", "unfinished"};
static const char *const loss_names[] = {"connect", "closed", "malformed"};

void report_reply(
	struct report *report, enum step step, int status, uint64_t intended_us, uint64_t now_us)
{
	struct report_step *counts = &report->steps[step];

	report->replies++;
	report->end_us = now_us;
	counts->replies++;
	counts->last_us = now_us - report->start_us;
	counts->statuses[status > 0 && status < REPORT_STATUSES ? status : 0]++;
	histogram_add(&counts->latency, now_us > intended_us ? now_us - intended_us : 0);
}

static uint64_t errors_of(const struct report *report)
{
	uint64_t errors = report->unanswered;

	for (size_t i = 0; i < ARRAY_LEN(report->lost); i++)
		errors += report->lost[i];
	return errors;
}

static double seconds_of(uint64_t us)
{
	return (double)us / 1e6;
}

void report_progress(struct report *report, uint64_t now_us, uint64_t active, unsigned open)
{
	uint64_t since = now_us - report->last_line_us;
	uint64_t replies = report->replies - report->last_line_replies;
	struct buf line = BUF_INIT(RESULT_MAX);

	buf_printf(&line, "swarm %s: %.0f s  %.0f/s  begun %llu", report->mode,
		seconds_of(now_us - report->start_us),
		since > 0 ? (double)replies / seconds_of(since) : 0,
		(unsigned long long)report->started);
	if (report->intended > 0)
		buf_printf(&line, " of %llu", (unsigned long long)report->intended);
	buf_printf(&line, ", %llu on their way, %llu done  open %u  errors %llu  p99",
		(unsigned long long)active, (unsigned long long)report->ended[END_DONE], open,
		(unsigned long long)errors_of(report));
	for (size_t i = 0; i < STEPS; i++) {
		const struct histogram *latency = &report->steps[i].latency;
		if (latency->count > 0)
			buf_printf(&line, " %s %.1f ms", step_names[i],
				(double)histogram_percentile(latency, 0.99) / 1e3);
	}
	fprintf(stderr, "%s\n", line.data);
	buf_free(&line);
	report->last_line_us = now_us;
	report->last_line_replies = report->replies;
}

/* --- the result --- */

static void append_count(struct buf *out, const char *name, uint64_t count)
{
	buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)count);
}

/* A member whose value is an object of counts: begun, its members (each after a comma, but the first), ended. */
static void append_part(struct buf *out, bool *any, const char *name, uint64_t count)
{
	if (*any)
		buf_append_char(out, ',');
	*any = true;
	buf_printf(out, "\"%s\":%llu", name, (unsigned long long)count);
}

/* Of one step, or of all (NULL). */
static void append_statuses(
	struct buf *out, const struct report *report, const struct report_step *step)
{
	bool any = false;

	buf_append_text(out, ",\"statuses\":{");
	for (size_t status = 0; status < REPORT_STATUSES; status++) {
		uint64_t count = 0;
		char name[8];

		for (size_t i = 0; i < STEPS; i++)
			if (step == NULL || step == &report->steps[i])
				count += report->steps[i].statuses[status];
		snprintf(name, sizeof name, "%zu", status);
		if (count > 0)
			append_part(out, &any, name, count);
	}
	buf_append_char(out, '}');
}

static void append_latency(struct buf *out, const struct histogram *latency)
{
	static const struct {
		const char *name;
		double share;
	} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99},
		{"p999", 0.999}, {"max", 1}};
	bool any = false;

	buf_append_char(out, '{');
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		append_part(out, &any, percentiles[i].name,
			histogram_percentile(latency, percentiles[i].share));
	buf_append_char(out, '}');
}

static void append_steps(struct buf *out, const struct report *report)
{
	const char *comma = "";

	buf_append_text(out, ",\"latency_us\":{");
	for (size_t i = 0; i < STEPS; i++) {
		if (report->steps[i].replies == 0)
			continue;
		buf_printf(out, "%s\"%s\":", comma, step_names[i]);
		append_latency(out, &report->steps[i].latency);
		comma = ",";
	}
	buf_append_text(out, "},\"steps\":{");
	comma = "";
	for (size_t i = 0; i < STEPS; i++) {
		const struct report_step *step = &report->steps[i];
		if (step->replies == 0)
			continue;
		buf_printf(out, "%s\"%s\":{\"requests\":%llu", comma, step_names[i],
			(unsigned long long)step->replies);
		append_count(out, "last_us", step->last_us);
		append_statuses(out, report, step);
		buf_append_char(out, '}');
		comma = ",";
	}
	buf_append_char(out, '}');
}

static void append_errors(struct buf *out, const struct report *report)
{
	bool any = false;

	append_count(out, "errors", errors_of(report));
	buf_append_text(out, ",\"errors_of\":{");
	for (size_t i = 0; i < ARRAY_LEN(report->lost); i++)
		append_part(out, &any, loss_names[i], report->lost[i]);
	append_part(out, &any, "unanswered", report->unanswered);
	buf_append_char(out, '}');
}

static void append_endings(struct buf *out, const struct report *report)
{
	bool any = false;

	append_count(out, "intended", report->intended);
	append_count(out, "started", report->started);
	buf_append_text(out, ",\"ended\":{");
	for (size_t i = 0; i < ENDINGS; i++)
		append_part(out, &any, ending_names[i], report->ended[i]);
	buf_append_char(out, '}');
}

/* Our own CPU time: whether it is us who are measured. */
static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

bool report_print(const struct report *report)
{
	struct buf out = BUF_INIT(RESULT_MAX);
	uint64_t us = report->end_us > report->start_us ? report->end_us - report->start_us : 0;

	buf_printf(&out, "{\"mode\":\"%s\"", report->mode);
	append_count(&out, "requests", report->replies);
	buf_printf(&out, ",\"seconds\":%.3f,\"per_second\":%.1f", seconds_of(us),
		us > 0 ? (double)report->replies / seconds_of(us) : 0);
	append_statuses(&out, report, NULL);
	append_steps(&out, report);
	append_errors(&out, report);
	append_endings(&out, report);
	append_count(&out, "established", report->established);
	append_count(&out, "open_peak", report->open_peak);
	append_count(&out, "released_us", report->released_us);
	buf_printf(&out, ",\"cpu_seconds\":%.3f}\n", cpu_seconds());
	bool ok = !out.failed && fputs(out.data, stdout) >= 0 && fflush(stdout) == 0;
	buf_free(&out);
	return ok;
}
