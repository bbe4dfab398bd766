/* The waiting line on a real Redis: places, heartbeats, what it comes to without Redis, and what it costs. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "tests/live/queueing.h"

TestSuite(queue, .init = line_setup, .fini = line_teardown, .timeout = 60);

/* --- places --- */

Test(queue, a_line_that_redis_does_not_know_asks_for_an_epoch)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	turns_up(&turns);
	cr_expect_eq(place_join(node, 1).state, QUEUE_NO_EPOCH);
	cr_expect_eq(place_poll(node, 1, EPOCH(1) + 1).state, QUEUE_NO_EPOCH);
	cr_expect_eq(line_tick(node, &plenty).state, QUEUE_NO_EPOCH);
	cr_expect_eq(place_leave(node, 1, EPOCH(1) + 1).state, QUEUE_GONE);
	cr_assert_eq(line_adopt(node, 1, 0), DB_OK);
	struct queue_op op = place_join(node, 1);
	cr_expect(op.state == QUEUE_WAITING && op.created);
	cr_expect_eq(op.number, EPOCH(1) + 1);
	cr_expect_eq(line_tick(node, &plenty).state, QUEUE_WAITING);
}

Test(queue, places_are_in_the_order_of_joining)
{
	struct node *node = line_open(1);
	for (int64_t user = 10; user > 0; user--) {
		struct queue_op op = place_join(node, user);
		cr_expect(op.state == QUEUE_WAITING && op.created);
		cr_expect_eq(op.ahead, 10 - user);
		cr_expect_eq(op.waiting, 11 - user);
		struct queue_op again = place_poll(node, user, op.number);
		cr_expect(
			again.state == QUEUE_WAITING && again.ahead == 10 - user && !again.created);
	}
	cr_expect_eq(line_tick(node, &plenty).admitted_now, 10);
	line_expect_order(node, 10, 10);
	cr_expect_eq(line_admissions(node)->list[0].user_id, 10);
}

Test(queue, joining_twice_finds_the_place_and_then_the_pass)
{
	struct node *node = line_open(2);
	struct queue_op first = place_join(&turns.nodes[0], 5),
			second = place_join(&turns.nodes[1], 5);
	cr_expect(first.created && !second.created);
	cr_expect(second.state == QUEUE_WAITING && second.number == first.number &&
		  second.waiting == 1);
	line_tick(node, &plenty);
	struct queue_op polled = place_poll(node, 5, first.number), joined = place_join(node, 5);
	cr_expect_eq(polled.state, QUEUE_ADMITTED);
	cr_expect(polled.nonce > 0 && polled.nonce < UINT64_C(1) << 53);
	cr_expect(joined.state == QUEUE_ADMITTED && !joined.created &&
		  joined.nonce == polled.nonce && joined.number == first.number &&
		  joined.pass_expires_ms == polled.pass_expires_ms);
	cr_expect_eq(ASK(&turns, node, "ZCARD", line_key("wait")).number, 0);
}

Test(queue, joining_twice_in_a_turn_makes_one_place)
{
	struct node *node = line_open(1);
	struct place places[3] = {0};
	for (int i = 0; i < 2; i++) {
		place_init(&places[i], 5, 0);
		queue_join(node->queue, &places[i].op);
	}
	turns_until(&turns, places_done, places);
	cr_expect(places[0].op.created && !places[1].op.created);
	cr_expect_eq(places[0].op.number, places[1].op.number);
	cr_expect_eq(places[1].op.waiting, 1);
}

Test(queue, a_place_that_was_left_is_gone)
{
	struct node *node = line_open(1);
	int64_t first = place_join(node, 1).number, second = place_join(node, 2).number;
	cr_expect_eq(place_leave(node, 1, first).state, QUEUE_GONE);
	cr_expect_eq(place_poll(node, 1, first).state, QUEUE_GONE);
	cr_expect_eq(place_leave(node, 1, first).state, QUEUE_GONE, "also the second time");
	cr_expect_eq(place_poll(node, 2, second).ahead, 0);
	cr_expect_eq(ASK(&turns, node, "ZCARD", line_key("seen")).number, 1);
}

Test(queue, a_token_of_an_older_place_is_gone_and_touches_nothing)
{
	struct node *node = line_open(1);
	int64_t old = place_join(node, 1).number;
	place_leave(node, 1, old);
	int64_t now = place_join(node, 1).number;
	cr_expect_neq(old, now);
	cr_expect_eq(place_poll(node, 1, old).state, QUEUE_GONE);
	place_leave(node, 1, old);
	cr_expect_eq(place_poll(node, 1, now).state, QUEUE_WAITING);
	line_tick(node, &plenty);
	cr_expect_eq(place_poll(node, 1, old).state, QUEUE_GONE);
	place_leave(node, 1, old);
	cr_expect_eq(place_poll(node, 1, now).state, QUEUE_ADMITTED);
}

Test(queue, polls_and_joins_of_a_turn_share_their_calls)
{
	struct node *node = line_open(1);
	uint64_t before = redis_stats(node->redis)->commands;
	struct place *places = places_join(1, 450);
	cr_expect_eq(redis_stats(node->redis)->commands - before, 3);
	before = redis_stats(node->redis)->commands;
	for (size_t i = 0; i < 450; i++)
		places[i].op.abandon_after_ms = 600000; /* heartbeats may wait for their second */
	places_poll(places, 450);
	cr_expect_eq(redis_stats(node->redis)->commands - before, 1);
	for (size_t i = 0; i < 450; i++)
		cr_assert_eq(places[i].op.ahead, (int64_t)i);
	free(places);
}

static struct node *beating;
static uint64_t beat_commands;

static bool beats_written(const void *context UNUSED)
{
	return redis_stats(beating->redis)->commands > beat_commands &&
	       redis_pending(beating->redis) == 0;
}

Test(queue, heartbeats_are_written_in_batches_for_who_still_waits)
{
	struct node *node = line_open(1);
	struct place *places = places_join(1, 600);
	int64_t gone_user = places[599].op.user_id;
	for (size_t i = 0; i < 600; i++) /* as if nobody had been seen for long */
		ASK(&turns, node, "ZADD", line_key("seen"), "1",
			line_decimal(places[i].op.user_id));
	for (int i = 0; i < 3; i++)
		places_poll(places, 600);
	place_leave(node, gone_user, places[599].op.number);
	beating = node;
	beat_commands = redis_stats(node->redis)->commands;
	turns_until(&turns, beats_written, NULL);
	cr_expect_leq(redis_stats(node->redis)->commands - beat_commands, 2);
	cr_expect_eq(ASK(&turns, node, "ZCOUNT", line_key("seen"), "-inf", "1").number, 0);
	cr_expect_eq(ASK(&turns, node, "ZCARD", line_key("seen")).number, 599,
		"who left is not seen again");
	free(places);
}

/* --- when Redis is away --- */

Test(queue, a_frozen_redis_ends_operations_and_keeps_the_line)
{
	struct redis_settings hasty = turns_settings;
	struct node *node;
	struct place places[4] = {0};
	hasty.deadline_ms = 1000;
	own_redis_open(&own);
	node = turns_add(&turns, own.process.url, &hasty);
	turns_up(&turns);
	line_adopt(node, 1, 0);
	int64_t first = place_join(node, 1).number, second = place_join(node, 2).number;
	kill(own.process.pid, SIGSTOP);
	place_init(&places[0], 1, first);
	place_init(&places[1], 3, 0);
	place_init(&places[2], 2, second);
	queue_poll(node->queue, &places[0].op);
	queue_join(node->queue, &places[1].op);
	queue_leave(node->queue, &places[2].op);
	turns_until(&turns, places_done, places);
	for (int i = 0; i < 3; i++)
		cr_expect(places[i].result == DB_UNKNOWN && places[i].answers == 1);
	kill(own.process.pid, SIGCONT);
	turns_up(&turns);
	cr_expect_eq(place_poll(node, 1, first).ahead, 0);
	cr_expect_eq(place_poll(node, 2, second).state, QUEUE_GONE, "unknown: it had happened");
	cr_expect_not(place_join(node, 3).created, "and so had this");
}

Test(queue, without_redis_operations_end_as_unavailable)
{
	struct node *node = turns_add(&turns, "none", &turns_settings);
	struct place places[4] = {0};
	for (int i = 0; i < 3; i++)
		place_init(&places[i], i + 1, EPOCH(1) + i);
	queue_poll(node->queue, &places[0].op);
	queue_join(node->queue, &places[1].op);
	queue_leave(node->queue, &places[2].op);
	turns_until(&turns, places_done, places);
	for (int i = 0; i < 3; i++)
		cr_expect(places[i].result == DB_UNAVAILABLE && places[i].answers == 1);
	cr_expect_eq(line_adopt(node, 1, 0), DB_UNAVAILABLE);
	struct run_tick run_tick;
	line_tick_send(node, &run_tick, &plenty);
	turns_until_set(&turns, &run_tick.done);
	cr_expect_eq(run_tick.result, DB_UNAVAILABLE);
	queue_end_pass(node->queue, event_id, 1, 0);
	queue_holding(node->queue, event_id, 1, 1);
}

Test(queue, closing_answers_what_was_gathered)
{
	struct node *node = line_open(1);
	struct place gathered[3] = {0}, sent[2] = {0};
	int64_t number = place_join(node, 1).number;
	place_init(&sent[0], 1, number);
	queue_poll(node->queue, &sent[0].op);
	queue_turn(node->queue);
	place_init(&gathered[0], 1, number);
	place_init(&gathered[1], 2, 0);
	queue_poll(node->queue, &gathered[0].op);
	queue_join(node->queue, &gathered[1].op);
	queue_free(node->queue);
	cr_expect(gathered[0].answers == 1 && gathered[0].result == DB_UNAVAILABLE);
	cr_expect(gathered[1].answers == 1 && gathered[1].result == DB_UNAVAILABLE);
	cr_expect_not(sent[0].done);
	redis_free(node->redis);
	cr_expect(sent[0].answers == 1 && sent[0].result == DB_UNKNOWN);
	turns.count = 0;
}

/* --- what a place costs --- */

static int64_t used_memory;

static void read_memory(
	void *context UNUSED, enum db_result result, const struct redis_value *value)
{
	size_t len;
	const char *info = redis_text(value, &len), *at = strstr(info, "used_memory:");
	cr_assert(result == DB_OK && at);
	used_memory = strtoll(at + strlen("used_memory:"), NULL, 10);
}

static bool memory_known(const void *context UNUSED)
{
	return used_memory > 0;
}

static int64_t memory_of(struct node *node)
{
	REDIS_ARGS(args, 2);
	used_memory = 0;
	redis_arg_text(&args, "INFO");
	redis_arg_text(&args, "memory");
	redis_command(node->redis, &args, read_memory, NULL);
	turns_until(&turns, memory_known, NULL);
	return used_memory;
}

enum { MEASURED = 20000, PLACE_BYTES_MAX = 300 };

Test(queue, a_place_takes_little_memory)
{
	struct node *node = line_open_own();
	int64_t before = memory_of(node);
	free(places_join(100000000, MEASURED));
	int64_t each = (memory_of(node) - before) / MEASURED;
	cr_expect_lt(each, PLACE_BYTES_MAX, "%lld bytes", (long long)each);
}
