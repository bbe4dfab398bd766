/* Polls and joins of a loop turn are gathered by event, and leave in one script call for each, or a few
 * where there are many; the others leave one by one.
 *
 *   queue_poll -> gather -> queue_turn -> batch_send -> (Redis) -> batch_done -> op->done
 *                                    \-> (the line's picture shows the place) -> op->done
 *
 * The one thing to know: what each script replies stands at the top of its .lua file. */
#include "queue/queue.h"

#include <stdlib.h>
#include <sys/random.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/log.h"
#include "queue/heartbeats.h"
#include "queue/picture.h"
#include "queue/scripts.h"

enum { POLLS_A_CALL = 500, JOINS_A_CALL = 200 };

enum { PICTURE_MAX_AGE_MS = 500 }; /* polls wait for Redis where ticks fail to bring a newer one */

enum { JOIN_THERE = 0, JOIN_NEW = 1, JOIN_ADMITTED = 2 }; /* join.lua */
enum {
	POLL_GONE = -1,
	POLL_NO_EPOCH = -2,
	POLL_ADMITTED = -3,
	POLL_LOST = -4,
	POLL_SHUFFLED = -5,
	POLL_NUMBER = -6
}; /* poll.lua; else: ahead */
enum { NO_LINE = -1 }; /* first of each reply */

TAILQ_HEAD(queue_ops, queue_op);

/* What was gathered of an event in this turn, and how its line stood at the last tick. */
struct line {
	int64_t event_id;
	struct queue_ops polls, joins;
	bool gathered; /* stands in the list of those that have any */
	bool polled; /* or wanted, since the last tick began: the next one brings a picture */
	struct picture picture;
	STAILQ_ENTRY(line) link;
	UT_hash_handle hh;
};

/* Operations that share a call. */
struct batch {
	struct queue *queue; /* NULL once that was freed */
	bool join;
	struct queue_ops ops;
	LIST_ENTRY(batch) link;
};

struct queue {
	struct redis *redis;
	struct line *lines;
	STAILQ_HEAD(, line) gathered;
	struct heartbeats *heartbeats;
	LIST_HEAD(, batch) batches; /* in flight */
	uint64_t pictured; /* polls answered without asking */
};

struct queue *queue_new(struct redis *redis)
{
	struct queue *queue = must_calloc(1, sizeof *queue);

	queue->redis = redis;
	queue->heartbeats = heartbeats_new(redis);
	LIST_INIT(&queue->batches);
	STAILQ_INIT(&queue->gathered);
	return queue;
}

static void answer_all(struct queue_ops *ops, enum db_result result)
{
	struct queue_op *op;

	while ((op = TAILQ_FIRST(ops)) != NULL) {
		TAILQ_REMOVE(ops, op, link);
		op->done(op, result);
	}
}

void queue_free(struct queue *queue)
{
	struct batch *batch;
	struct line *line;

	while ((line = queue->lines) != NULL) {
		HASH_DEL(queue->lines, line);
		answer_all(&line->joins, DB_UNAVAILABLE);
		answer_all(&line->polls, DB_UNAVAILABLE);
		picture_drop(&line->picture);
		free(line);
	}
	LIST_FOREACH (batch, &queue->batches, link)
		batch->queue = NULL;
	heartbeats_free(queue->heartbeats);
	free(queue);
}

/* --- gathering --- */

static struct line *line_of(struct queue *queue, int64_t event_id)
{
	struct line *line;

	HASH_FIND(hh, queue->lines, &event_id, sizeof event_id, line);
	if (line)
		return line;
	line = must_calloc(1, sizeof *line);
	line->event_id = event_id;
	TAILQ_INIT(&line->polls);
	TAILQ_INIT(&line->joins);
	HASH_ADD(hh, queue->lines, event_id, sizeof line->event_id, line);
	return line;
}

static struct line *gather_in(struct queue *queue, int64_t event_id)
{
	struct line *line = line_of(queue, event_id);

	if (!line->gathered) {
		line->gathered = true;
		STAILQ_INSERT_TAIL(&queue->gathered, line, link);
	}
	return line;
}

static void op_reset(struct queue_op *op)
{
	op->state = QUEUE_GONE;
	op->created = op->shuffling = false;
	op->ahead = op->waiting = op->pass_expires_ms = 0;
	op->nonce = 0;
}

void queue_join(struct queue *queue, struct queue_op *op)
{
	op_reset(op);
	TAILQ_INSERT_TAIL(&gather_in(queue, op->event_id)->joins, op, link);
}

void queue_poll(struct queue *queue, struct queue_op *op)
{
	struct line *line = gather_in(queue, op->event_id);

	op_reset(op);
	line->polled = true;
	TAILQ_INSERT_TAIL(&line->polls, op, link);
}

/* --- what came back --- */

struct cursor {
	const struct redis_value *reply;
	size_t at;
};

static bool take(struct cursor *cursor, int64_t *value)
{
	const struct redis_value *element = redis_at(cursor->reply, cursor->at++);

	*value = redis_int(element);
	return element != NULL;
}

static bool take_pass(struct cursor *cursor, struct queue_op *op)
{
	int64_t nonce;
	bool whole = take(cursor, &nonce) && take(cursor, &op->pass_expires_ms);

	op->state = QUEUE_ADMITTED;
	op->nonce = (uint64_t)nonce;
	return whole;
}

/* These say whether the reply held what it should. */
static bool read_join(struct cursor *cursor, struct queue_op *op)
{
	int64_t kind;

	if (!take(cursor, &kind) || !take(cursor, &op->number))
		return false;
	if (kind == JOIN_ADMITTED)
		return take_pass(cursor, op);
	op->state = QUEUE_WAITING;
	op->created = kind == JOIN_NEW;
	return take(cursor, &op->ahead);
}

static bool read_poll(struct cursor *cursor, struct queue_op *op)
{
	int64_t ahead;

	if (!take(cursor, &ahead))
		return false;
	if (ahead == POLL_NUMBER && !(take(cursor, &op->number) && take(cursor, &ahead)))
		return false;
	if (ahead == POLL_ADMITTED)
		return take_pass(cursor, op);
	if (ahead >= 0) {
		op->state = QUEUE_WAITING;
		op->ahead = ahead;
	} else {
		op->state = ahead == POLL_NO_EPOCH   ? QUEUE_NO_EPOCH
			    : ahead == POLL_LOST     ? QUEUE_LOST
			    : ahead == POLL_SHUFFLED ? QUEUE_SHUFFLED
						     : QUEUE_GONE;
	}
	return true;
}

static bool read_op(const struct batch *batch, struct cursor *cursor, int64_t waiting,
	int64_t shuffling, struct queue_op *op)
{
	if (waiting == NO_LINE) {
		op->state = QUEUE_NO_EPOCH;
		return true;
	}
	op->waiting = waiting;
	op->shuffling = shuffling != 0;
	if (batch->join)
		return read_join(cursor, op);
	if (!read_poll(cursor, op))
		return false;
	if (op->state == QUEUE_WAITING && batch->queue)
		heartbeats_note(
			batch->queue->heartbeats, op->event_id, op->user_id, op->abandon_after_ms);
	return true;
}

static void batch_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct batch *batch = context;
	struct cursor cursor = {value, 0};
	struct queue_op *op;
	int64_t waiting = NO_LINE, shuffling = 0;

	if (result == DB_OK &&
		!(take(&cursor, &waiting) && (waiting == NO_LINE || take(&cursor, &shuffling))))
		result = DB_FAILED;
	while ((op = TAILQ_FIRST(&batch->ops)) != NULL) {
		TAILQ_REMOVE(&batch->ops, op, link);
		if (result == DB_OK && !read_op(batch, &cursor, waiting, shuffling, op)) {
			log_error("queue: Redis's reply is too short");
			result = DB_FAILED;
		}
		op->done(op, result);
	}
	if (batch->queue)
		LIST_REMOVE(batch, link);
	free(batch);
}

/* --- sending --- */

/* Moves as many operations as one call takes out of `ops`. */
static void batch_send(struct queue *queue, int64_t event_id, struct queue_ops *ops, bool join)
{
	const struct queue_script *script = join ? &queue_script_join : &queue_script_poll;
	unsigned max = join ? JOINS_A_CALL : POLLS_A_CALL;
	struct batch *batch = must_malloc(sizeof *batch);
	struct queue_call call;
	struct queue_op *op;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 1 + 2 * POLLS_A_CALL);

	*batch = (struct batch){.queue = queue, .join = join};
	TAILQ_INIT(&batch->ops);
	queue_call_begin(&call, script, event_id, &args);
	redis_arg_text(&args, redis_run_id(queue->redis));
	for (unsigned i = 0; i < max && (op = TAILQ_FIRST(ops)) != NULL; i++) {
		TAILQ_REMOVE(ops, op, link);
		TAILQ_INSERT_TAIL(&batch->ops, op, link);
		redis_arg_i64(&args, op->user_id);
		if (!join)
			redis_arg_i64(&args, op->may_return ? -op->number : op->number);
	}
	LIST_INSERT_HEAD(&queue->batches, batch, link);
	queue_call_send(&call, queue->redis, batch_done, batch);
}

/* --- polls that need not ask --- */

/* Only a place that waits, by a young picture, is answered from it; of all others Redis knows more. */
static bool picture_answers(const struct line *line, struct queue_op *op)
{
	if (op->may_return || !picture_find(&line->picture, op->number, &op->ahead))
		return false;
	op->state = QUEUE_WAITING;
	op->waiting = line->picture.waiting;
	return true;
}

static void answer_from_picture(struct queue *queue, struct line *line)
{
	struct queue_op *op, *next;

	if (!redis_up(queue->redis) ||
		clock_mono_ms() - line->picture.taken_ms > PICTURE_MAX_AGE_MS)
		return;
	for (op = TAILQ_FIRST(&line->polls); op != NULL; op = next) {
		next = TAILQ_NEXT(op, link);
		if (!picture_answers(line, op))
			continue;
		TAILQ_REMOVE(&line->polls, op, link);
		heartbeats_note(queue->heartbeats, op->event_id, op->user_id, op->abandon_after_ms);
		queue->pictured++;
		op->done(op, DB_OK);
	}
}

uint64_t queue_pictured(const struct queue *queue)
{
	return queue->pictured;
}

const struct picture *queue_picture(const struct queue *queue, int64_t event_id)
{
	const struct line *line;

	HASH_FIND(hh, queue->lines, &event_id, sizeof event_id, line);
	return line != NULL && line->picture.blocks > 0 ? &line->picture : NULL;
}

void queue_want_picture(struct queue *queue, int64_t event_id)
{
	line_of(queue, event_id)->polled = true;
}

enum { PICTURE_AT = 10 }; /* in tick.lua's reply */

static void read_picture(
	const struct redis_value *value, struct line *line, const struct queue_tick *tick)
{
	struct cursor cursor = {value, PICTURE_AT};
	int64_t epoch, older, first_byte;
	size_t len;

	if (!take(&cursor, &epoch) || !take(&cursor, &older) || !take(&cursor, &first_byte)) {
		picture_drop(&line->picture);
		return;
	}
	const char *bytes = redis_text(redis_at(value, cursor.at), &len);

	picture_take(&line->picture, epoch << QUEUE_EPOCH_SHIFT, first_byte, bytes, len, older);
	line->picture.waiting = tick->waiting;
	line->picture.taken_ms = clock_mono_ms();
}

/* Whoever is told that a place was left finds it gone with the next poll. */
static void forget_place(struct queue *queue, const struct queue_op *op, int64_t number)
{
	struct line *line = line_of(queue, op->event_id);

	if (number & ((INT64_C(1) << QUEUE_EPOCH_SHIFT) - 1))
		picture_forget(&line->picture, number);
	else
		picture_drop(&line->picture); /* it was whatever place the user had */
}

void queue_turn(struct queue *queue)
{
	struct line *line;

	while ((line = STAILQ_FIRST(&queue->gathered)) != NULL) {
		STAILQ_REMOVE_HEAD(&queue->gathered, link);
		line->gathered = false;
		answer_from_picture(queue, line);
		while (!TAILQ_EMPTY(&line->joins))
			batch_send(queue, line->event_id, &line->joins, true);
		while (!TAILQ_EMPTY(&line->polls))
			batch_send(queue, line->event_id, &line->polls, false);
	}
	heartbeats_turn(queue->heartbeats);
}

/* --- one by one --- */

static void left(void *context, enum db_result result, const struct redis_value *value UNUSED)
{
	struct queue_op *op = context;

	if (result == DB_OK)
		forget_place(op->queue, op, op->number);
	op->done(op, result);
}

void queue_leave(struct queue *queue, struct queue_op *op)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 2);

	op_reset(op);
	op->queue = queue;
	queue_call_begin(&call, &queue_script_leave, op->event_id, &args);
	redis_arg_i64(&args, op->user_id);
	redis_arg_i64(&args, op->number);
	queue_call_send(&call, queue->redis, left, op);
}

void queue_end_pass(struct queue *queue, int64_t event_id, int64_t user_id, uint64_t nonce)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 2);

	queue_call_begin(&call, &queue_script_end_pass, event_id, &args);
	redis_arg_i64(&args, user_id);
	redis_arg_i64(&args, (int64_t)nonce);
	queue_call_send(&call, queue->redis, NULL, NULL);
}

void queue_holding(struct queue *queue, int64_t event_id, int64_t user_id, int64_t until_unix_ms)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 2);

	queue_call_begin(&call, &queue_script_holding, event_id, &args);
	redis_arg_i64(&args, user_id);
	redis_arg_i64(&args, until_unix_ms);
	queue_call_send(&call, queue->redis, NULL, NULL);
}

struct adoption {
	void (*done)(void *context, enum db_result result, bool begun);
	void *context;
};

static void adopted(void *context, enum db_result result, const struct redis_value *value)
{
	struct adoption *adoption = context;

	adoption->done(adoption->context, result, result == DB_OK && redis_int(value) == 1);
	free(adoption);
}

void queue_adopt(struct queue *queue, int64_t event_id, int64_t epoch, int64_t number,
	int64_t rest_ms, enum queue_shuffle shuffle,
	void (*done)(void *context, enum db_result result, bool begun), void *context)
{
	struct adoption *adoption = must_malloc(sizeof *adoption);
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 4);

	*adoption = (struct adoption){done, context};
	queue_call_begin(&call, &queue_script_adopt, event_id, &args);
	redis_arg_i64(&args, epoch);
	redis_arg_i64(&args, rest_ms);
	redis_arg_i64(&args, number);
	redis_arg_text(&args, redis_run_id(queue->redis));
	redis_arg_text(&args, shuffle == QUEUE_SHUFFLE_NONE   ? ""
			      : shuffle == QUEUE_SHUFFLE_DONE ? "done"
							      : "pending");
	queue_call_send(&call, queue->redis, adopted, adoption);
}

static void restored(void *context, enum db_result result, const struct redis_value *value)
{
	struct queue_restore *restore = context;
	int64_t reply = result == DB_OK ? redis_int(value) : 0;

	restore->state = reply == NO_LINE ? QUEUE_NO_EPOCH
			 : reply == 1     ? QUEUE_ADMITTED
					  : QUEUE_GONE;
	restore->done(restore, result);
}

void queue_restore_pass(struct queue *queue, struct queue_restore *restore)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 5);

	queue_call_begin(&call, &queue_script_restore_pass, restore->event_id, &args);
	redis_arg_text(&args, redis_run_id(queue->redis));
	redis_arg_i64(&args, restore->user_id);
	redis_arg_i64(&args, (int64_t)restore->nonce);
	redis_arg_i64(&args, restore->expires_unix_ms);
	redis_arg_i64(&args, restore->issued_unix_ms);
	queue_call_send(&call, queue->redis, restored, restore);
}

/* --- admission --- */

/* Nonces of a run count on from here: unlike those of any other run, and exact in a Lua number. */
static int64_t random_nonce(void)
{
	uint64_t bits = 0;

	CHECK(getrandom(&bits, sizeof bits, 0) == (ssize_t)sizeof bits);
	return (int64_t)(bits >> 12);
}

static bool read_tick(const struct redis_value *value, struct queue_tick *tick)
{
	struct cursor cursor = {value, 0};
	int64_t first, shuffle;

	if (!take(&cursor, &first))
		return false;
	tick->state = first == NO_LINE ? QUEUE_NO_EPOCH : QUEUE_WAITING;
	if (first == NO_LINE)
		return true;
	if (!take(&cursor, &tick->waiting) || !take(&cursor, &tick->live) ||
		!take(&cursor, &tick->admitted_now) || !take(&cursor, &tick->admitted_total) ||
		!take(&cursor, &tick->abandoned_total) || !take(&cursor, &tick->now_ms) ||
		!take(&cursor, &shuffle) || !take(&cursor, &tick->joined_total) ||
		!take(&cursor, &tick->holding))
		return false;
	tick->shuffle = (enum queue_shuffle)shuffle;
	return true;
}

static void ticked(void *context, enum db_result result, const struct redis_value *value)
{
	struct queue_tick *tick = context;

	if (result == DB_OK && !read_tick(value, tick))
		result = DB_FAILED;
	if (result == DB_OK)
		read_picture(value, line_of(tick->queue, tick->event_id), tick);
	tick->done(tick, result);
}

void queue_tick(struct queue *queue, struct queue_tick *tick)
{
	struct queue_call call;
	struct line *line = line_of(queue, tick->event_id);
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 10);

	tick->queue = queue;
	queue_call_begin(&call, &queue_script_tick, tick->event_id, &args);
	redis_arg_i64(&args, tick->admit);
	redis_arg_i64(&args, tick->seats_available);
	redis_arg_i64(&args, tick->capacity);
	redis_arg_i64(&args, tick->admit_per_second);
	redis_arg_i64(&args, tick->pass_ttl_ms);
	redis_arg_i64(&args, tick->claim_within_ms);
	redis_arg_i64(&args, tick->abandon_after_ms);
	redis_arg_i64(&args, random_nonce());
	redis_arg_text(&args, redis_run_id(queue->redis));
	redis_arg_i64(&args, line->polled);
	line->polled = false;
	queue_call_send(&call, queue->redis, ticked, tick);
}
