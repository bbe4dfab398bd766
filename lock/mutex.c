/* The mutex: SET NX PX with an owner that is random for each acquire, tried at jittered intervals; given
 * back and prolonged by that owner alone. */
#include "lock/mutex.h"

#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "lock/pause.h"
#include "lock/scripts.h"
#include "proto/base/check.h"

enum {
	NAME_MAX_LEN = 64,
	KEY_SIZE = sizeof "onsale:mutex:" + NAME_MAX_LEN,
	OWNER_BYTES = 16,
	OWNER_SIZE = 2 * OWNER_BYTES + 1
};

typedef void mutex_done(void *context, enum mutex_result result);

/* Whom to tell; `done` is NULL while nothing is under way. */
struct call {
	mutex_done *done;
	void *context;
};

struct mutex {
	struct redis *redis;
	struct event *timer; /* the pause between two tries */
	unsigned ttl_ms, wait_ms;
	uint64_t give_up_ms;
	struct call acquire, extend;
	char key[KEY_SIZE];
	char owner[OWNER_SIZE]; /* of the last acquire; "" before the first */
};

static void try_once(struct mutex *mutex);

static void pause_over(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	try_once(context);
}

struct mutex *mutex_new(struct event_base *base, struct redis *redis, const char *name,
	unsigned ttl_ms, unsigned wait_ms)
{
	CHECK(strlen(name) <= NAME_MAX_LEN && ttl_ms > 0);
	struct mutex *mutex = must_calloc(1, sizeof *mutex);
	mutex->redis = redis;
	mutex->ttl_ms = ttl_ms;
	mutex->wait_ms = wait_ms;
	mutex->timer = evtimer_new(base, pause_over, mutex);
	CHECK(mutex->timer);
	snprintf(mutex->key, sizeof mutex->key, "onsale:mutex:%s", name);
	return mutex;
}

void mutex_free(struct mutex *mutex)
{
	if (!mutex)
		return;
	CHECK(!mutex->acquire.done && !mutex->extend.done);
	event_free(mutex->timer);
	free(mutex);
}

static void call_end(struct call *call, enum mutex_result result)
{
	struct call ended = *call;
	call->done = NULL;
	ended.done(ended.context, result);
}

static void taken(struct mutex *mutex)
{
	if (pause_given_up(mutex->give_up_ms))
		call_end(&mutex->acquire, MUTEX_TAKEN);
	else
		pause_begin(mutex->timer, mutex->give_up_ms);
}

static void try_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct mutex *mutex = context;
	if (result == DB_OK && !redis_is_nil(value)) {
		call_end(&mutex->acquire, MUTEX_OURS);
		return;
	}
	if (result == DB_OK) {
		taken(mutex);
		return;
	}
	if (result == DB_UNKNOWN)
		mutex_release(mutex); /* it may have been set: nobody will use it */
	call_end(&mutex->acquire, MUTEX_AWAY);
}

static void try_once(struct mutex *mutex)
{
	REDIS_ARGS(args, 6);
	redis_arg_text(&args, "SET");
	redis_arg_text(&args, mutex->key);
	redis_arg_text(&args, mutex->owner);
	redis_arg_text(&args, "NX");
	redis_arg_text(&args, "PX");
	redis_arg_i64(&args, mutex->ttl_ms);
	redis_command(mutex->redis, &args, try_done, mutex);
}

void mutex_acquire(struct mutex *mutex, mutex_done *done, void *context)
{
	CHECK(!mutex->acquire.done && done);
	uint8_t random[OWNER_BYTES];
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(mutex->owner, sizeof mutex->owner, random, sizeof random);
	mutex->acquire = (struct call){done, context};
	mutex->give_up_ms = pause_give_up_ms(mutex->wait_ms);
	try_once(mutex);
}

static void extend_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct mutex *mutex = context;
	if (result != DB_OK)
		call_end(&mutex->extend, MUTEX_AWAY);
	else
		call_end(&mutex->extend, redis_int(value) == 1 ? MUTEX_OURS : MUTEX_TAKEN);
}

void mutex_extend(struct mutex *mutex, mutex_done *done, void *context)
{
	CHECK(!mutex->extend.done && done);
	mutex->extend = (struct call){done, context};
	REDIS_ARGS(args, 3);
	redis_arg_text(&args, mutex->key);
	redis_arg_text(&args, mutex->owner);
	redis_arg_i64(&args, mutex->ttl_ms);
	redis_eval(mutex->redis, &mutex_extend_script, 1, &args, extend_done, mutex);
}

void mutex_release(struct mutex *mutex)
{
	REDIS_ARGS(args, 2);
	redis_arg_text(&args, mutex->key);
	redis_arg_text(&args, mutex->owner);
	redis_eval(mutex->redis, &mutex_release_script, 1, &args, NULL, NULL);
}
