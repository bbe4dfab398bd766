/* The timer says how often it came due since it was last read. */
#include "server/loop_lag.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/histogram.h"
#include "proto/base/log.h"

enum {
	PERIOD_US = 20 * 1000,
	LATE_MAX = 3000 /* a minute: a machine that slept longer is not late by more */
};

struct loop_lag {
	int fd;
	struct event *event;
	uint64_t due_us; /* when it comes due next */
	struct histogram late_us;
};

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct loop_lag *lag = arg;
	uint64_t times = 0, now_us = clock_mono_us_now();
	(void)what;

	if (read(fd, &times, sizeof times) != (ssize_t)sizeof times)
		return;
	if (times > LATE_MAX) {
		lag->due_us += (times - LATE_MAX) * PERIOD_US;
		times = LATE_MAX;
	}
	for (; times > 0; times--, lag->due_us += PERIOD_US)
		histogram_note(&lag->late_us, now_us > lag->due_us ? now_us - lag->due_us : 0);
}

struct loop_lag *loop_lag_new(struct event_base *base)
{
	struct timespec period = {.tv_nsec = PERIOD_US * 1000};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0) {
		log_warn("timerfd: the loop's lag is not measured");
		return NULL;
	}
	struct loop_lag *lag = must_calloc(1, sizeof *lag);
	lag->fd = fd;
	histogram_init(&lag->late_us, &histogram_times_us);
	lag->due_us = clock_mono_us_now() + PERIOD_US;
	struct itimerspec timer = {.it_interval = period,
		.it_value = {.tv_sec = (time_t)(lag->due_us / 1000000),
			.tv_nsec = (long)(lag->due_us % 1000000 * 1000)}};
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL) == 0);
	lag->event = event_new(base, fd, EV_READ | EV_PERSIST, on_due, lag);
	CHECK(lag->event != NULL && event_add(lag->event, NULL) == 0);
	return lag;
}

void loop_lag_free(struct loop_lag *lag)
{
	if (lag == NULL)
		return;
	event_free(lag->event);
	close(lag->fd);
	free(lag);
}

const struct histogram *loop_lag_us(const struct loop_lag *lag)
{
	return &lag->late_us;
}
