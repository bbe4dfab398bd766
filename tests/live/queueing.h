/* What the tests of queue/ share: lines on a real Redis, each test with an event of its own, run turn by turn. */
#ifndef ONSALE_TESTS_LIVE_QUEUEING_H
#define ONSALE_TESTS_LIVE_QUEUEING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "queue/queue.h"
#include "tests/live/turns.h"

/* Of the test at hand: line_setup and line_teardown begin and end it. */
extern struct turns turns;
extern struct own_redis own;
extern int64_t event_id;
void line_setup(void);
void line_teardown(void);

/* So many instances on one Redis, and the line in its first epoch; the first of them. */
struct node *line_open(unsigned count);
/* One, on a Redis of the test's own. */
struct node *line_open_own(void);

#define EPOCH(number) ((int64_t)(number) << QUEUE_EPOCH_SHIFT)

/* --- one operation, to its end --- */

struct place {
	struct queue_op op;
	bool done;
	unsigned answers;
	enum db_result result;
};

void place_init(struct place *place, int64_t user_id, int64_t number);
struct queue_op place_run(struct node *node,
	void (*submit)(struct queue *queue, struct queue_op *op), int64_t user_id, int64_t number);
struct queue_op place_join(struct node *node, int64_t user_id);
struct queue_op place_poll(struct node *node, int64_t user_id, int64_t number);
struct queue_op place_leave(struct node *node, int64_t user_id, int64_t number);

struct adopted {
	bool done;
	enum db_result result;
	bool begun;
};

void line_note_adopted(void *context, enum db_result result, bool begun);
struct adopted line_adopt_for(struct node *node, int64_t epoch, int64_t number, int64_t rest_ms);
/* Whatever epoch there is, a place asks for a newer one. */
enum db_result line_adopt(struct node *node, int64_t epoch, int64_t rest_ms);

/* --- ticks --- */

extern const struct queue_tick plenty;
/* Tidies up, brings a picture, and admits nobody. */
extern const struct queue_tick nobody_in;

struct run_tick {
	struct queue_tick tick;
	bool done;
	enum db_result result;
};

void line_tick_send(
	struct node *node, struct run_tick *run_tick, const struct queue_tick *settings);
struct queue_tick line_tick(struct node *node, const struct queue_tick *settings);
bool line_tick_until_admitted(
	struct node *node, const struct queue_tick *settings, int64_t user_id);

/* --- keys, and the stream of admissions; texts live through the next three calls --- */

const char *line_key(const char *name);
const char *line_decimal(int64_t value);

struct admission {
	int64_t user_id, number, live, at_ms;
};

enum { ADMISSIONS_MAX = 3000 };

struct admissions {
	bool done;
	size_t count;
	struct admission list[ADMISSIONS_MAX];
};

const struct admissions *line_admissions(struct node *node);
void line_expect_order(struct node *node, size_t count, int64_t capacity);
/* As if this user had not polled for ever. */
void line_pretend_unseen(struct node *node, int64_t user_id);

/* --- many at once --- */

/* context: places, of which the last is zeroed. */
bool places_done(const void *context);
/* Users from 1 on, spread over the nodes; the list ends in a zeroed place, and is the caller's to free. */
struct place *places_join(int64_t first_user, size_t count);
/* Polls all of them again, in an order of its own. */
void places_poll(struct place *places, size_t count);

/* --- the picture of a line --- */

/* Asked for by a poll, brought by the next tick. */
void line_bring_picture(struct node *node);
/* Each place's answer, by whichever way it comes, is what Redis knows; those that wait are answered without it. */
void line_expect_as_redis_knows(struct node *node, struct place *places, size_t count);

#endif
