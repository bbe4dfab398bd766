/* What is said of seats after they were decided about: held, sold, free again, still being decided. It is gathered by
 * event, sent with the turn in the order in which it was said, and forgotten: what fails there lapses by itself, and
 * PostgreSQL decides every sale.
 *   seat_lock_hold, … -> mark -> (seat_locks_turn) marks_send */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "lock/redlock.h"
#include "lock/scripts.h"
#include "lock/seat_locks.h"
#include "proto/base/check.h"

enum {
	KEY_KEPT_SECONDS = 24 * 60 * 60,
	SOLD_LIFE_MS = 60 * 1000,
	MARGIN_MAX_MS = 1000, /* by which a marker ends before its hold, at most */
	MARK_ARGS_MAX =
		1024 /* of a call: with one seat each, two hundred owners, some 1 ms of Redis's time */
};

struct mark {
	STAILQ_ENTRY(mark) link;
	char owner[DIGEST_HEX_SIZE];
	const char *state;
	int64_t life_ms;
	size_t count;
	int64_t seat_ids[];
};

static void mark(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids, size_t count,
	const struct digest *owner, const char *state, int64_t life_ms)
{
	struct mark *made = must_malloc(sizeof *made + count * sizeof *seat_ids);

	CHECK(count <= SEAT_LOCK_MAX);
	strcpy(made->owner, "-");
	if (owner != NULL)
		digest_hex(owner, made->owner);
	made->state = state;
	made->life_ms = life_ms;
	made->count = count;
	if (count > 0)
		memcpy(made->seat_ids, seat_ids, count * sizeof *seat_ids);
	STAILQ_INSERT_TAIL(&seat_locks_gather(locks, event_id)->marks, made, link);
}

void seat_lock_hold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner, int64_t hold_left_ms)
{
	int64_t tenth_ms = hold_left_ms / 10;
	int64_t life_ms = hold_left_ms - (tenth_ms < MARGIN_MAX_MS ? tenth_ms : MARGIN_MAX_MS);

	mark(locks, event_id, seat_ids, count, owner, MARK_HELD, life_ms > 0 ? life_ms : 1);
}

void seat_lock_sold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	mark(locks, event_id, seat_ids, count, owner, MARK_SOLD, SOLD_LIFE_MS);
}

void seat_lock_release(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	mark(locks, event_id, seat_ids, count, owner, MARK_FREE, 0);
}

void seat_lock_extend(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	mark(locks, event_id, seat_ids, count, owner, MARK_LOCKING, locks->settings.locking_ms);
}

/* --- sending --- */

/* With a Redlock the markers are on its nodes, with a generation there, and the keys alone are in Redis. */
static void begin_call(const struct seat_locks *locks, struct redis_args *args, const char *meta,
	const char *prefix)
{
	bool others = locks->settings.redlock != NULL;

	redis_arg_text(args, others ? REDLOCK_META : meta);
	redis_arg_text(args, prefix);
	redis_arg_text(args, others ? "0" : "1");
}

static void add_mark(struct redis_args *args, const struct mark *mark)
{
	redis_arg_text(args, mark->owner);
	redis_arg_text(args, mark->state);
	redis_arg_i64(args, mark->life_ms);
	redis_arg_i64(args, (int64_t)mark->count);
	for (size_t i = 0; i < mark->count; i++)
		redis_arg_i64(args, mark->seat_ids[i]);
}

static void send_call(struct seat_locks *locks, const struct redis_args *args)
{
	if (locks->settings.redlock != NULL)
		redlock_tell(locks->settings.redlock, &lock_mark_script, args);
	else
		redis_eval(locks->redis, &lock_mark_script, 1, args, NULL, NULL);
}

static void marks_free(struct event_locks *event, const struct mark *until)
{
	struct mark *mark;

	while ((mark = STAILQ_FIRST(&event->marks)) != until) {
		STAILQ_REMOVE_HEAD(&event->marks, link);
		free(mark);
	}
}

void marks_send(struct seat_locks *locks, struct event_locks *event)
{
	char meta[EVENT_KEY_SIZE], prefix[EVENT_KEY_SIZE];
	REDIS_ARGS(args, MARK_ARGS_MAX);

	event_key(meta, event->event_id, "meta");
	event_key(prefix, event->event_id, "");
	while (!STAILQ_EMPTY(&event->marks)) {
		struct mark *mark;

		args.count = 0;
		begin_call(locks, &args, meta, prefix);
		STAILQ_FOREACH (mark, &event->marks, link) {
			if (args.count + MARK_ARGS + mark->count > args.max)
				break;
			if (locks->settings.redlock != NULL && strcmp(mark->state, MARK_HELD) == 0)
				note_key(locks, event->event_id, mark->owner);
			add_mark(&args, mark);
		}
		send_call(locks, &args); /* which copies them */
		marks_free(event, mark);
	}
}

void marks_drop(struct event_locks *event)
{
	marks_free(event, NULL);
}

/* --- at once --- */

void note_key(struct seat_locks *locks, int64_t event_id, const char *owner)
{
	char rest[sizeof "idem:" + DIGEST_HEX_SIZE], key[EVENT_KEY_SIZE];
	REDIS_ARGS(args, 5);

	snprintf(rest, sizeof rest, "idem:%s", owner);
	redis_arg_text(&args, "SET");
	redis_arg_text(&args, event_key(key, event_id, rest));
	redis_arg_text(&args, "P");
	redis_arg_text(&args, "EX");
	redis_arg_i64(&args, KEY_KEPT_SECONDS);
	redis_command(locks->redis, &args, NULL, NULL);
}

void seat_lock_keys_since(struct seat_locks *locks, int64_t event_id, bool all_known)
{
	char meta[EVENT_KEY_SIZE];
	REDIS_ARGS(args, 2);

	redis_arg_text(&args, event_key(meta, event_id, "meta"));
	redis_arg_text(&args, all_known ? "1" : "0");
	redis_eval(locks->redis, &lock_keys_since_script, 1, &args, NULL, NULL);
}

void seat_lock_new_generation(struct seat_locks *locks, int64_t event_id)
{
	char meta[EVENT_KEY_SIZE];
	REDIS_ARGS(args, 1);

	redis_arg_text(&args, event_key(meta, event_id, "meta"));
	redis_eval(locks->redis, &lock_generation_script, 1, &args, NULL, NULL);
}
