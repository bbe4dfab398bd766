/* The shuffle of a pre-sale line, step by step. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/clock.h"
#include "tests/live/queueing.h"

TestSuite(queue_shuffle, .init = line_setup, .fini = line_teardown, .timeout = 60);

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
	queue_adopt(node->queue, event_id, epoch, number, 0, QUEUE_SHUFFLE_PENDING,
		line_note_adopted, &adopted);
	turns_until_set(&turns, &adopted.done);
	cr_assert_eq(adopted.result, DB_OK);
}

/* Closing goes by Redis's clock: an instance that is early is told to wait, and admits nobody. */
Test(queue_shuffle, a_list_is_closed_once_and_its_numbers_are_given_once)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0}, again;

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	for (int64_t user = 1; user <= 3; user++) {
		struct queue_op joined = place_join(node, user);
		cr_expect(joined.shuffling && joined.number == EPOCH(1));
	}
	shuffle_step(node, &step, close_in_an_hour);
	cr_expect_eq(step.op.state, QUEUE_SHUFFLE_PENDING);
	cr_expect_eq(line_tick(node, &plenty).admitted_now, 0);
	shuffle_step(node, &step, close_now);
	cr_expect(step.op.state == QUEUE_SHUFFLE_CLOSED && step.op.base == EPOCH(1));
	struct queue_op late = place_join(node, 4);
	cr_expect(late.shuffling && late.number == EPOCH(1) + 4);
	shuffle_step(node, &step, queue_shuffle_read);
	cr_assert(step.op.count == 3 && !step.op.gone);
	place_leave(node, 2, EPOCH(1));
	place_join(node, 2); /* behind all of them, as anybody who comes now */
	cr_expect_eq(line_tick(node, &plenty).admitted_now, 0);
	int64_t order[] = {3, 2, 1};
	memcpy(step.op.users, order, sizeof order);
	step.op.number = EPOCH(1) + 1;
	step.op.last = true;
	again = step;
	shuffle_step(node, &step, queue_shuffle_rank);
	cr_expect_not(step.op.gone);
	shuffle_step(node, &again, queue_shuffle_rank);
	cr_expect(again.op.gone);
	struct queue_tick ticked = line_tick(node, &plenty);
	cr_expect(ticked.admitted_now == 4 && ticked.shuffle == QUEUE_SHUFFLE_DONE);
	const struct admissions *all = line_admissions(node);
	const int64_t users[] = {3, 1, 4, 2}, numbers[] = {1, 3, 4, 5};
	for (size_t i = 0; i < 4; i++)
		cr_expect(all->list[i].user_id == users[i] &&
			  all->list[i].number == EPOCH(1) + numbers[i]);
	struct queue_op first = place_poll(node, 3, EPOCH(1)); /* a token of before */
	cr_expect(first.state == QUEUE_ADMITTED && first.number == EPOCH(1) + 1);
}

/* Numbers of before the shuffle stand for nobody: only those that it gave are in the picture. */
Test(queue_shuffle, a_shuffled_line_has_its_picture_once_that_is_done)
{
	enum { ENTRANTS = 1500, LATE = 10 }; /* more than a run shows */
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0};
	static struct place places[ENTRANTS + LATE + 1]; /* the list ends in a zeroed one */

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	for (int64_t i = 0; i < ENTRANTS; i++)
		place_init(&places[i], 1 + i, place_join(node, 1 + i).number);
	shuffle_step(node, &step, close_now);
	for (int64_t i = ENTRANTS; i < ENTRANTS + LATE; i++)
		place_init(&places[i], 1 + i, place_join(node, 1 + i).number);
	int64_t left = ENTRANTS;
	for (int part = 0; left > 0; part++) {
		step.op.count = left < QUEUE_SHUFFLE_PART ? (size_t)left : QUEUE_SHUFFLE_PART;
		step.op.number = EPOCH(1) + 1 + ENTRANTS - left;
		for (size_t i = 0; i < step.op.count; i++) /* from the last to the first */
			step.op.users[i] = left - (int64_t)i;
		left -= (int64_t)step.op.count;
		step.op.last = left == 0;
		shuffle_step(node, &step, queue_shuffle_rank);
		place_leave(node, ENTRANTS - part, EPOCH(1)); /* has its number */
		place_leave(node, 2 + part, EPOCH(1)); /* has none yet, the first time */
		line_bring_picture(node);
	}
	line_bring_picture(node); /* shows the first of them, the next one the others */
	for (int64_t i = 0; i < ENTRANTS; i++)
		places[i].op.number = EPOCH(1) + ENTRANTS - i;
	line_expect_as_redis_knows(node, places, ENTRANTS + LATE);
}

/* A list that is being read when Redis is lost is not taken for the whole of it. */
Test(queue_shuffle, a_list_of_before_a_loss_is_read_no_further)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct shuffle_step step = {0};

	turns_up(&turns);
	adopt_pending(node, 1, 0);
	place_join(node, 1);
	shuffle_step(node, &step, close_now);
	ASK(&turns, node, "DEL", line_key("wait"), line_key("meta"), line_key("seen"));
	shuffle_step(node, &step, queue_shuffle_read);
	cr_expect(step.op.gone);
	adopt_pending(node, 2, EPOCH(1));
	step.op.number = 0;
	shuffle_step(node, &step, queue_shuffle_read);
	cr_expect(step.op.gone);
	struct queue_op back = place_poll(node, 1, EPOCH(1));
	cr_expect(back.state == QUEUE_WAITING && back.shuffling && back.number == EPOCH(2));
	place_leave(node, 1, EPOCH(2));
	cr_expect_eq(place_poll(node, 1, EPOCH(1)).state, QUEUE_GONE); /* by any of his tokens */
	place_join(node, 1);
	cr_expect_eq(place_poll(node, 1, EPOCH(1)).state, QUEUE_WAITING);
	shuffle_step(node, &step, close_now);
	cr_expect(step.op.state == QUEUE_SHUFFLE_CLOSED && step.op.base == EPOCH(2));
}
