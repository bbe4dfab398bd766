/* Three scripts and one message; what each does stands in its .lua file. A fence is this process's random
 * number and a count. */
#include "db/shared_seats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "proto/base/check.h"
#include "proto/base/embed.h"

EMBED(seats_changed_lua, "db/seats_changed.lua");
EMBED(seats_read_lua, "db/seats_read.lua");
EMBED(seats_store_lua, "db/seats_store.lua");

enum {
	KEY_SIZE = 80,
	WHO_SIZE = 17,
	MESSAGE_SIZE = 48,
	FENCE_LIFE_MS = 10 * SHARED_SEATS_LIFE_MS /* far longer than a refill takes */
};

static const struct redis_script changed_script = {"seats_changed", seats_changed_lua};
static const struct redis_script read_script = {"seats_read", seats_read_lua};
static const struct redis_script store_script = {"seats_store", seats_store_lua};

const struct redis_script *const shared_seats_scripts[] = {
	&changed_script, &read_script, &store_script, NULL};

struct shared_seats {
	struct redis *redis;
	char who[WHO_SIZE]; /* this process */
	uint64_t fences; /* given */
};

struct keys {
	char copy[KEY_SIZE], fence[KEY_SIZE];
};

struct shared_seats *shared_seats_new(struct redis *redis)
{
	struct shared_seats *shared = must_calloc(1, sizeof *shared);
	uint64_t bits = 0;

	CHECK(getrandom(&bits, sizeof bits, 0) == (ssize_t)sizeof bits);
	snprintf(shared->who, sizeof shared->who, "%016" PRIx64, bits);
	shared->redis = redis;
	return shared;
}

void shared_seats_free(struct shared_seats *shared)
{
	free(shared);
}

static void arg_keys(
	struct redis_args *args, struct keys *keys, int64_t event_id, int64_t performance_id)
{
	snprintf(keys->copy, KEY_SIZE, "onsale:{%" PRId64 "}:seats:%" PRId64, event_id,
		performance_id);
	snprintf(keys->fence, KEY_SIZE, "onsale:{%" PRId64 "}:seats:%" PRId64 ":fence", event_id,
		performance_id);
	redis_arg_text(args, keys->copy);
	redis_arg_text(args, keys->fence);
}

static void new_fence(struct shared_seats *shared, char fence[SHARED_SEATS_FENCE_SIZE])
{
	snprintf(fence, SHARED_SEATS_FENCE_SIZE, "%s:%" PRIu64, shared->who, ++shared->fences);
}

/* --- reading --- */

static void read_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct shared_seats_read *read = context;
	size_t len = 0;
	const char *text = redis_text(redis_at(value, 0), &len);

	read->letters = NULL;
	if (result == DB_OK && redis_len(value) == 2) {
		read->letters = text;
		read->letters_len = len;
		read->left_ms = redis_int(redis_at(value, 1));
	} else if (len < sizeof read->fence) {
		memcpy(read->fence, text, len + 1);
	}
	read->done(read, result);
}

void shared_seats_read(struct shared_seats *shared, struct shared_seats_read *read)
{
	struct keys keys;
	char fence[SHARED_SEATS_FENCE_SIZE];
	REDIS_ARGS(args, 4);

	read->fence[0] = '\0';
	new_fence(shared, fence);
	arg_keys(&args, &keys, read->event_id, read->performance_id);
	redis_arg_text(&args, fence);
	redis_arg_i64(&args, FENCE_LIFE_MS);
	redis_eval(shared->redis, &read_script, 2, &args, read_done, read);
}

/* --- telling --- */

void shared_seats_store(struct shared_seats *shared, const struct shared_seats_read *read,
	const char *letters, size_t letters_len, int64_t life_ms)
{
	struct keys keys;
	REDIS_ARGS(args, 5);

	CHECK(life_ms > 0);
	if (read->fence[0] == '\0')
		return;
	arg_keys(&args, &keys, read->event_id, read->performance_id);
	redis_arg_text(&args, read->fence);
	redis_arg_bytes(&args, letters, letters_len);
	redis_arg_i64(&args, life_ms < SHARED_SEATS_LIFE_MS ? life_ms : SHARED_SEATS_LIFE_MS);
	redis_eval(shared->redis, &store_script, 2, &args, NULL, NULL);
}

void shared_seats_changed(struct shared_seats *shared, int64_t event_id, int64_t performance_id,
	redis_done *done, void *context)
{
	struct keys keys;
	char fence[SHARED_SEATS_FENCE_SIZE], message[MESSAGE_SIZE];
	REDIS_ARGS(args, 6);

	new_fence(shared, fence);
	snprintf(message, sizeof message, "%" PRId64 ":%s", performance_id, shared->who);
	arg_keys(&args, &keys, event_id, performance_id);
	redis_arg_text(&args, fence);
	redis_arg_i64(&args, FENCE_LIFE_MS);
	redis_arg_text(&args, SHARED_SEATS_CHANNEL);
	redis_arg_text(&args, message);
	redis_eval(shared->redis, &changed_script, 2, &args, done, context);
}

bool shared_seats_heard(
	const struct shared_seats *shared, const char *text, size_t len, int64_t *performance_id)
{
	char message[MESSAGE_SIZE];
	char *end;

	if (len == 0 || len >= sizeof message)
		return false;
	memcpy(message, text, len);
	message[len] = '\0';
	*performance_id = strtoll(message, &end, 10);
	return end != message && *end == ':' && strcmp(end + 1, shared->who) != 0;
}
