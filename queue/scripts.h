/* The Lua scripts of the line, each with the keys that it touches, and how to call them. */
#ifndef ONSALE_QUEUE_SCRIPTS_H
#define ONSALE_QUEUE_SCRIPTS_H

#include <stdint.h>
#include "db/redis.h"

enum { QUEUE_KEYS_MAX = 9, QUEUE_KEY_SIZE = 48 };

struct queue_script {
	struct redis_script script;
	const char *keys[QUEUE_KEYS_MAX +
			 1]; /* last parts of their names, in KEYS's order; NULL-ended */
};

extern const struct queue_script queue_script_join, queue_script_poll, queue_script_leave,
	queue_script_end_pass, queue_script_holding, queue_script_seen, queue_script_adopt,
	queue_script_restore_pass, queue_script_tick, queue_script_close, queue_script_entrants,
	queue_script_rank;

/* A call under construction: begin, add arguments to `args`, send. */
struct queue_call {
	const struct queue_script *script;
	struct redis_args *args;
	unsigned keys;
	char names[QUEUE_KEYS_MAX][QUEUE_KEY_SIZE];
};

/* args: empty, with room for the keys. */
void queue_call_begin(struct queue_call *call, const struct queue_script *script, int64_t event_id,
	struct redis_args *args);
void queue_call_send(
	const struct queue_call *call, struct redis *redis, redis_done *done, void *context);

#endif
