/* Who leaves from behind the watched place counts as if from before it: a line in which many do looks faster. */
#include "server/eta_check.h"

#include "queue/queue.h"

enum { FAR_S = 60 };

static void begin(struct eta_watch *watch, const struct eta_line *line)
{
	double far = line->rate->per_second * FAR_S;
	int64_t ahead = line->waiting - 1;

	if (far > 1 && (double)ahead > far)
		ahead = (int64_t)far;
	watch->watching = !line->paused && ahead > 0 &&
			  queue_eta(line->rate, ahead, &watch->min_s, &watch->max_s);
	watch->ahead = ahead;
	watch->begun_ms = line->now_ms;
	watch->done = line->admitted_total + line->abandoned_total;
}

static void judge(const struct eta_watch *watch, struct eta_checks *checks, int64_t took_ms)
{
	int64_t middle_ms = (watch->min_s + watch->max_s) * 500;
	int64_t error_ms = took_ms > middle_ms ? took_ms - middle_ms : middle_ms - took_ms;
	/* What is told is in whole seconds. */
	bool within = took_ms > (watch->min_s - 1) * 1000 && took_ms < (watch->max_s + 1) * 1000;

	checks->within += within;
	checks->outside += !within;
	histogram_note(&checks->errors_us, (uint64_t)error_ms * 1000);
}

void eta_check(struct eta_watch *watch, struct eta_checks *checks, const struct eta_line *line)
{
	int64_t done = line->admitted_total + line->abandoned_total;

	/* What an operator stopped, and a line that began anew, say nothing of the estimate. */
	if (line->paused || done < watch->done || line->now_ms < watch->begun_ms)
		watch->watching = false;
	if (watch->watching && done - watch->done > watch->ahead) {
		judge(watch, checks, line->now_ms - watch->begun_ms);
		watch->watching = false;
	}
	if (line->waiting == 0) /* the place was left, which nobody counts */
		watch->watching = false;
	if (!watch->watching)
		begin(watch, line);
}
