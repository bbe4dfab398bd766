/* How often to come, and how long it may take: from counts and rates, without a store or a clock. */
#include "queue/queue.h"

/* A place this far back is told an interval half way between the shortest and the longest one. */
enum { HALF_WAY_AHEAD = 2000 };

/* Jitter, in thousandths of the interval. */
enum { JITTER = 150, THOUSAND = 1000 };

enum { RATE_OVER_MS = 10000 };

static const int64_t ETA_MAX_SECONDS = 7 * 24 * 3600;

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
	if (value > max)
		value = max;
	return value < min ? min : value;
}

int64_t queue_poll_after_ms(
	const struct queue_pace *pace, int64_t ahead, int64_t waiting, uint32_t random)
{
	/* The ends are drawn in by the jitter, so that it is not cut off at them. */
	int64_t longest = pace->poll_max_ms * THOUSAND / (THOUSAND + JITTER);
	int64_t shortest = pace->poll_min_ms * THOUSAND / (THOUSAND - JITTER);
	int64_t crowded = waiting * THOUSAND / pace->polls_per_second * THOUSAND /
				  (THOUSAND - JITTER) +
			  1;

	if (shortest < crowded)
		shortest = crowded;
	if (longest < shortest)
		longest = shortest;
	if (ahead < 0)
		ahead = 0;
	int64_t base = shortest + (int64_t)((double)(longest - shortest) * (double)ahead /
					    (double)(ahead + HALF_WAY_AHEAD));
	int64_t factor = THOUSAND - JITTER + (int64_t)(random % (2 * JITTER + 1));
	return clamp(base * factor / THOUSAND, pace->poll_min_ms, pace->poll_max_ms);
}

/* A plain average over the first ten seconds, then an exponentially weighted one. */
void queue_rate_measure(struct queue_rate *rate, int64_t now_ms, int64_t admitted_total)
{
	int64_t passed_ms = now_ms - rate->last_ms, admitted = admitted_total - rate->last_total;

	if (rate->first_ms == 0 || passed_ms < 0 || admitted < 0) {
		*rate = (struct queue_rate){now_ms, admitted_total, now_ms, admitted_total, 0};
		return;
	}
	if (passed_ms == 0)
		return;
	int64_t since_first_ms = now_ms - rate->first_ms;
	int64_t over_ms = since_first_ms < RATE_OVER_MS ? since_first_ms : RATE_OVER_MS;
	double weight = passed_ms < over_ms ? (double)passed_ms / (double)over_ms : 1;
	double now_per_second = (double)admitted * 1000 / (double)passed_ms;

	rate->per_second += weight * (now_per_second - rate->per_second);
	rate->last_ms = now_ms;
	rate->last_total = admitted_total;
}

void queue_rate_rest(struct queue_rate *rate, int64_t now_ms, int64_t admitted_total)
{
	rate->first_ms += rate->first_ms != 0 ? now_ms - rate->last_ms : 0;
	rate->last_ms = now_ms;
	rate->last_total = admitted_total;
}

/* Admissions come in bites and people leave the line: a quarter less, or half as long again. */
bool queue_eta(
	const struct queue_rate *rate, int64_t ahead, int64_t *min_seconds, int64_t *max_seconds)
{
	double seconds;

	if (rate->per_second <= 0 || ahead < 0)
		return false;
	seconds = (double)(ahead + 1) / rate->per_second;
	if (seconds > (double)ETA_MAX_SECONDS)
		return false;
	*min_seconds = (int64_t)(seconds * 0.75);
	*max_seconds = (int64_t)(seconds * 1.5) + 1;
	return true;
}
