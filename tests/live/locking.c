/* The loop of the lock tests: turns as the server's own loop does, and never waits for a time. */
#include "tests/live/locking.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lock/redlock.h"
#include "lock/seat_lock.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum { LIMIT_US = 20 * 1000 * 1000, PULSE_US = 2000 };

static void pulse(evutil_socket_t fd UNUSED, short what UNUSED, void *context UNUSED)
{
}

static bool all_up(const void *context)
{
	const struct rig *rig = context;
	for (unsigned i = 0; i < rig->count; i++)
		if (!redis_up(rig->redis[i]))
			return false;
	return true;
}

void rig_open_at(struct rig *rig, unsigned count, const char *url, unsigned deadline_ms)
{
	char why[256];
	struct redis_settings settings = {url, deadline_ms, 1000, 5, 100};
	struct timeval period = {.tv_usec = PULSE_US};
	cr_assert(sodium_init() >= 0 && count <= RIG_CONNECTIONS);
	log_set_level(LOG_WARN);
	clock_turn();
	*rig = (struct rig){.base = event_base_new(), .count = count};
	rig->pulse = event_new(rig->base, -1, EV_PERSIST, pulse, NULL);
	event_add(rig->pulse, &period);
	for (unsigned i = 0; i < count; i++) {
		rig->redis[i] = redis_new(rig->base, &settings, lock_scripts, why, sizeof why);
		cr_assert(rig->redis[i], "%s: %s", url, why);
	}
	if (strcmp(url, "none") != 0)
		rig_run_until(rig, all_up, rig);
}

void rig_open(struct rig *rig, unsigned count)
{
	const char *url = getenv("ONSALE_TEST_REDIS_URL");
	cr_assert(url, "ONSALE_TEST_REDIS_URL names no Redis");
	rig_open_at(rig, count, url, 10000);
}

void rig_close_redis(struct rig *rig)
{
	for (unsigned i = 0; i < rig->count; i++)
		redis_free(rig->redis[i]);
	rig->count = 0;
}

void rig_close(struct rig *rig)
{
	if (!rig->base)
		return;
	rig_close_redis(rig);
	event_free(rig->pulse);
	event_base_free(rig->base);
	*rig = (struct rig){0};
}

static void send_gathered(struct rig *rig)
{
	for (unsigned i = 0; i < RIG_CONNECTIONS; i++)
		if (rig->locks[i])
			seat_locks_turn(rig->locks[i]);
}

static void turn(struct rig *rig)
{
	send_gathered(rig);
	for (unsigned i = 0; i < rig->count; i++)
		redis_turn(rig->redis[i]);
	if (rig->redlock)
		redlock_turn(rig->redlock);
	event_base_loop(rig->base, EVLOOP_ONCE);
	clock_turn();
}

void rig_run_until(struct rig *rig, bool (*condition)(const void *context), const void *context)
{
	uint64_t end_us = clock_mono_us_now() + LIMIT_US;
	while (!condition(context)) {
		cr_assert(clock_mono_us_now() < end_us, "what was waited for did not come in time");
		turn(rig);
	}
}

static bool is_set(const void *context)
{
	return *(const bool *)context;
}

void rig_run_until_set(struct rig *rig, const bool *flag)
{
	rig_run_until(rig, is_set, flag);
}

struct answer {
	struct rig *rig;
	bool came;
};

static void answer_came(void *context, enum db_result result, const struct redis_value *value)
{
	struct answer *answer = context;
	struct rig *rig = answer->rig;
	size_t len;
	answer->came = true;
	rig->number = 0;
	if (result != DB_OK) {
		snprintf(rig->text, sizeof rig->text, "error");
		return;
	}
	snprintf(rig->text, sizeof rig->text, "%s", redis_text(value, &len));
	rig->number = redis_int(value);
}

const char *rig_ask(struct rig *rig, const char *const *words)
{
	struct answer answer = {rig, false};
	REDIS_ARGS(args, 8);
	for (; *words; words++)
		redis_arg_text(&args, *words);
	send_gathered(rig);
	redis_command(rig->redis[0], &args, answer_came, &answer);
	rig_run_until_set(rig, &answer.came);
	return rig->text;
}

static bool nothing_pending(const void *context)
{
	const struct rig *rig = context;
	for (unsigned i = 0; i < rig->count; i++)
		if (redis_pending(rig->redis[i]))
			return false;
	return true;
}

void rig_settle(struct rig *rig)
{
	send_gathered(rig);
	rig_run_until(rig, nothing_pending, rig);
}

int64_t rig_random_id(void)
{
	uint32_t high = randombytes_random(), low = randombytes_random();
	return (int64_t)(((uint64_t)high << 32 | low) >> 1);
}
