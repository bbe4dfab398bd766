/* The mutex on a real Redis: one owner at a time, a bounded wait, and nobody frees another's. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "lock/mutex.h"
#include "proto/base/clock.h"
#include "tests/live/locking.h"

enum { TTL_MS = 60000 };

static struct rig rig;
static char name[64], key[96];

static void open_rig(void)
{
	rig_open(&rig, 2);
	snprintf(name, sizeof name, "test-%" PRId64, rig_random_id());
	snprintf(key, sizeof key, "onsale:mutex:%s", name);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(mutex, .init = open_rig, .fini = close_rig);

static struct mutex *mutex_on(unsigned connection, unsigned ttl_ms, unsigned wait_ms)
{
	return mutex_new(rig.base, rig.redis[connection], name, ttl_ms, wait_ms);
}

struct outcome {
	bool came;
	enum mutex_result result;
};

static void came(void *context, enum mutex_result result)
{
	struct outcome *outcome = context;
	cr_assert_not(outcome->came);
	*outcome = (struct outcome){true, result};
}

static enum mutex_result acquire(struct mutex *mutex)
{
	struct outcome outcome = {0};
	mutex_acquire(mutex, came, &outcome);
	cr_assert_not(outcome.came, "done was called before the submitting call returned");
	rig_run_until_set(&rig, &outcome.came);
	return outcome.result;
}

static enum mutex_result extend(struct mutex *mutex)
{
	struct outcome outcome = {0};
	mutex_extend(mutex, came, &outcome);
	cr_assert_not(outcome.came);
	rig_run_until_set(&rig, &outcome.came);
	return outcome.result;
}

static int64_t life_ms(void)
{
	ASK(&rig, "PTTL", key);
	return rig.number;
}

Test(mutex, has_one_owner)
{
	struct mutex *first = mutex_on(0, TTL_MS, 0), *second = mutex_on(1, TTL_MS, 0);
	cr_expect_eq(acquire(first), MUTEX_OURS);
	cr_expect(life_ms() > 0 && life_ms() <= TTL_MS);
	cr_expect_eq(acquire(second), MUTEX_TAKEN);
	mutex_release(first);
	rig_settle(&rig);
	cr_expect_eq(acquire(second), MUTEX_OURS);
	mutex_release(second);
	mutex_free(first);
	mutex_free(second);
}

Test(mutex, waits_for_its_release)
{
	struct mutex *first = mutex_on(0, TTL_MS, 0), *second = mutex_on(1, TTL_MS, 10000);
	struct outcome outcome = {0};
	cr_expect_eq(acquire(first), MUTEX_OURS);
	mutex_acquire(second, came, &outcome);
	for (unsigned i = 0; i < 10; i++)
		ASK(&rig, "PING");
	cr_expect_not(outcome.came);
	mutex_release(first);
	rig_run_until_set(&rig, &outcome.came);
	cr_expect_eq(outcome.result, MUTEX_OURS);
	mutex_free(first);
	mutex_free(second);
}

Test(mutex, waits_no_longer_than_it_may)
{
	struct mutex *first = mutex_on(0, TTL_MS, 0), *second = mutex_on(1, TTL_MS, 150);
	cr_expect_eq(acquire(first), MUTEX_OURS);
	uint64_t begun_us = clock_mono_us_now();
	cr_expect_eq(acquire(second), MUTEX_TAKEN);
	uint64_t waited_us = clock_mono_us_now() - begun_us;
	cr_expect(waited_us >= 149 * 1000 && waited_us < 5 * 1000 * 1000, "%" PRIu64, waited_us);
	mutex_free(first);
	mutex_free(second);
}

Test(mutex, lapses_and_then_is_no_longer_ours)
{
	struct mutex *first = mutex_on(0, 50, 0), *second = mutex_on(1, TTL_MS, 10000);
	cr_expect_eq(acquire(first), MUTEX_OURS);
	cr_expect_eq(acquire(second), MUTEX_OURS, "the first one's life was short");
	cr_expect_eq(extend(first), MUTEX_TAKEN);
	mutex_release(first);
	rig_settle(&rig);
	cr_expect(life_ms() > 50, "the new owner's is untouched");
	cr_expect_eq(extend(second), MUTEX_OURS);
	mutex_release(second);
	rig_settle(&rig);
	cr_expect_eq(extend(second), MUTEX_TAKEN, "it was given back");
	mutex_free(first);
	mutex_free(second);
}

Test(mutex, extension_gives_the_whole_life_again)
{
	struct mutex *mutex = mutex_on(0, TTL_MS, 0);
	cr_expect_eq(acquire(mutex), MUTEX_OURS);
	ASK(&rig, "PEXPIRE", key, "10000");
	cr_expect_eq(extend(mutex), MUTEX_OURS);
	cr_expect(life_ms() > 50000 && life_ms() <= TTL_MS);
	mutex_free(mutex);
}

Test(mutex, owners_differ_each_time)
{
	char first[RIG_TEXT_SIZE];
	struct mutex *mutex = mutex_on(0, TTL_MS, 0);
	cr_expect_eq(acquire(mutex), MUTEX_OURS);
	snprintf(first, sizeof first, "%s", ASK(&rig, "GET", key));
	cr_expect_eq(strlen(first), 32);
	cr_expect_eq(acquire(mutex), MUTEX_TAKEN, "it is not for going in twice");
	ASK(&rig, "DEL", key);
	cr_expect_eq(acquire(mutex), MUTEX_OURS);
	cr_expect_str_neq(ASK(&rig, "GET", key), first);
	mutex_free(mutex);
}

Test(mutex, is_away_without_redis)
{
	struct rig none;
	rig_open_at(&none, 1, "none", 500);
	struct mutex *mutex = mutex_new(none.base, none.redis[0], name, TTL_MS, 1000);
	struct outcome outcome = {0}, extension = {0};
	mutex_acquire(mutex, came, &outcome);
	rig_run_until_set(&none, &outcome.came);
	cr_expect_eq(outcome.result, MUTEX_AWAY);
	mutex_extend(mutex, came, &extension);
	rig_run_until_set(&none, &extension.came);
	cr_expect_eq(extension.result, MUTEX_AWAY);
	mutex_free(mutex);
	rig_close(&none);
}

Test(mutex, an_error_of_redis_is_as_if_it_were_away)
{
	struct mutex *mutex = mutex_on(0, TTL_MS, 0);
	ASK(&rig, "LPUSH", key, "not a text");
	cr_expect_eq(extend(mutex), MUTEX_AWAY);
	ASK(&rig, "DEL", key);
	mutex_free(mutex);
}
