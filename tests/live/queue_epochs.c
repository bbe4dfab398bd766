/* What becomes of places where Redis was lost, or came back from an older file: a new epoch of the line. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "tests/live/queueing.h"

TestSuite(queue_epochs, .init = line_setup, .fini = line_teardown, .timeout = 60);

enum { CROWD = 1000 };

/* Everybody polls, and those whose place was lost come back, in any order. */
static void come_back(struct place *places, size_t count)
{
	places_poll(places, count);
	for (size_t i = 0; i < count; i++)
		places[i].op.may_return = places[i].op.state == QUEUE_LOST;
	places_poll(places, count);
	for (size_t i = 0; i < count; i++)
		places[i].op.may_return = false;
}

static void expect_same_order(const struct place *places, size_t count)
{
	size_t lost = 0, inversions = 0;
	for (size_t i = 0; i < count; i++) {
		lost += places[i].op.state != QUEUE_WAITING;
		inversions += i > 0 && places[i].op.ahead <= places[i - 1].op.ahead;
	}
	cr_expect_eq(lost, 0);
	cr_expect_eq(inversions, 0);
}

Test(queue_epochs, an_emptied_redis_loses_no_place)
{
	struct node *node = line_open_own();
	struct place *places = places_join(1, CROWD), *newcomers;
	cr_assert_eq(ASK(&turns, node, "FLUSHALL").result, DB_OK);
	places_poll(places, CROWD);
	for (size_t i = 0; i < CROWD; i++)
		cr_assert_eq(places[i].op.state, QUEUE_NO_EPOCH);
	cr_assert_eq(line_adopt(node, 2, 1500), DB_OK);
	newcomers = places_join(100001, 100);
	cr_expect_eq(line_tick(node, &plenty).admitted_now, 0, "admission rests first");
	come_back(places, CROWD);
	places_poll(places, CROWD); /* and now see where they stand */
	expect_same_order(places, CROWD);
	cr_expect_eq(places[0].op.ahead, 0);
	line_tick(node, &nobody_in);
	places_poll(newcomers, 100);
	expect_same_order(newcomers, 100);
	cr_expect_eq(newcomers[0].op.ahead, CROWD, "behind all of them");
	cr_expect(place_join(node, 1).number == EPOCH(1) + 1);
	cr_assert(line_tick_until_admitted(node, &plenty, 100100));
	line_expect_order(node, CROWD + 100, CROWD + 100);
	free(places);
	free(newcomers);
}

Test(queue_epochs, a_counter_that_was_rolled_back_is_found_out)
{
	struct node *node = line_open(1);
	struct place *places = places_join(1, 10);
	ASK(&turns, node, "ZREMRANGEBYRANK", line_key("wait"), "7", "-1");
	ASK(&turns, node, "ZREM", line_key("seen"), "8", "9", "10");
	ASK(&turns, node, "HSET", line_key("meta"), "next", "7");
	cr_expect_eq(place_poll(node, 7, places[6].op.number).state, QUEUE_WAITING);
	cr_expect_eq(place_poll(node, 9, places[8].op.number).state, QUEUE_NO_EPOCH);
	cr_assert_eq(line_adopt(node, 2, 0), DB_OK);
	cr_expect_eq(place_join(node, 11).ahead, 7);
	come_back(places, 10);
	places_poll(places, 10);
	expect_same_order(places, 10);
	cr_expect_eq(place_join(node, 11).ahead, 10);
	cr_expect_eq(place_poll(node, 99, EPOCH(3) + 1).state, QUEUE_NO_EPOCH,
		"an epoch that is not yet known");
	free(places);
}

Test(queue_epochs, what_has_ended_is_not_put_back)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 6);
	cr_assert_eq(line_adopt(node, 2, 0), DB_OK); /* all numbers are of an older epoch now */
	place_leave(node, 6, places[5].op.number);
	settings.capacity = 2;
	line_tick(node, &settings);
	queue_end_pass(node->queue, event_id, 1, 0);
	place_leave(node, 2, places[1].op.number);
	settings.claim_within_ms = 50;
	cr_assert(line_tick_until_admitted(
		node, &settings, 5)); /* 3 and 4 let their admissions lapse */
	places_poll(places, 6);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(places[i].op.state, QUEUE_GONE, "user %zu", i + 1);
	cr_expect_eq(places[5].op.state, QUEUE_GONE);
	cr_expect_eq(line_tick(node, &settings).waiting, 0);
	free(places);
}

Test(queue_epochs, a_dropped_place_of_an_older_epoch_stays_dropped)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	int64_t number = place_join(node, 1).number;
	line_adopt(node, 2, 0);
	settings.admit = false;
	line_tick(node, &settings);
	line_pretend_unseen(node, 1);
	ASK(&turns, node, "HSET", line_key("meta"), "abandon_floor", "0");
	cr_expect_eq(line_tick(node, &settings).abandoned_total, 1);
	cr_expect_eq(place_poll(node, 1, number).state, QUEUE_GONE);
}

Test(queue_epochs, only_a_newer_epoch_is_adopted)
{
	struct node *node = line_open(1);
	cr_assert_eq(line_adopt(node, 5, 0), DB_OK);
	cr_expect_eq(place_join(node, 1).number, EPOCH(5) + 1);
	cr_expect_eq(line_adopt(node, 4, 60000), DB_OK);
	cr_expect_eq(line_adopt(node, 5, 60000), DB_OK);
	cr_expect_eq(place_join(node, 2).number, EPOCH(5) + 2);
	cr_expect_eq(
		line_tick(node, &plenty).admitted_now, 2, "nor does an older one's rest count");
	cr_expect_eq(line_adopt(node, 65536, 0), DB_FAILED, "its numbers would not be exact");
	cr_expect_eq(line_adopt(node, 65535, 0), DB_OK);
	struct queue_op op = place_join(node, 3);
	cr_expect_eq(op.number, EPOCH(65535) + 1);
	cr_expect_eq(place_join(node, 4).number, EPOCH(65535) + 2);
	cr_expect_eq(place_poll(node, 3, op.number).ahead, 0);
	cr_expect_eq(place_poll(node, 4, op.number + 1).ahead, 1);
	line_tick(node, &plenty);
	cr_expect_eq(place_poll(node, 4, op.number + 1).state, QUEUE_ADMITTED);
}

Test(queue_epochs, of_two_who_adopt_the_first_one_counts)
{
	struct node *nodes = line_open(2);
	ASK(&turns, nodes, "DEL", line_key("meta"));
	cr_expect(line_adopt_for(&nodes[0], 1, 0, 0).begun, "a new line, without a rest");
	cr_expect_not(line_adopt_for(&nodes[1], 2, 0, 60000).begun,
		"it knew no line either, but came later");
	int64_t number = place_join(&nodes[1], 1).number;
	cr_expect_eq(number, EPOCH(1) + 1);
	cr_expect_eq(line_tick(&nodes[0], &plenty).admitted_now, 1, "no rest was begun");
	/* A number that was never given asks for an epoch above its own; once there is one, it is enough. */
	cr_expect(line_adopt_for(&nodes[0], 3, EPOCH(1) + 9, 0).begun);
	cr_expect_not(line_adopt_for(&nodes[1], 4, EPOCH(1) + 9, 0).begun);
	cr_expect_eq(place_join(&nodes[1], 2).number, EPOCH(3) + 1);
}
