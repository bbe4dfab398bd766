/* The waiting line on a real Redis. Each test has an event of its own; order, capacity and rate are judged
 * from the admission script's own stream. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "queue/queue.h"
#include "tests/live/turns.h"

static struct turns turns;
static struct own_redis own;
static int64_t event_id;

static void open_line(void)
{
	turns_open(&turns);
	event_id = random_id();
}

static void close_line(void)
{
	turns_close(&turns);
	if (own.folder[0])
		own_redis_close(&own);
}

TestSuite(queue, .init = open_line, .fini = close_line, .timeout = 60);

#define EPOCH(number) ((int64_t)(number) << QUEUE_EPOCH_SHIFT)

/* --- one operation, to its end --- */

struct place {
	struct queue_op op;
	bool done;
	unsigned answers;
	enum db_result result;
};

static void place_done(struct queue_op *op, enum db_result result)
{
	struct place *place = op->owner;
	place->done = true;
	place->answers++;
	place->result = result;
}

static void place_init(struct place *place, int64_t user_id, int64_t number)
{
	*place = (struct place){.op = {.done = place_done,
					.owner = place,
					.event_id = event_id,
					.user_id = user_id,
					.number = number,
					.abandon_after_ms = 30000}};
}

static struct queue_op run(struct node *node,
	void (*submit)(struct queue *queue, struct queue_op *op), int64_t user_id, int64_t number)
{
	struct place place;
	place_init(&place, user_id, number);
	submit(node->queue, &place.op);
	cr_assert_not(place.done, "answered before the submitting call returned");
	turns_until_set(&turns, &place.done);
	cr_assert_eq(place.result, DB_OK);
	return place.op;
}

static struct queue_op join(struct node *node, int64_t user_id)
{
	return run(node, queue_join, user_id, 0);
}

static struct queue_op poll(struct node *node, int64_t user_id, int64_t number)
{
	return run(node, queue_poll, user_id, number);
}

static struct queue_op leave(struct node *node, int64_t user_id, int64_t number)
{
	return run(node, queue_leave, user_id, number);
}

struct adopted {
	bool done;
	enum db_result result;
	bool begun;
};

static void note_adopted(void *context, enum db_result result, bool begun)
{
	struct adopted *adopted = context;
	adopted->done = true;
	adopted->result = result;
	adopted->begun = begun;
}

static struct adopted adopt_for(struct node *node, int64_t epoch, int64_t number, int64_t rest_ms)
{
	struct adopted adopted = {0};
	queue_adopt(node->queue, event_id, epoch, number, rest_ms, QUEUE_SHUFFLE_NONE, note_adopted,
		&adopted);
	cr_assert_not(adopted.done);
	turns_until_set(&turns, &adopted.done);
	return adopted;
}

/* Whatever epoch there is, a place asks for a newer one. */
static enum db_result adopt(struct node *node, int64_t epoch, int64_t rest_ms)
{
	return adopt_for(node, epoch, INT64_C(65535) << QUEUE_EPOCH_SHIFT, rest_ms).result;
}

/* --- ticks --- */

struct run_tick {
	struct queue_tick tick;
	bool done;
	enum db_result result;
};

static const struct queue_tick plenty = {.admit = true,
	.seats_available = 1000000,
	.capacity = 1000000,
	.admit_per_second = 1000000,
	.pass_ttl_ms = 60000,
	.claim_within_ms = 60000,
	.abandon_after_ms = 60000};

/* Tidies up, brings a picture, and admits nobody. */
static const struct queue_tick nobody_in = {
	.pass_ttl_ms = 60000, .claim_within_ms = 60000, .abandon_after_ms = 60000};

static void tick_done(struct queue_tick *tick, enum db_result result)
{
	struct run_tick *run_tick = tick->owner;
	run_tick->done = true;
	run_tick->result = result;
}

static void tick_send(
	struct node *node, struct run_tick *run_tick, const struct queue_tick *settings)
{
	*run_tick = (struct run_tick){.tick = *settings};
	run_tick->tick.done = tick_done;
	run_tick->tick.owner = run_tick;
	run_tick->tick.event_id = event_id;
	queue_tick(node->queue, &run_tick->tick);
	cr_assert_not(run_tick->done);
}

static struct queue_tick tick(struct node *node, const struct queue_tick *settings)
{
	struct run_tick run_tick;
	tick_send(node, &run_tick, settings);
	turns_until_set(&turns, &run_tick.done);
	cr_assert_eq(run_tick.result, DB_OK);
	return run_tick.tick;
}

/* --- keys, and the stream of admissions --- */

static const char *key(const char *name)
{
	static char text[4][64];
	static unsigned next;
	char *at = text[next++ % 4];
	snprintf(at, sizeof text[0], "onsale:{%lld}:%s", (long long)event_id, name);
	return at;
}

static const char *decimal(int64_t value)
{
	static char text[4][32];
	static unsigned next;
	char *at = text[next++ % 4];
	snprintf(at, sizeof text[0], "%lld", (long long)value);
	return at;
}

struct admission {
	int64_t user_id, number, live, at_ms;
};

enum { ADMISSIONS_MAX = 3000 };

struct admissions {
	bool done;
	size_t count;
	struct admission list[ADMISSIONS_MAX];
};

static int64_t field(const struct redis_value *fields, const char *name)
{
	size_t len;
	for (size_t i = 0; i < redis_len(fields); i += 2)
		if (strcmp(redis_text(redis_at(fields, i), &len), name) == 0)
			return redis_int(redis_at(fields, i + 1));
	cr_assert_fail("an admission has no field %s", name);
	return 0;
}

static void read_admissions(void *context, enum db_result result, const struct redis_value *value)
{
	struct admissions *admissions = context;
	cr_assert_eq(result, DB_OK);
	admissions->done = true;
	admissions->count = redis_len(value);
	cr_assert_leq(admissions->count, ADMISSIONS_MAX);
	for (size_t i = 0; i < admissions->count; i++) {
		const struct redis_value *fields = redis_at(redis_at(value, i), 1);
		admissions->list[i] = (struct admission){field(fields, "user"),
			field(fields, "number"), field(fields, "live"), field(fields, "at")};
	}
}

static const struct admissions *admissions(struct node *node)
{
	static struct admissions all;
	REDIS_ARGS(args, 4);
	all.done = false;
	redis_arg_text(&args, "XRANGE");
	redis_arg_text(&args, key("admitted"));
	redis_arg_text(&args, "-");
	redis_arg_text(&args, "+");
	redis_command(node->redis, &args, read_admissions, &all);
	turns_until_set(&turns, &all.done);
	return &all;
}

static void expect_order_and_capacity(struct node *node, size_t count, int64_t capacity)
{
	const struct admissions *all = admissions(node);
	cr_assert_eq(all->count, count, "%zu admissions", all->count);
	for (size_t i = 0; i < all->count; i++) {
		cr_assert_leq(all->list[i].live, capacity);
		cr_assert(i == 0 || all->list[i - 1].number < all->list[i].number,
			"out of order at %zu", i);
	}
}

/* --- many at once --- */

static bool all_done(const void *context)
{
	for (const struct place *place = context; place->op.done; place++)
		if (!place->done)
			return false;
	return true;
}

/* Users from 1 on, spread over the nodes; the list ends in a zeroed place, and is the caller's to free. */
static struct place *join_many(int64_t first_user, size_t count)
{
	struct place *places = must_calloc(count + 1, sizeof *places);
	for (size_t i = 0; i < count; i++) {
		place_init(&places[i], first_user + (int64_t)i, 0);
		queue_join(turns.nodes[i % turns.count].queue, &places[i].op);
	}
	turns_until(&turns, all_done, places);
	for (size_t i = 0; i < count; i++)
		cr_assert(places[i].result == DB_OK && places[i].op.state == QUEUE_WAITING &&
			  places[i].op.created && places[i].answers == 1);
	return places;
}

/* Polls all of them again, in an order of its own. */
static void poll_many(struct place *places, size_t count)
{
	size_t step = 7919; /* prime, and no divisor of any count here: each is met once */
	for (size_t i = 0; i < count; i++) {
		struct place *place = &places[i * step % count];
		place->done = false;
		place->answers = 0;
		queue_poll(turns.nodes[i % turns.count].queue, &place->op);
	}
	turns_until(&turns, all_done, places);
	for (size_t i = 0; i < count; i++)
		cr_assert(places[i].result == DB_OK && places[i].answers == 1);
}

static struct node *open_nodes(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		turns_add(&turns, NULL, &turns_settings);
	turns_up(&turns);
	cr_assert_eq(adopt(&turns.nodes[0], 1, 0), DB_OK);
	return &turns.nodes[0];
}

static struct node *open_own(void)
{
	own_redis_open(&own);
	turns_add(&turns, own.process.url, &turns_settings);
	turns_up(&turns);
	cr_assert_eq(adopt(&turns.nodes[0], 1, 0), DB_OK);
	return &turns.nodes[0];
}

/* --- places --- */

Test(queue, a_line_that_redis_does_not_know_asks_for_an_epoch)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	turns_up(&turns);
	cr_expect_eq(join(node, 1).state, QUEUE_NO_EPOCH);
	cr_expect_eq(poll(node, 1, EPOCH(1) + 1).state, QUEUE_NO_EPOCH);
	cr_expect_eq(tick(node, &plenty).state, QUEUE_NO_EPOCH);
	cr_expect_eq(leave(node, 1, EPOCH(1) + 1).state, QUEUE_GONE);
	cr_assert_eq(adopt(node, 1, 0), DB_OK);
	struct queue_op op = join(node, 1);
	cr_expect(op.state == QUEUE_WAITING && op.created);
	cr_expect_eq(op.number, EPOCH(1) + 1);
	cr_expect_eq(tick(node, &plenty).state, QUEUE_WAITING);
}

Test(queue, places_are_in_the_order_of_joining)
{
	struct node *node = open_nodes(1);
	for (int64_t user = 10; user > 0; user--) {
		struct queue_op op = join(node, user);
		cr_expect(op.state == QUEUE_WAITING && op.created);
		cr_expect_eq(op.ahead, 10 - user);
		cr_expect_eq(op.waiting, 11 - user);
		struct queue_op again = poll(node, user, op.number);
		cr_expect(
			again.state == QUEUE_WAITING && again.ahead == 10 - user && !again.created);
	}
	cr_expect_eq(tick(node, &plenty).admitted_now, 10);
	expect_order_and_capacity(node, 10, 10);
	cr_expect_eq(admissions(node)->list[0].user_id, 10);
}

Test(queue, joining_twice_finds_the_place_and_then_the_pass)
{
	struct node *node = open_nodes(2);
	struct queue_op first = join(&turns.nodes[0], 5), second = join(&turns.nodes[1], 5);
	cr_expect(first.created && !second.created);
	cr_expect(second.state == QUEUE_WAITING && second.number == first.number &&
		  second.waiting == 1);
	tick(node, &plenty);
	struct queue_op polled = poll(node, 5, first.number), joined = join(node, 5);
	cr_expect_eq(polled.state, QUEUE_ADMITTED);
	cr_expect(polled.nonce > 0 && polled.nonce < UINT64_C(1) << 53);
	cr_expect(joined.state == QUEUE_ADMITTED && !joined.created &&
		  joined.nonce == polled.nonce && joined.number == first.number &&
		  joined.pass_expires_ms == polled.pass_expires_ms);
	cr_expect_eq(ASK(&turns, node, "ZCARD", key("wait")).number, 0);
}

Test(queue, joining_twice_in_a_turn_makes_one_place)
{
	struct node *node = open_nodes(1);
	struct place places[3] = {0};
	for (int i = 0; i < 2; i++) {
		place_init(&places[i], 5, 0);
		queue_join(node->queue, &places[i].op);
	}
	turns_until(&turns, all_done, places);
	cr_expect(places[0].op.created && !places[1].op.created);
	cr_expect_eq(places[0].op.number, places[1].op.number);
	cr_expect_eq(places[1].op.waiting, 1);
}

Test(queue, a_place_that_was_left_is_gone)
{
	struct node *node = open_nodes(1);
	int64_t first = join(node, 1).number, second = join(node, 2).number;
	cr_expect_eq(leave(node, 1, first).state, QUEUE_GONE);
	cr_expect_eq(poll(node, 1, first).state, QUEUE_GONE);
	cr_expect_eq(leave(node, 1, first).state, QUEUE_GONE, "also the second time");
	cr_expect_eq(poll(node, 2, second).ahead, 0);
	cr_expect_eq(ASK(&turns, node, "ZCARD", key("seen")).number, 1);
}

Test(queue, a_token_of_an_older_place_is_gone_and_touches_nothing)
{
	struct node *node = open_nodes(1);
	int64_t old = join(node, 1).number;
	leave(node, 1, old);
	int64_t now = join(node, 1).number;
	cr_expect_neq(old, now);
	cr_expect_eq(poll(node, 1, old).state, QUEUE_GONE);
	leave(node, 1, old);
	cr_expect_eq(poll(node, 1, now).state, QUEUE_WAITING);
	tick(node, &plenty);
	cr_expect_eq(poll(node, 1, old).state, QUEUE_GONE);
	leave(node, 1, old);
	cr_expect_eq(poll(node, 1, now).state, QUEUE_ADMITTED);
}

Test(queue, polls_and_joins_of_a_turn_share_their_calls)
{
	struct node *node = open_nodes(1);
	uint64_t before = redis_stats(node->redis)->commands;
	struct place *places = join_many(1, 450);
	cr_expect_eq(redis_stats(node->redis)->commands - before, 3);
	before = redis_stats(node->redis)->commands;
	for (size_t i = 0; i < 450; i++)
		places[i].op.abandon_after_ms = 600000; /* heartbeats may wait for their second */
	poll_many(places, 450);
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
	struct node *node = open_nodes(1);
	struct place *places = join_many(1, 600);
	int64_t gone_user = places[599].op.user_id;
	for (size_t i = 0; i < 600; i++) /* as if nobody had been seen for long */
		ASK(&turns, node, "ZADD", key("seen"), "1", decimal(places[i].op.user_id));
	for (int i = 0; i < 3; i++)
		poll_many(places, 600);
	leave(node, gone_user, places[599].op.number);
	beating = node;
	beat_commands = redis_stats(node->redis)->commands;
	turns_until(&turns, beats_written, NULL);
	cr_expect_leq(redis_stats(node->redis)->commands - beat_commands, 2);
	cr_expect_eq(ASK(&turns, node, "ZCOUNT", key("seen"), "-inf", "1").number, 0);
	cr_expect_eq(
		ASK(&turns, node, "ZCARD", key("seen")).number, 599, "who left is not seen again");
	free(places);
}

/* --- the picture of a line --- */

/* Asked for by a poll, brought by the next tick. */
static void bring_picture(struct node *node)
{
	poll(node, 1, EPOCH(1) + 1);
	tick(node, &nobody_in);
}

static void poll_all_at(struct node *node, struct place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		places[i].done = false;
		queue_poll(node->queue, &places[i].op);
	}
	turns_until(&turns, all_done, places);
}

/* Each place's answer, by whichever way it comes, is what Redis knows; those that wait are answered without it. */
static void expect_as_redis_knows(struct node *node, struct place *places, size_t count)
{
	uint64_t pictured = queue_pictured(node->queue);
	size_t waiting = 0;

	bring_picture(node);
	poll_all_at(node, places, count);
	pictured = queue_pictured(node->queue) - pictured;
	for (size_t i = 0; i < count; i++) {
		const struct queue_op *op = &places[i].op;
		const char *user = decimal(op->user_id);
		bool waits = ASK(&turns, node, "ZSCORE", key("wait"), user).text[0] != '\0';
		int64_t rank = ASK(&turns, node, "ZRANK", key("wait"), user).number;

		cr_assert_eq(op->state == QUEUE_WAITING, waits);
		cr_assert(!waits || op->ahead == rank, "%s is told %lld, Redis knows %lld", user,
			(long long)op->ahead, (long long)rank);
		waiting += waits;
	}
	cr_expect(pictured == waiting || pictured == waiting + 1, "%llu of %zu",
		(unsigned long long)pictured, waiting); /* the poll that asked may be one */
}

Test(queue, a_picture_tells_what_redis_knows)
{
	enum { PEOPLE = 700, ROUNDS = 4 };
	struct node *node = open_nodes(2), *other = &turns.nodes[1];
	struct place *places = join_many(1, PEOPLE);
	struct queue_tick few = plenty;
	unsigned random = 1;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PEOPLE / 10; i++) {
			struct place *place = &places[(unsigned)rand_r(&random) % PEOPLE];

			leave(i % 2 ? node : other, place->op.user_id, place->op.number);
			if (i % 3 == 0)
				place->op.number = join(other, place->op.user_id).number;
		}
		few.seats_available = 20 * (round + 1);
		tick(other, &few);
		expect_as_redis_knows(node, places, PEOPLE);
		expect_as_redis_knows(other, places, PEOPLE);
	}
	free(places);
}

Test(queue, who_has_left_is_gone_here_at_once_and_elsewhere_with_the_next_tick)
{
	struct node *node = open_nodes(2), *other = &turns.nodes[1];
	int64_t number = join(node, 1).number;

	join(node, 2);
	bring_picture(node);
	bring_picture(other);
	cr_expect_eq(poll(node, 1, number).state, QUEUE_WAITING);
	leave(node, 1, number);
	cr_expect_eq(poll(node, 1, number).state, QUEUE_GONE);
	tick(other, &nobody_in);
	cr_expect_eq(poll(other, 1, number).state, QUEUE_GONE);
}

Test(queue, a_picture_counts_places_of_older_epochs_and_redis_answers_for_them)
{
	struct node *node = open_nodes(1);
	struct place *old = join_many(1, 5), *new;
	uint64_t pictured;

	bring_picture(node);
	cr_assert_eq(adopt(node, 2, 0), DB_OK);
	new = join_many(6, 5);
	poll(node, 1, EPOCH(1) + 1);
	tick(node, &nobody_in);
	pictured = queue_pictured(node->queue);
	for (int64_t i = 0; i < 5; i++) {
		cr_expect_eq(poll(node, i + 1, old[i].op.number).ahead, i);
		cr_expect_eq(poll(node, i + 6, new[i].op.number).ahead, 5 + i);
	}
	cr_expect_eq(queue_pictured(node->queue) - pictured, 5);
	free(old);
	free(new);
}

/* --- admission --- */

enum { CROWD = 1000, CAPACITY = 10 };

/* Whoever is live goes, each through another instance. */
static int64_t end_live_passes(struct node *node)
{
	const struct admissions *all = admissions(node);
	static size_t ended;
	for (; ended < all->count; ended++)
		queue_end_pass(turns.nodes[ended % turns.count].queue, event_id,
			all->list[ended].user_id, 0);
	return (int64_t)ended;
}

Test(queue, many_tickers_at_once_admit_in_order_and_never_above_capacity)
{
	struct node *node = open_nodes(3);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, CROWD);
	settings.capacity = CAPACITY;
	while (end_live_passes(node) < CROWD) {
		struct run_tick ticks[12];
		for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
			tick_send(&turns.nodes[i % 3], &ticks[i], &settings);
		for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
			turns_until_set(&turns, &ticks[i].done);
			cr_assert_eq(ticks[i].result, DB_OK);
			cr_assert_leq(ticks[i].tick.live, CAPACITY);
		}
	}
	expect_order_and_capacity(node, CROWD, CAPACITY);
	const struct admissions *all = admissions(node);
	bool seen[CROWD + 1] = {false};
	for (size_t i = 0; i < all->count; i++) {
		cr_assert_not(seen[all->list[i].user_id], "admitted twice");
		seen[all->list[i].user_id] = true;
	}
	struct queue_tick last = tick(node, &settings);
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

Test(queue, the_rate_holds_whoever_ticks)
{
	struct node *node = open_nodes(3);
	struct queue_tick settings = plenty;
	struct run_tick ticks[3];
	struct place *places = join_many(1, RATED);
	int64_t admitted = 0;
	settings.admit_per_second = RATE;
	while (admitted < RATED) {
		for (unsigned i = 0; i < 3; i++)
			tick_send(&turns.nodes[i], &ticks[i], &settings);
		turns_until(&turns, all_rated_in, ticks);
		for (unsigned i = 0; i < 3; i++)
			admitted += ticks[i].tick.admitted_now;
	}
	expect_order_and_capacity(node, RATED, RATED);
	const struct admission *list = admissions(node)->list;
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

Test(queue, a_run_admits_at_most_a_bite)
{
	struct node *node = open_nodes(1);
	struct place *places = join_many(1, 2500);
	struct queue_tick run_one = tick(node, &plenty), run_two = tick(node, &plenty),
			  run_three = tick(node, &plenty);
	cr_expect_eq(run_one.admitted_now, 1000);
	cr_expect_eq(run_two.admitted_now, 1000);
	cr_expect_eq(run_three.admitted_now, 500);
	cr_expect_eq(run_three.live, 2500);
	expect_order_and_capacity(node, 2500, 2500);
	free(places);
}

Test(queue, nobody_is_admitted_where_it_is_not_allowed)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	join(node, 1);
	settings.admit = false;
	struct queue_tick closed = tick(node, &settings);
	cr_expect(closed.admitted_now == 0 && closed.waiting == 1);
	settings = plenty;
	settings.capacity = 0;
	cr_expect_eq(tick(node, &settings).admitted_now, 0);
	settings = plenty;
	settings.admit_per_second = 0;
	cr_expect_eq(tick(node, &settings).admitted_now, 0);
	settings = plenty;
	settings.seats_available = 0;
	cr_expect_eq(tick(node, &settings).admitted_now, 0);
	cr_expect_eq(tick(node, &plenty).admitted_now, 1);
}

static int64_t redis_now_ms(struct node *node)
{
	struct queue_tick settings = plenty;
	settings.admit = false;
	return tick(node, &settings).now_ms;
}

Test(queue, no_more_are_let_in_than_seats_are_left)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 20);
	settings.seats_available = 3;
	cr_expect_eq(tick(node, &settings).admitted_now, 3);
	cr_expect_eq(tick(node, &settings).admitted_now, 0, "three are in, and may want them");
	queue_holding(node->queue, event_id, 1, redis_now_ms(node) + 60000);
	settings.seats_available = 2;
	cr_expect_eq(
		tick(node, &settings).admitted_now, 0, "one holds his; two want the other two");
	settings.seats_available = 3;
	cr_expect_eq(tick(node, &settings).admitted_now, 1);
	queue_holding(node->queue, event_id, 1, 0); /* gives it back, and may want another */
	settings.seats_available = 4;
	cr_expect_eq(tick(node, &settings).admitted_now, 0);
	queue_holding(node->queue, event_id, 15, redis_now_ms(node) + 60000);
	cr_expect_eq(tick(node, &settings).admitted_now, 0, "who is not in holds nothing");
	free(places);
}

static bool tick_until_admitted(
	struct node *node, const struct queue_tick *settings, int64_t user_id)
{
	uint64_t end_us = clock_mono_us_now() + 5000000;
	while (clock_mono_us_now() < end_us) {
		const struct admissions *all = admissions(node);
		for (size_t i = 0; i < all->count; i++)
			if (all->list[i].user_id == user_id)
				return true;
		tick(node, settings);
	}
	return false;
}

Test(queue, a_hold_that_ends_wants_a_seat_again)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 3);
	settings.seats_available = 1;
	cr_assert_eq(tick(node, &settings).admitted_now, 1);
	int64_t until_ms = redis_now_ms(node) + 300;
	queue_holding(node->queue, event_id, 1, until_ms);
	cr_assert(tick_until_admitted(node, &settings, 2));
	cr_assert_lt(admissions(node)->list[1].at_ms, until_ms);
	settings.seats_available = 2;
	while (redis_now_ms(node) <= until_ms)
		;
	cr_expect_eq(tick(node, &settings).admitted_now, 0, "two are in for two seats");
	free(places);
}

/* --- passes --- */

Test(queue, an_admission_that_is_not_claimed_goes_on)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 3);
	settings.capacity = 1;
	settings.claim_within_ms = 200;
	cr_assert(tick_until_admitted(node, &settings, 1));
	cr_assert(tick_until_admitted(node, &settings, 2), "the first one's slot goes on");
	cr_expect_eq(poll(node, 1, places[0].op.number).state, QUEUE_GONE);
	const struct admission *list = admissions(node)->list;
	cr_expect_geq(list[1].at_ms - list[0].at_ms, 200);
	expect_order_and_capacity(node, 2, 1);
	/* The second one claims, and keeps the slot past claim_within. */
	cr_expect_eq(poll(node, 2, places[1].op.number).state, QUEUE_ADMITTED);
	int64_t until_ms = redis_now_ms(node) + 500;
	while (redis_now_ms(node) < until_ms)
		cr_assert_eq(tick(node, &settings).live, 1);
	cr_expect_eq(poll(node, 2, places[1].op.number).state, QUEUE_ADMITTED);
	cr_expect_eq(admissions(node)->count, 2);
	free(places);
}

Test(queue, an_expired_pass_is_gone_before_any_tick)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	int64_t number = join(node, 1).number;
	settings.pass_ttl_ms = 300;
	cr_assert_eq(tick(node, &settings).live, 1);
	struct queue_op op = poll(node, 1, number);
	cr_assert_eq(op.state, QUEUE_ADMITTED);
	while (op.state == QUEUE_ADMITTED)
		op = poll(node, 1, number);
	cr_expect_eq(op.state, QUEUE_GONE);
	struct queue_op again = join(node, 1);
	cr_expect(again.state == QUEUE_WAITING && again.created && again.number > number);
	settings.admit = false;
	cr_expect_eq(tick(node, &settings).live, 0);
	cr_expect_eq(poll(node, 1, number).state, QUEUE_GONE);
	cr_expect_eq(poll(node, 1, again.number).state, QUEUE_WAITING);
}

Test(queue, ticks_clear_expired_passes_away)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	int64_t number = join(node, 1).number;
	settings.pass_ttl_ms = 100;
	tick(node, &settings);
	poll(node, 1, number);
	queue_holding(node->queue, event_id, 1, redis_now_ms(node) + 60000);
	while (tick(node, &settings).live > 0)
		;
	cr_expect_eq(
		ASK(&turns, node, "EXISTS", key("pass"), key("live"), key("holding")).number, 0);
	cr_expect_eq(poll(node, 1, number).state, QUEUE_GONE);
}

Test(queue, a_pass_ends_by_its_own_nonce)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 3);
	settings.capacity = 1;
	tick(node, &settings);
	struct queue_op op = poll(node, 1, places[0].op.number);
	queue_end_pass(node->queue, event_id, 1, op.nonce + 1);
	cr_expect_eq(poll(node, 1, op.number).state, QUEUE_ADMITTED, "another pass's nonce");
	queue_end_pass(node->queue, event_id, 1, op.nonce);
	cr_expect_eq(poll(node, 1, op.number).state, QUEUE_GONE);
	cr_expect_eq(tick(node, &settings).admitted_now, 1, "the slot is free at once");
	queue_end_pass(node->queue, event_id, 2, 0);
	cr_expect_eq(poll(node, 2, places[1].op.number).state, QUEUE_GONE);
	cr_expect_eq(tick(node, &settings).admitted_now, 1);
	cr_expect_eq(poll(node, 3, places[2].op.number).state, QUEUE_ADMITTED);
	free(places);
}

Test(queue, leaving_gives_the_slot_back_at_once)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 2);
	settings.capacity = 1;
	tick(node, &settings);
	cr_expect_eq(poll(node, 1, places[0].op.number).state, QUEUE_ADMITTED);
	leave(node, 1, places[0].op.number);
	cr_expect_eq(poll(node, 1, places[0].op.number).state, QUEUE_GONE);
	cr_expect_eq(tick(node, &settings).admitted_now, 1);
	free(places);
}

/* --- places that nobody polls for --- */

Test(queue, a_place_that_is_not_polled_is_dropped_and_the_others_keep_their_order)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty, ticked;
	int64_t first = join(node, 1).number, second = join(node, 2).number,
		third = join(node, 3).number;
	struct place places[3] = {0};
	settings.admit = false;
	settings.abandon_after_ms = 1000;
	do {
		place_init(&places[0], 1, first);
		place_init(&places[1], 3, third);
		for (int i = 0; i < 2; i++) {
			places[i].op.abandon_after_ms = settings.abandon_after_ms;
			queue_poll(node->queue, &places[i].op);
		}
		turns_until(&turns, all_done, places);
		cr_assert(
			places[0].op.state == QUEUE_WAITING && places[1].op.state == QUEUE_WAITING);
		ticked = tick(node, &settings);
	} while (ticked.abandoned_total == 0);
	cr_expect(ticked.abandoned_total == 1 && ticked.waiting == 2);
	cr_expect_eq(poll(node, 2, second).state, QUEUE_GONE);
	cr_expect_eq(poll(node, 1, first).ahead, 0);
	cr_expect_eq(poll(node, 3, third).ahead, 1);
}

static void pretend_unseen(struct node *node, int64_t user_id)
{
	ASK(&turns, node, "ZADD", key("seen"), "XX", "1", decimal(user_id));
}

Test(queue, a_gap_in_ticks_drops_nobody)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 5);
	settings.admit = false;
	settings.abandon_after_ms = 10000;
	int64_t now_ms = tick(node, &settings).now_ms;
	for (int64_t user = 1; user <= 5; user++)
		pretend_unseen(node, user);
	ASK(&turns, node, "HSET", key("meta"), "abandon_floor", "0", "last_tick",
		decimal(now_ms - 6000));
	cr_expect_eq(tick(node, &settings).abandoned_total, 0, "the gap moved the floor");
	cr_expect_eq(tick(node, &settings).abandoned_total, 0, "which holds");
	settings.admit = true;
	settings.capacity = 2;
	cr_expect_eq(tick(node, &settings).admitted_now, 2, "and lets people in from the head");
	ASK(&turns, node, "HSET", key("meta"), "abandon_floor", "0");
	settings.admit = false;
	cr_expect_eq(tick(node, &settings).abandoned_total, 3);
	free(places);
}

/* More than a bite of them: the head is skipped by admission itself. */
Test(queue, who_is_not_seen_is_not_admitted)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 1500);
	int64_t first = 0, waiting = 1500;
	settings.admit = false;
	tick(node, &settings);
	for (int64_t user = 1; user <= 1200; user++)
		pretend_unseen(node, user);
	ASK(&turns, node, "HSET", key("meta"), "abandon_floor", "0");
	settings.admit = true;
	settings.capacity = 50;
	while (first == 0) {
		struct queue_tick ticked = tick(node, &settings);
		cr_assert_lt(ticked.waiting, waiting);
		waiting = ticked.waiting;
		if (ticked.admitted_now > 0)
			first = admissions(node)->list[0].user_id;
	}
	cr_expect_eq(first, 1201);
	cr_expect_eq(tick(node, &settings).abandoned_total, 1200);
	free(places);
}

/* --- epochs --- */

/* Everybody polls, and those whose place was lost come back, in any order. */
static void come_back(struct place *places, size_t count)
{
	poll_many(places, count);
	for (size_t i = 0; i < count; i++)
		places[i].op.may_return = places[i].op.state == QUEUE_LOST;
	poll_many(places, count);
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

Test(queue, an_emptied_redis_loses_no_place)
{
	struct node *node = open_own();
	struct place *places = join_many(1, CROWD), *newcomers;
	cr_assert_eq(ASK(&turns, node, "FLUSHALL").result, DB_OK);
	poll_many(places, CROWD);
	for (size_t i = 0; i < CROWD; i++)
		cr_assert_eq(places[i].op.state, QUEUE_NO_EPOCH);
	cr_assert_eq(adopt(node, 2, 1500), DB_OK);
	newcomers = join_many(100001, 100);
	cr_expect_eq(tick(node, &plenty).admitted_now, 0, "admission rests first");
	come_back(places, CROWD);
	poll_many(places, CROWD); /* and now see where they stand */
	expect_same_order(places, CROWD);
	cr_expect_eq(places[0].op.ahead, 0);
	tick(node, &nobody_in);
	poll_many(newcomers, 100);
	expect_same_order(newcomers, 100);
	cr_expect_eq(newcomers[0].op.ahead, CROWD, "behind all of them");
	cr_expect(join(node, 1).number == EPOCH(1) + 1);
	cr_assert(tick_until_admitted(node, &plenty, 100100));
	expect_order_and_capacity(node, CROWD + 100, CROWD + 100);
	free(places);
	free(newcomers);
}

Test(queue, a_counter_that_was_rolled_back_is_found_out)
{
	struct node *node = open_nodes(1);
	struct place *places = join_many(1, 10);
	ASK(&turns, node, "ZREMRANGEBYRANK", key("wait"), "7", "-1");
	ASK(&turns, node, "ZREM", key("seen"), "8", "9", "10");
	ASK(&turns, node, "HSET", key("meta"), "next", "7");
	cr_expect_eq(poll(node, 7, places[6].op.number).state, QUEUE_WAITING);
	cr_expect_eq(poll(node, 9, places[8].op.number).state, QUEUE_NO_EPOCH);
	cr_assert_eq(adopt(node, 2, 0), DB_OK);
	cr_expect_eq(join(node, 11).ahead, 7);
	come_back(places, 10);
	poll_many(places, 10);
	expect_same_order(places, 10);
	cr_expect_eq(join(node, 11).ahead, 10);
	cr_expect_eq(poll(node, 99, EPOCH(3) + 1).state, QUEUE_NO_EPOCH,
		"an epoch that is not yet known");
	free(places);
}

Test(queue, what_has_ended_is_not_put_back)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	struct place *places = join_many(1, 6);
	cr_assert_eq(adopt(node, 2, 0), DB_OK); /* all numbers are of an older epoch now */
	leave(node, 6, places[5].op.number);
	settings.capacity = 2;
	tick(node, &settings);
	queue_end_pass(node->queue, event_id, 1, 0);
	leave(node, 2, places[1].op.number);
	settings.claim_within_ms = 50;
	cr_assert(tick_until_admitted(node, &settings, 5)); /* 3 and 4 let their admissions lapse */
	poll_many(places, 6);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(places[i].op.state, QUEUE_GONE, "user %zu", i + 1);
	cr_expect_eq(places[5].op.state, QUEUE_GONE);
	cr_expect_eq(tick(node, &settings).waiting, 0);
	free(places);
}

Test(queue, a_dropped_place_of_an_older_epoch_stays_dropped)
{
	struct node *node = open_nodes(1);
	struct queue_tick settings = plenty;
	int64_t number = join(node, 1).number;
	adopt(node, 2, 0);
	settings.admit = false;
	tick(node, &settings);
	pretend_unseen(node, 1);
	ASK(&turns, node, "HSET", key("meta"), "abandon_floor", "0");
	cr_expect_eq(tick(node, &settings).abandoned_total, 1);
	cr_expect_eq(poll(node, 1, number).state, QUEUE_GONE);
}

Test(queue, only_a_newer_epoch_is_adopted)
{
	struct node *node = open_nodes(1);
	cr_assert_eq(adopt(node, 5, 0), DB_OK);
	cr_expect_eq(join(node, 1).number, EPOCH(5) + 1);
	cr_expect_eq(adopt(node, 4, 60000), DB_OK);
	cr_expect_eq(adopt(node, 5, 60000), DB_OK);
	cr_expect_eq(join(node, 2).number, EPOCH(5) + 2);
	cr_expect_eq(tick(node, &plenty).admitted_now, 2, "nor does an older one's rest count");
	cr_expect_eq(adopt(node, 65536, 0), DB_FAILED, "its numbers would not be exact");
	cr_expect_eq(adopt(node, 65535, 0), DB_OK);
	struct queue_op op = join(node, 3);
	cr_expect_eq(op.number, EPOCH(65535) + 1);
	cr_expect_eq(join(node, 4).number, EPOCH(65535) + 2);
	cr_expect_eq(poll(node, 3, op.number).ahead, 0);
	cr_expect_eq(poll(node, 4, op.number + 1).ahead, 1);
	tick(node, &plenty);
	cr_expect_eq(poll(node, 4, op.number + 1).state, QUEUE_ADMITTED);
}

Test(queue, of_two_who_adopt_the_first_one_counts)
{
	struct node *nodes = open_nodes(2);
	ASK(&turns, nodes, "DEL", key("meta"));
	cr_expect(adopt_for(&nodes[0], 1, 0, 0).begun, "a new line, without a rest");
	cr_expect_not(
		adopt_for(&nodes[1], 2, 0, 60000).begun, "it knew no line either, but came later");
	int64_t number = join(&nodes[1], 1).number;
	cr_expect_eq(number, EPOCH(1) + 1);
	cr_expect_eq(tick(&nodes[0], &plenty).admitted_now, 1, "no rest was begun");
	/* A number that was never given asks for an epoch above its own; once there is one, it is enough. */
	cr_expect(adopt_for(&nodes[0], 3, EPOCH(1) + 9, 0).begun);
	cr_expect_not(adopt_for(&nodes[1], 4, EPOCH(1) + 9, 0).begun);
	cr_expect_eq(join(&nodes[1], 2).number, EPOCH(3) + 1);
}

/* --- when Redis is away --- */

Test(queue, a_frozen_redis_ends_operations_and_keeps_the_line)
{
	struct redis_settings hasty = turns_settings;
	struct node *node;
	struct place places[4] = {0};
	hasty.deadline_ms = 200;
	own_redis_open(&own);
	node = turns_add(&turns, own.process.url, &hasty);
	turns_up(&turns);
	adopt(node, 1, 0);
	int64_t first = join(node, 1).number, second = join(node, 2).number;
	kill(own.process.pid, SIGSTOP);
	place_init(&places[0], 1, first);
	place_init(&places[1], 3, 0);
	place_init(&places[2], 2, second);
	queue_poll(node->queue, &places[0].op);
	queue_join(node->queue, &places[1].op);
	queue_leave(node->queue, &places[2].op);
	turns_until(&turns, all_done, places);
	for (int i = 0; i < 3; i++)
		cr_expect(places[i].result == DB_UNKNOWN && places[i].answers == 1);
	kill(own.process.pid, SIGCONT);
	turns_up(&turns);
	cr_expect_eq(poll(node, 1, first).ahead, 0);
	cr_expect_eq(poll(node, 2, second).state, QUEUE_GONE, "unknown: it had happened");
	cr_expect_not(join(node, 3).created, "and so had this");
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
	turns_until(&turns, all_done, places);
	for (int i = 0; i < 3; i++)
		cr_expect(places[i].result == DB_UNAVAILABLE && places[i].answers == 1);
	cr_expect_eq(adopt(node, 1, 0), DB_UNAVAILABLE);
	struct run_tick run_tick;
	tick_send(node, &run_tick, &plenty);
	turns_until_set(&turns, &run_tick.done);
	cr_expect_eq(run_tick.result, DB_UNAVAILABLE);
	queue_end_pass(node->queue, event_id, 1, 0);
	queue_holding(node->queue, event_id, 1, 1);
}

Test(queue, closing_answers_what_was_gathered)
{
	struct node *node = open_nodes(1);
	struct place gathered[3] = {0}, sent[2] = {0};
	int64_t number = join(node, 1).number;
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
	struct node *node = open_own();
	int64_t before = memory_of(node);
	free(join_many(100000000, MEASURED));
	int64_t each = (memory_of(node) - before) / MEASURED;
	cr_expect_lt(each, PLACE_BYTES_MAX, "%lld bytes", (long long)each);
}

/* --- the shuffle --- */

struct shuffle_step {
	struct queue_shuffle_op op;
	bool done;
	enum db_result result;
};

static void shuffle_step_done(struct queue_shuffle_op *op, enum db_result result)
{
	struct shuffle_step *step = op->owner;
	step->done = true;
	step->result = result;
}

static void shuffle_step(struct node *node, struct shuffle_step *step,
	void (*submit)(struct redis *redis, struct queue_shuffle_op *op))
{
	step->done = false;
	step->op.done = shuffle_step_done;
	step->op.owner = step;
	step->op.event_id = event_id;
	submit(node->redis, &step->op);
	cr_assert_not(step->done);
	turns_until_set(&turns, &step->done);
	cr_assert_eq(step->result, DB_OK);
}

static void close_in_an_hour(struct redis *redis, struct queue_shuffle_op *op)
{
	queue_shuffle_close(redis, op, clock_unix_ms() + 3600000);
}

static void close_now(struct redis *redis, struct queue_shuffle_op *op)
{
	queue_shuffle_close(redis, op, clock_unix_ms() - 60000);
}

static void adopt_pending(struct node *node, int64_t epoch, int64_t number)
{
	struct adopted adopted = {0};
	queue_adopt(node->queue, event_id, epoch, number, 0, QUEUE_SHUFFLE_PENDING, note_adopted,
		&adopted);
	turns_until_set(&turns, &adopted.done);
	cr_assert_eq(adopted.result, DB_OK);
}

/* Closing goes by Redis's clock: an instance that is early is told to wait, and admits nobody. */
Test(queue, a_list_is_closed_once_and_its_numbers_are_given_once)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0}, again;

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	for (int64_t user = 1; user <= 3; user++) {
		struct queue_op joined = join(node, user);
		cr_expect(joined.shuffling && joined.number == EPOCH(1));
	}
	shuffle_step(node, &step, close_in_an_hour);
	cr_expect_eq(step.op.state, QUEUE_SHUFFLE_PENDING);
	cr_expect_eq(tick(node, &plenty).admitted_now, 0);
	shuffle_step(node, &step, close_now);
	cr_expect(step.op.state == QUEUE_SHUFFLE_CLOSED && step.op.base == EPOCH(1));
	struct queue_op late = join(node, 4);
	cr_expect(late.shuffling && late.number == EPOCH(1) + 4);
	shuffle_step(node, &step, queue_shuffle_read);
	cr_assert(step.op.count == 3 && !step.op.gone);
	leave(node, 2, EPOCH(1));
	join(node, 2); /* behind all of them, as anybody who comes now */
	cr_expect_eq(tick(node, &plenty).admitted_now, 0);
	int64_t order[] = {3, 2, 1};
	memcpy(step.op.users, order, sizeof order);
	step.op.number = EPOCH(1) + 1;
	step.op.last = true;
	again = step;
	shuffle_step(node, &step, queue_shuffle_rank);
	cr_expect_not(step.op.gone);
	shuffle_step(node, &again, queue_shuffle_rank);
	cr_expect(again.op.gone);
	struct queue_tick ticked = tick(node, &plenty);
	cr_expect(ticked.admitted_now == 4 && ticked.shuffle == QUEUE_SHUFFLE_DONE);
	const struct admissions *all = admissions(node);
	const int64_t users[] = {3, 1, 4, 2}, numbers[] = {1, 3, 4, 5};
	for (size_t i = 0; i < 4; i++)
		cr_expect(all->list[i].user_id == users[i] &&
			  all->list[i].number == EPOCH(1) + numbers[i]);
	struct queue_op first = poll(node, 3, EPOCH(1)); /* a token of before */
	cr_expect(first.state == QUEUE_ADMITTED && first.number == EPOCH(1) + 1);
}

/* Numbers of before the shuffle stand for nobody: only those that it gave are in the picture. */
Test(queue, a_shuffled_line_has_its_picture_once_that_is_done)
{
	enum { ENTRANTS = 1500, LATE = 10 }; /* more than a run shows */
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0};
	static struct place places[ENTRANTS + LATE + 1]; /* the list ends in a zeroed one */

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	for (int64_t i = 0; i < ENTRANTS; i++)
		place_init(&places[i], 1 + i, join(node, 1 + i).number);
	shuffle_step(node, &step, close_now);
	for (int64_t i = ENTRANTS; i < ENTRANTS + LATE; i++)
		place_init(&places[i], 1 + i, join(node, 1 + i).number);
	int64_t left = ENTRANTS;
	for (int part = 0; left > 0; part++) {
		step.op.count = left < QUEUE_SHUFFLE_PART ? (size_t)left : QUEUE_SHUFFLE_PART;
		step.op.number = EPOCH(1) + 1 + ENTRANTS - left;
		for (size_t i = 0; i < step.op.count; i++) /* from the last to the first */
			step.op.users[i] = left - (int64_t)i;
		left -= (int64_t)step.op.count;
		step.op.last = left == 0;
		shuffle_step(node, &step, queue_shuffle_rank);
		leave(node, ENTRANTS - part, EPOCH(1)); /* has its number */
		leave(node, 2 + part, EPOCH(1)); /* has none yet, the first time */
		bring_picture(node);
	}
	bring_picture(node); /* shows the first of them, the next one the others */
	for (int64_t i = 0; i < ENTRANTS; i++)
		places[i].op.number = EPOCH(1) + ENTRANTS - i;
	expect_as_redis_knows(node, places, ENTRANTS + LATE);
}

/* A list that is being read when Redis is lost is not taken for the whole of it. */
Test(queue, a_list_of_before_a_loss_is_read_no_further)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0};

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	join(node, 1);
	shuffle_step(node, &step, close_now);
	ASK(&turns, node, "DEL", key("wait"), key("meta"), key("seen"));
	shuffle_step(node, &step, queue_shuffle_read);
	cr_expect(step.op.gone);
	adopt_pending(node, 2, EPOCH(1));
	step.op.number = 0;
	shuffle_step(node, &step, queue_shuffle_read);
	cr_expect(step.op.gone);
	struct queue_op back = poll(node, 1, EPOCH(1));
	cr_expect(back.state == QUEUE_WAITING && back.shuffling && back.number == EPOCH(2));
	leave(node, 1, EPOCH(2));
	cr_expect_eq(poll(node, 1, EPOCH(1)).state, QUEUE_GONE); /* by any of his tokens */
	join(node, 1);
	cr_expect_eq(poll(node, 1, EPOCH(1)).state, QUEUE_WAITING);
	shuffle_step(node, &step, close_now);
	cr_expect(step.op.state == QUEUE_SHUFFLE_CLOSED && step.op.base == EPOCH(2));
}
