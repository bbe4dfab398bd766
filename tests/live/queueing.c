#include "tests/live/queueing.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"

struct turns turns;
struct own_redis own;
int64_t event_id;

void line_setup(void)
{
	turns_open(&turns);
	event_id = random_id();
}

void line_teardown(void)
{
	turns_close(&turns);
	if (own.folder[0])
		own_redis_close(&own);
}

/* --- one operation, to its end --- */

static void place_done(struct queue_op *op, enum db_result result)
{
	struct place *place = op->owner;
	place->done = true;
	place->answers++;
	place->result = result;
}

void place_init(struct place *place, int64_t user_id, int64_t number)
{
	*place = (struct place){.op = {.done = place_done,
					.owner = place,
					.event_id = event_id,
					.user_id = user_id,
					.number = number,
					.abandon_after_ms = 30000}};
}

struct queue_op place_run(struct node *node,
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

struct queue_op place_join(struct node *node, int64_t user_id)
{
	return place_run(node, queue_join, user_id, 0);
}

struct queue_op place_poll(struct node *node, int64_t user_id, int64_t number)
{
	return place_run(node, queue_poll, user_id, number);
}

struct queue_op place_leave(struct node *node, int64_t user_id, int64_t number)
{
	return place_run(node, queue_leave, user_id, number);
}

void line_note_adopted(void *context, enum db_result result, bool begun)
{
	struct adopted *adopted = context;
	adopted->done = true;
	adopted->result = result;
	adopted->begun = begun;
}

struct adopted line_adopt_for(struct node *node, int64_t epoch, int64_t number, int64_t rest_ms)
{
	struct adopted adopted = {0};
	queue_adopt(node->queue, event_id, epoch, number, rest_ms, QUEUE_SHUFFLE_NONE,
		line_note_adopted, &adopted);
	cr_assert_not(adopted.done);
	turns_until_set(&turns, &adopted.done);
	return adopted;
}

enum db_result line_adopt(struct node *node, int64_t epoch, int64_t rest_ms)
{
	return line_adopt_for(node, epoch, INT64_C(65535) << QUEUE_EPOCH_SHIFT, rest_ms).result;
}

/* --- ticks --- */

const struct queue_tick plenty = {.admit = true,
	.seats_available = 1000000,
	.capacity = 1000000,
	.admit_per_second = 1000000,
	.pass_ttl_ms = 60000,
	.claim_within_ms = 60000,
	.abandon_after_ms = 60000};

const struct queue_tick nobody_in = {
	.pass_ttl_ms = 60000, .claim_within_ms = 60000, .abandon_after_ms = 60000};

static void tick_done(struct queue_tick *tick, enum db_result result)
{
	struct run_tick *run_tick = tick->owner;
	run_tick->done = true;
	run_tick->result = result;
}

void line_tick_send(struct node *node, struct run_tick *run_tick, const struct queue_tick *settings)
{
	*run_tick = (struct run_tick){.tick = *settings};
	run_tick->tick.done = tick_done;
	run_tick->tick.owner = run_tick;
	run_tick->tick.event_id = event_id;
	queue_tick(node->queue, &run_tick->tick);
	cr_assert_not(run_tick->done);
}

struct queue_tick line_tick(struct node *node, const struct queue_tick *settings)
{
	struct run_tick run_tick;
	line_tick_send(node, &run_tick, settings);
	turns_until_set(&turns, &run_tick.done);
	cr_assert_eq(run_tick.result, DB_OK);
	return run_tick.tick;
}

/* --- keys, and the stream of admissions --- */

const char *line_key(const char *name)
{
	static char text[4][64];
	static unsigned next;
	char *at = text[next++ % 4];
	snprintf(at, sizeof text[0], "onsale:{%lld}:%s", (long long)event_id, name);
	return at;
}

const char *line_decimal(int64_t value)
{
	static char text[4][32];
	static unsigned next;
	char *at = text[next++ % 4];
	snprintf(at, sizeof text[0], "%lld", (long long)value);
	return at;
}

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

const struct admissions *line_admissions(struct node *node)
{
	static struct admissions all;
	REDIS_ARGS(args, 4);
	all.done = false;
	redis_arg_text(&args, "XRANGE");
	redis_arg_text(&args, line_key("admitted"));
	redis_arg_text(&args, "-");
	redis_arg_text(&args, "+");
	redis_command(node->redis, &args, read_admissions, &all);
	turns_until_set(&turns, &all.done);
	return &all;
}

void line_expect_order(struct node *node, size_t count, int64_t capacity)
{
	const struct admissions *all = line_admissions(node);
	cr_assert_eq(all->count, count, "%zu admissions", all->count);
	for (size_t i = 0; i < all->count; i++) {
		cr_assert_leq(all->list[i].live, capacity);
		cr_assert(i == 0 || all->list[i - 1].number < all->list[i].number,
			"out of order at %zu", i);
	}
}

/* --- many at once --- */

bool places_done(const void *context)
{
	for (const struct place *place = context; place->op.done; place++)
		if (!place->done)
			return false;
	return true;
}

struct place *places_join(int64_t first_user, size_t count)
{
	struct place *places = must_calloc(count + 1, sizeof *places);
	for (size_t i = 0; i < count; i++) {
		place_init(&places[i], first_user + (int64_t)i, 0);
		queue_join(turns.nodes[i % turns.count].queue, &places[i].op);
	}
	turns_until(&turns, places_done, places);
	for (size_t i = 0; i < count; i++)
		cr_assert(places[i].result == DB_OK && places[i].op.state == QUEUE_WAITING &&
			  places[i].op.created && places[i].answers == 1);
	return places;
}

void places_poll(struct place *places, size_t count)
{
	size_t step = 7919; /* prime, and no divisor of any count here: each is met once */
	for (size_t i = 0; i < count; i++) {
		struct place *place = &places[i * step % count];
		place->done = false;
		place->answers = 0;
		queue_poll(turns.nodes[i % turns.count].queue, &place->op);
	}
	turns_until(&turns, places_done, places);
	for (size_t i = 0; i < count; i++)
		cr_assert(places[i].result == DB_OK && places[i].answers == 1);
}

struct node *line_open(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		turns_add(&turns, NULL, &turns_settings);
	turns_up(&turns);
	cr_assert_eq(line_adopt(&turns.nodes[0], 1, 0), DB_OK);
	return &turns.nodes[0];
}

struct node *line_open_own(void)
{
	own_redis_open(&own);
	turns_add(&turns, own.process.url, &turns_settings);
	turns_up(&turns);
	cr_assert_eq(line_adopt(&turns.nodes[0], 1, 0), DB_OK);
	return &turns.nodes[0];
}

void line_bring_picture(struct node *node)
{
	place_poll(node, 1, EPOCH(1) + 1);
	line_tick(node, &nobody_in);
}

static void poll_all_at(struct node *node, struct place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		places[i].done = false;
		queue_poll(node->queue, &places[i].op);
	}
	turns_until(&turns, places_done, places);
}

void line_expect_as_redis_knows(struct node *node, struct place *places, size_t count)
{
	uint64_t pictured = queue_pictured(node->queue);
	size_t waiting = 0;

	line_bring_picture(node);
	poll_all_at(node, places, count);
	pictured = queue_pictured(node->queue) - pictured;
	for (size_t i = 0; i < count; i++) {
		const struct queue_op *op = &places[i].op;
		const char *user = line_decimal(op->user_id);
		bool waits = ASK(&turns, node, "ZSCORE", line_key("wait"), user).text[0] != '\0';
		int64_t rank = ASK(&turns, node, "ZRANK", line_key("wait"), user).number;

		cr_assert_eq(op->state == QUEUE_WAITING, waits);
		cr_assert(!waits || op->ahead == rank, "%s is told %lld, Redis knows %lld", user,
			(long long)op->ahead, (long long)rank);
		waiting += waits;
	}
	cr_expect(pictured == waiting || pictured == waiting + 1, "%llu of %zu",
		(unsigned long long)pictured, waiting); /* the poll that asked may be one */
}

bool line_tick_until_admitted(struct node *node, const struct queue_tick *settings, int64_t user_id)
{
	uint64_t end_us = clock_mono_us_now() + 5000000;
	while (clock_mono_us_now() < end_us) {
		const struct admissions *all = line_admissions(node);
		for (size_t i = 0; i < all->count; i++)
			if (all->list[i].user_id == user_id)
				return true;
		line_tick(node, settings);
	}
	return false;
}

void line_pretend_unseen(struct node *node, int64_t user_id)
{
	ASK(&turns, node, "ZADD", line_key("seen"), "XX", "1", line_decimal(user_id));
}
