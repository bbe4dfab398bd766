/* Turns in the order of server/serve.c: gather, send, wait, read. */
#include "tests/live/turns.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "queue/queue.h"
#include "tests/support/process.h"

enum { LIMIT_US = 20 * 1000 * 1000, PULSE_US = 2000 };

const struct redis_settings turns_settings = {
	.deadline_ms = 5000, .in_flight_max = 20000, .breaker_failures = 5, .breaker_open_ms = 100};

static void pulse(evutil_socket_t fd UNUSED, short what UNUSED, void *context UNUSED)
{
}

void turns_open(struct turns *turns)
{
	struct timeval period = {.tv_usec = PULSE_US};

	signal(SIGPIPE, SIG_IGN);
	clock_turn();
	*turns = (struct turns){.base = event_base_new()};
	turns->pulse = event_new(turns->base, -1, EV_PERSIST, pulse, NULL);
	event_add(turns->pulse, &period);
}

void turns_close(struct turns *turns)
{
	for (unsigned i = 0; i < turns->count; i++) {
		queue_free(turns->nodes[i].queue);
		redis_free(turns->nodes[i].redis);
	}
	event_free(turns->pulse);
	event_base_free(turns->base);
}

struct node *turns_add(struct turns *turns, const char *url, const struct redis_settings *settings)
{
	struct redis_settings with_url = *settings;
	struct node *node = &turns->nodes[turns->count];
	char why[256];

	cr_assert(turns->count < TURNS_NODES);
	with_url.url = url ? url : need_env("ONSALE_TEST_REDIS_URL");
	node->redis = redis_new(turns->base, &with_url, queue_scripts, why, sizeof why);
	cr_assert(node->redis, "%s", why);
	node->queue = queue_new(node->redis);
	turns->count++;
	return node;
}

static bool all_up(const void *context)
{
	const struct turns *turns = context;

	for (unsigned i = 0; i < turns->count; i++)
		if (!redis_up(turns->nodes[i].redis))
			return false;
	return true;
}

void turns_up(struct turns *turns)
{
	turns_until(turns, all_up, turns);
}

static void turn(struct turns *turns)
{
	for (unsigned i = 0; i < turns->count; i++) {
		queue_turn(turns->nodes[i].queue);
		redis_turn(turns->nodes[i].redis);
	}
	event_base_loop(turns->base, EVLOOP_ONCE);
	clock_turn();
}

void turns_until(struct turns *turns, bool (*condition)(const void *context), const void *context)
{
	uint64_t end_us = clock_mono_us_now() + LIMIT_US;

	while (!condition(context)) {
		cr_assert(clock_mono_us_now() < end_us, "what was waited for did not come in time");
		turn(turns);
	}
}

static bool is_set(const void *context)
{
	return *(const bool *)context;
}

void turns_until_set(struct turns *turns, const bool *flag)
{
	turns_until(turns, is_set, flag);
}

static bool has_passed(const void *context)
{
	return clock_mono_us_now() >= *(const uint64_t *)context;
}

void turns_until_passed(struct turns *turns, uint64_t us)
{
	uint64_t end_us = clock_mono_us_now() + us;

	turns_until(turns, has_passed, &end_us);
}

static void answer(void *context, enum db_result result, const struct redis_value *value)
{
	struct asked *asked = context;
	size_t len;

	asked->done = true;
	asked->answers++;
	asked->result = result;
	asked->number = redis_int(value);
	snprintf(asked->text, sizeof asked->text, "%s", redis_text(value, &len));
}

void ask_send(struct node *node, struct asked *asked, const char *const *words)
{
	REDIS_ARGS(args, 8);

	*asked = (struct asked){0};
	for (; *words; words++)
		redis_arg_text(&args, *words);
	redis_command(node->redis, &args, answer, asked);
	cr_assert_not(asked->done, "answered before the submitting call returned");
}

struct asked ask(struct turns *turns, struct node *node, const char *const *words)
{
	struct asked asked;

	ask_send(node, &asked, words);
	turns_until_set(turns, &asked.done);
	return asked;
}

void own_redis_open(struct own_redis *own)
{
	snprintf(own->folder, sizeof own->folder, "/tmp/onsale-test-redis-XXXXXX");
	cr_assert(mkdtemp(own->folder), "no folder for a Redis");
	redis_process_open(&own->process, own->folder);
}

void own_redis_kill(struct own_redis *own)
{
	process_kill(own->process.pid);
	own->process.pid = 0;
}

void own_redis_close(struct own_redis *own)
{
	const char *argv[] = {"rm", "-rf", own->folder, NULL};

	if (own->process.pid)
		own_redis_kill(own);
	cr_assert_eq(process_run(argv, NULL, NULL, NULL), 0);
}

int64_t random_id(void)
{
	uint64_t bits;

	cr_assert(sodium_init() >= 0);
	randombytes_buf(&bits, sizeof bits);
	return (int64_t)(bits >> 1);
}
