/* Admission from the line, judged from the admission script's own stream: order, capacity, rate, passes, and who
 * is dropped. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "tests/live/queueing.h"

TestSuite(queue_admission, .init = line_setup, .fini = line_teardown, .timeout = 60);

enum { CROWD = 1000, CAPACITY = 10 };

/* Whoever is live goes, each through another instance. */
static int64_t end_live_passes(struct node *node)
{
	const struct admissions *all = line_admissions(node);
	static size_t ended;
	for (; ended < all->count; ended++)
		queue_end_pass(turns.nodes[ended % turns.count].queue, event_id,
			all->list[ended].user_id, 0);
	return (int64_t)ended;
}

Test(queue_admission, many_tickers_at_once_admit_in_order_and_never_above_capacity)
{
	struct node *node = line_open(3);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, CROWD);
	settings.capacity = CAPACITY;
	while (end_live_passes(node) < CROWD) {
		struct run_tick ticks[12];
		for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
			line_tick_send(&turns.nodes[i % 3], &ticks[i], &settings);
		for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
			turns_until_set(&turns, &ticks[i].done);
			cr_assert_eq(ticks[i].result, DB_OK);
			cr_assert_leq(ticks[i].tick.live, CAPACITY);
		}
	}
	line_expect_order(node, CROWD, CAPACITY);
	const struct admissions *all = line_admissions(node);
	bool seen[CROWD + 1] = {false};
	for (size_t i = 0; i < all->count; i++) {
		cr_assert_not(seen[all->list[i].user_id], "admitted twice");
		seen[all->list[i].user_id] = true;
	}
	struct queue_tick last = line_tick(node, &settings);
	cr_expect(last.waiting == 0 && last.admitted_total == CROWD && last.abandoned_total == 0);
	free(places);
}

enum { RATE = 200, RATED = 600 };

static bool all_rated_in(const void *context)
{
	const struct run_tick *ticks = context;
	for (unsigned i = 0; i < 3; i++)
		if (!ticks[i].done)
			return false;
	return true;
}

Test(queue_admission, the_rate_holds_whoever_ticks)
{
	struct node *node = line_open(3);
	struct queue_tick settings = plenty;
	struct run_tick ticks[3];
	struct place *places = places_join(1, RATED);
	int64_t admitted = 0;
	settings.admit_per_second = RATE;
	while (admitted < RATED) {
		for (unsigned i = 0; i < 3; i++)
			line_tick_send(&turns.nodes[i], &ticks[i], &settings);
		turns_until(&turns, all_rated_in, ticks);
		for (unsigned i = 0; i < 3; i++)
			admitted += ticks[i].tick.admitted_now;
	}
	line_expect_order(node, RATED, RATED);
	const struct admission *list = line_admissions(node)->list;
	for (size_t i = 0; i < RATED; i++)
		for (size_t j = i; j < RATED; j++) {
			double allowed = RATE +
					 RATE * (double)(list[j].at_ms - list[i].at_ms) / 1000;
			cr_assert_leq((double)(j - i + 1), allowed, "from %zu to %zu", i, j);
		}
	int64_t took_ms = list[RATED - 1].at_ms - list[0].at_ms;
	cr_expect(took_ms >= 1900 && took_ms < 6000, "%lld ms", (long long)took_ms);
	free(places);
}

Test(queue_admission, a_run_admits_at_most_a_bite)
{
	struct node *node = line_open(1);
	struct place *places = places_join(1, 2500);
	struct queue_tick run_one = line_tick(node, &plenty), run_two = line_tick(node, &plenty),
			  run_three = line_tick(node, &plenty);
	cr_expect_eq(run_one.admitted_now, 1000);
	cr_expect_eq(run_two.admitted_now, 1000);
	cr_expect_eq(run_three.admitted_now, 500);
	cr_expect_eq(run_three.live, 2500);
	line_expect_order(node, 2500, 2500);
	free(places);
}

Test(queue_admission, nobody_is_admitted_where_it_is_not_allowed)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	place_join(node, 1);
	settings.admit = false;
	struct queue_tick closed = line_tick(node, &settings);
	cr_expect(closed.admitted_now == 0 && closed.waiting == 1);
	settings = plenty;
	settings.capacity = 0;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0);
	settings = plenty;
	settings.admit_per_second = 0;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0);
	settings = plenty;
	settings.seats_available = 0;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0);
	cr_expect_eq(line_tick(node, &plenty).admitted_now, 1);
}

static int64_t redis_now_ms(struct node *node)
{
	struct queue_tick settings = plenty;
	settings.admit = false;
	return line_tick(node, &settings).now_ms;
}

Test(queue_admission, no_more_are_let_in_than_seats_are_left)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 20);
	settings.seats_available = 3;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 3);
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0, "three are in, and may want them");
	queue_holding(node->queue, event_id, 1, redis_now_ms(node) + 60000);
	settings.seats_available = 2;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0,
		"one holds his; two want the other two");
	settings.seats_available = 3;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 1);
	queue_holding(node->queue, event_id, 1, 0); /* gives it back, and may want another */
	settings.seats_available = 4;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0);
	queue_holding(node->queue, event_id, 15, redis_now_ms(node) + 60000);
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0, "who is not in holds nothing");
	free(places);
}

Test(queue_admission, a_hold_that_ends_wants_a_seat_again)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 3);
	settings.seats_available = 1;
	cr_assert_eq(line_tick(node, &settings).admitted_now, 1);
	int64_t until_ms = redis_now_ms(node) + 1500;
	queue_holding(node->queue, event_id, 1, until_ms);
	cr_assert(line_tick_until_admitted(node, &settings, 2));
	cr_assert_lt(line_admissions(node)->list[1].at_ms, until_ms);
	settings.seats_available = 2;
	while (redis_now_ms(node) <= until_ms)
		;
	cr_expect_eq(line_tick(node, &settings).admitted_now, 0, "two are in for two seats");
	free(places);
}

/* --- passes --- */

Test(queue_admission, an_admission_that_is_not_claimed_goes_on)
{
	enum { CLAIM_WITHIN_MS = 1000 };
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 3);
	settings.capacity = 1;
	settings.claim_within_ms = CLAIM_WITHIN_MS;
	cr_assert(line_tick_until_admitted(node, &settings, 1));
	cr_assert(line_tick_until_admitted(node, &settings, 2), "the first one's slot goes on");
	cr_expect_eq(place_poll(node, 1, places[0].op.number).state, QUEUE_GONE);
	const struct admission *list = line_admissions(node)->list;
	cr_expect_geq(list[1].at_ms - list[0].at_ms, CLAIM_WITHIN_MS);
	line_expect_order(node, 2, 1);
	/* The second one claims, and keeps the slot past claim_within. */
	cr_expect_eq(place_poll(node, 2, places[1].op.number).state, QUEUE_ADMITTED);
	int64_t until_ms = redis_now_ms(node) + CLAIM_WITHIN_MS + 300;
	while (redis_now_ms(node) < until_ms)
		cr_assert_eq(line_tick(node, &settings).live, 1);
	cr_expect_eq(place_poll(node, 2, places[1].op.number).state, QUEUE_ADMITTED);
	cr_expect_eq(line_admissions(node)->count, 2);
	free(places);
}

Test(queue_admission, an_expired_pass_is_gone_before_any_tick)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	int64_t number = place_join(node, 1).number;
	settings.pass_ttl_ms = 1000;
	cr_assert_eq(line_tick(node, &settings).live, 1);
	struct queue_op op = place_poll(node, 1, number);
	cr_assert_eq(op.state, QUEUE_ADMITTED);
	while (op.state == QUEUE_ADMITTED)
		op = place_poll(node, 1, number);
	cr_expect_eq(op.state, QUEUE_GONE);
	struct queue_op again = place_join(node, 1);
	cr_expect(again.state == QUEUE_WAITING && again.created && again.number > number);
	settings.admit = false;
	cr_expect_eq(line_tick(node, &settings).live, 0);
	cr_expect_eq(place_poll(node, 1, number).state, QUEUE_GONE);
	cr_expect_eq(place_poll(node, 1, again.number).state, QUEUE_WAITING);
}

Test(queue_admission, ticks_clear_expired_passes_away)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	int64_t number = place_join(node, 1).number;
	settings.pass_ttl_ms = 100;
	line_tick(node, &settings);
	place_poll(node, 1, number);
	queue_holding(node->queue, event_id, 1, redis_now_ms(node) + 60000);
	while (line_tick(node, &settings).live > 0)
		;
	cr_expect_eq(
		ASK(&turns, node, "EXISTS", line_key("pass"), line_key("live"), line_key("holding"))
			.number,
		0);
	cr_expect_eq(place_poll(node, 1, number).state, QUEUE_GONE);
}

Test(queue_admission, a_pass_ends_by_its_own_nonce)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 3);
	settings.capacity = 1;
	line_tick(node, &settings);
	struct queue_op op = place_poll(node, 1, places[0].op.number);
	queue_end_pass(node->queue, event_id, 1, op.nonce + 1);
	cr_expect_eq(place_poll(node, 1, op.number).state, QUEUE_ADMITTED, "another pass's nonce");
	queue_end_pass(node->queue, event_id, 1, op.nonce);
	cr_expect_eq(place_poll(node, 1, op.number).state, QUEUE_GONE);
	cr_expect_eq(line_tick(node, &settings).admitted_now, 1, "the slot is free at once");
	queue_end_pass(node->queue, event_id, 2, 0);
	cr_expect_eq(place_poll(node, 2, places[1].op.number).state, QUEUE_GONE);
	cr_expect_eq(line_tick(node, &settings).admitted_now, 1);
	cr_expect_eq(place_poll(node, 3, places[2].op.number).state, QUEUE_ADMITTED);
	free(places);
}

Test(queue_admission, leaving_gives_the_slot_back_at_once)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 2);
	settings.capacity = 1;
	line_tick(node, &settings);
	cr_expect_eq(place_poll(node, 1, places[0].op.number).state, QUEUE_ADMITTED);
	place_leave(node, 1, places[0].op.number);
	cr_expect_eq(place_poll(node, 1, places[0].op.number).state, QUEUE_GONE);
	cr_expect_eq(line_tick(node, &settings).admitted_now, 1);
	free(places);
}

/* --- places that nobody polls for --- */

Test(queue_admission, a_place_that_is_not_polled_is_dropped_and_the_others_keep_their_order)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty, ticked;
	int64_t first = place_join(node, 1).number, second = place_join(node, 2).number,
		third = place_join(node, 3).number;
	struct place places[3] = {0};
	settings.admit = false;
	settings.abandon_after_ms = 2000;
	do {
		place_init(&places[0], 1, first);
		place_init(&places[1], 3, third);
		for (int i = 0; i < 2; i++) {
			places[i].op.abandon_after_ms = settings.abandon_after_ms;
			queue_poll(node->queue, &places[i].op);
		}
		turns_until(&turns, places_done, places);
		cr_assert(
			places[0].op.state == QUEUE_WAITING && places[1].op.state == QUEUE_WAITING);
		ticked = line_tick(node, &settings);
	} while (ticked.abandoned_total == 0);
	cr_expect(ticked.abandoned_total == 1 && ticked.waiting == 2);
	cr_expect_eq(place_poll(node, 2, second).state, QUEUE_GONE);
	cr_expect_eq(place_poll(node, 1, first).ahead, 0);
	cr_expect_eq(place_poll(node, 3, third).ahead, 1);
}

Test(queue_admission, a_gap_in_ticks_drops_nobody)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 5);
	settings.admit = false;
	settings.abandon_after_ms = 10000;
	int64_t now_ms = line_tick(node, &settings).now_ms;
	for (int64_t user = 1; user <= 5; user++)
		line_pretend_unseen(node, user);
	ASK(&turns, node, "HSET", line_key("meta"), "abandon_floor", "0", "last_tick",
		line_decimal(now_ms - 6000));
	cr_expect_eq(line_tick(node, &settings).abandoned_total, 0, "the gap moved the floor");
	cr_expect_eq(line_tick(node, &settings).abandoned_total, 0, "which holds");
	settings.admit = true;
	settings.capacity = 2;
	cr_expect_eq(
		line_tick(node, &settings).admitted_now, 2, "and lets people in from the head");
	ASK(&turns, node, "HSET", line_key("meta"), "abandon_floor", "0");
	settings.admit = false;
	cr_expect_eq(line_tick(node, &settings).abandoned_total, 3);
	free(places);
}

/* More than a bite of them: the head is skipped by admission itself. */
Test(queue_admission, who_is_not_seen_is_not_admitted)
{
	struct node *node = line_open(1);
	struct queue_tick settings = plenty;
	struct place *places = places_join(1, 1500);
	int64_t first = 0, waiting = 1500;
	settings.admit = false;
	line_tick(node, &settings);
	for (int64_t user = 1; user <= 1200; user++)
		line_pretend_unseen(node, user);
	ASK(&turns, node, "HSET", line_key("meta"), "abandon_floor", "0");
	settings.admit = true;
	settings.capacity = 50;
	while (first == 0) {
		struct queue_tick ticked = line_tick(node, &settings);
		cr_assert_lt(ticked.waiting, waiting);
		waiting = ticked.waiting;
		if (ticked.admitted_now > 0)
			first = line_admissions(node)->list[0].user_id;
	}
	cr_expect_eq(first, 1201);
	cr_expect_eq(line_tick(node, &settings).abandoned_total, 1200);
	free(places);
}
