/* All keys of an event carry its id as their hash tag: one slot of a Redis Cluster. */
#include "queue/scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include "proto/base/check.h"
#include "proto/base/embed.h"
#include "queue/queue.h"

EMBED(queue_join_lua, "queue/join.lua");
EMBED(queue_poll_lua, "queue/poll.lua");
EMBED(queue_leave_lua, "queue/leave.lua");
EMBED(queue_end_pass_lua, "queue/end_pass.lua");
EMBED(queue_holding_lua, "queue/holding.lua");
EMBED(queue_seen_lua, "queue/seen.lua");
EMBED(queue_adopt_lua, "queue/adopt.lua");
EMBED(queue_restore_pass_lua, "queue/restore_pass.lua");
EMBED(queue_tick_lua, "queue/tick.lua");
EMBED(queue_close_lua, "queue/close.lua");
EMBED(queue_entrants_lua, "queue/entrants.lua");
EMBED(queue_rank_lua, "queue/rank.lua");

const struct queue_script queue_script_join = {{"queue/join", queue_join_lua},
	{"wait", "seen", "pass", "live", "holding", "gone", "meta", "standing"}};
const struct queue_script queue_script_poll = {
	{"queue/poll", queue_poll_lua}, {"wait", "seen", "pass", "live", "gone", "meta"}};
const struct queue_script queue_script_leave = {{"queue/leave", queue_leave_lua},
	{"wait", "seen", "pass", "live", "holding", "gone", "meta", "standing"}};
const struct queue_script queue_script_end_pass = {
	{"queue/end_pass", queue_end_pass_lua}, {"pass", "live", "holding", "gone", "meta"}};
const struct queue_script queue_script_holding = {
	{"queue/holding", queue_holding_lua}, {"live", "holding"}};
const struct queue_script queue_script_seen = {{"queue/seen", queue_seen_lua}, {"seen"}};
const struct queue_script queue_script_adopt = {
	{"queue/adopt", queue_adopt_lua}, {"meta", "standing"}};
const struct queue_script queue_script_restore_pass = {
	{"queue/restore_pass", queue_restore_pass_lua},
	{"wait", "seen", "pass", "live", "meta", "standing"}};
const struct queue_script queue_script_tick = {{"queue/tick", queue_tick_lua},
	{"wait", "seen", "pass", "live", "holding", "gone", "meta", "admitted", "standing"}};
const struct queue_script queue_script_close = {{"queue/close", queue_close_lua}, {"wait", "meta"}};
const struct queue_script queue_script_entrants = {
	{"queue/entrants", queue_entrants_lua}, {"wait", "meta"}};
const struct queue_script queue_script_rank = {{"queue/rank", queue_rank_lua}, {"wait", "meta"}};

const struct redis_script *const queue_scripts[] = {&queue_script_join.script,
	&queue_script_poll.script, &queue_script_leave.script, &queue_script_end_pass.script,
	&queue_script_holding.script, &queue_script_seen.script, &queue_script_adopt.script,
	&queue_script_restore_pass.script, &queue_script_tick.script, &queue_script_close.script,
	&queue_script_entrants.script, &queue_script_rank.script, NULL};

void queue_call_begin(struct queue_call *call, const struct queue_script *script, int64_t event_id,
	struct redis_args *args)
{
	call->script = script;
	call->args = args;
	for (call->keys = 0; script->keys[call->keys]; call->keys++) {
		char *name = call->names[call->keys];
		int len = snprintf(name, QUEUE_KEY_SIZE, "onsale:{%" PRId64 "}:%s", event_id,
			script->keys[call->keys]);
		CHECK(len > 0 && len < QUEUE_KEY_SIZE);
		redis_arg_bytes(args, name, (size_t)len);
	}
}

void queue_call_send(
	const struct queue_call *call, struct redis *redis, redis_done *done, void *context)
{
	redis_eval(redis, &call->script->script, call->keys, call->args, done, context);
}
