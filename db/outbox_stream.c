/* One script a batch: it is one command, so that none of its events overtakes another. */
#include "db/outbox_stream.h"

#include "proto/base/check.h"
#include "proto/base/embed.h"

EMBED(outbox_append_lua, "db/outbox_append.lua");

enum { FIELDS = 5 };

static const struct redis_script append_script = {"outbox_append", outbox_append_lua};

const struct redis_script *const outbox_stream_scripts[] = {&append_script, NULL};

void outbox_stream_append(struct redis *redis, const struct outbox_event *events, size_t count,
	int64_t length, redis_done *done, void *context)
{
	REDIS_ARGS(args, 2 + FIELDS * STORE_OUTBOX_MAX);

	CHECK(count <= STORE_OUTBOX_MAX);
	redis_arg_text(&args, OUTBOX_STREAM);
	redis_arg_i64(&args, length);
	for (size_t i = 0; i < count; i++) {
		redis_arg_i64(&args, events[i].id);
		redis_arg_text(&args, events[i].kind);
		redis_arg_i64(&args, events[i].reservation_id);
		redis_arg_text(&args, events[i].payload);
		redis_arg_text(&args, events[i].created_at);
	}
	redis_eval(redis, &append_script, 1, &args, done, context);
}
