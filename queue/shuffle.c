/* What each script replies stands at the top of its .lua file. */
#include "queue/shuffle.h"

#include "proto/base/check.h"
#include "queue/scripts.h"

enum { GONE = -1 };

static void closed(void *context, enum db_result result, const struct redis_value *value)
{
	struct queue_shuffle_op *op = context;
	int64_t state = redis_int(redis_at(value, 0));

	op->state = QUEUE_SHUFFLE_NONE;
	if (result == DB_OK && state > QUEUE_SHUFFLE_NONE && state <= QUEUE_SHUFFLE_DONE) {
		op->state = (enum queue_shuffle)state;
		op->epoch = redis_int(redis_at(value, 1));
		op->base = redis_int(redis_at(value, 2));
	}
	op->done(op, result);
}

void queue_shuffle_close(struct redis *redis, struct queue_shuffle_op *op, int64_t opens_unix_ms)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 1);

	queue_call_begin(&call, &queue_script_close, op->event_id, &args);
	redis_arg_i64(&args, opens_unix_ms);
	queue_call_send(&call, redis, closed, op);
}

static void entrants_read(void *context, enum db_result result, const struct redis_value *value)
{
	struct queue_shuffle_op *op = context;
	size_t len = redis_len(value);

	op->count = 0;
	if (result == DB_OK && (len == 0 || len > QUEUE_SHUFFLE_PART + 1))
		result = DB_FAILED;
	if (result == DB_OK) {
		int64_t number = redis_int(redis_at(value, 0));

		op->gone = number == GONE;
		op->number = number;
		for (size_t i = 1; i < len; i++)
			op->users[op->count++] = redis_int(redis_at(value, i));
	}
	op->done(op, result);
}

void queue_shuffle_read(struct redis *redis, struct queue_shuffle_op *op)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 3);

	queue_call_begin(&call, &queue_script_entrants, op->event_id, &args);
	redis_arg_i64(&args, op->epoch);
	redis_arg_i64(&args, op->number);
	redis_arg_i64(&args, QUEUE_SHUFFLE_PART);
	queue_call_send(&call, redis, entrants_read, op);
}

static void ranked(void *context, enum db_result result, const struct redis_value *value)
{
	struct queue_shuffle_op *op = context;

	op->gone = result == DB_OK && redis_int(value) == GONE;
	op->done(op, result);
}

void queue_shuffle_rank(struct redis *redis, struct queue_shuffle_op *op)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 3 + QUEUE_SHUFFLE_PART);

	CHECK(op->count <= QUEUE_SHUFFLE_PART);
	queue_call_begin(&call, &queue_script_rank, op->event_id, &args);
	redis_arg_i64(&args, op->epoch);
	redis_arg_i64(&args, op->number);
	redis_arg_i64(&args, op->last);
	for (size_t i = 0; i < op->count; i++)
		redis_arg_i64(&args, op->users[i]);
	queue_call_send(&call, redis, ranked, op);
}
