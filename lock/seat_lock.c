/* Seat locks. Acquires of a turn of the loop are gathered by event and judged by calls of lock/acquire.lua, a hundred a
 * call, whose verdicts come back as a word or a word and its parts.
 *   seat_lock_acquire -> ask -> (seat_locks_turn) batch_send -> (Redis) -> batch_done -> judge -> finish
 *                         ^---- wait_over <---- wait_begin: "wait", others are still deciding
 * of which ASKED_MAX are under way at a time: the others stay gathered.
 *
 * With a Redlock the keys and passes are judged in Redis and the seats by the nodes; what came of it is told to Redis
 * again, which judges the key once more, as its twin may have come meanwhile:
 *   ... -> judge: "others" -> ask_nodes -> nodes_asked -> ask -> ... -> judge -> finish
 *
 * What is said of the seats afterwards is in seat_mark.c. */
#include "lock/seat_lock.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include "lock/pause.h"
#include "lock/redlock.h"
#include "lock/scripts.h"
#include "lock/seat_locks.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
	WAITING_MAX = 10000, /* requests that wait for a seat; past that none waits */
	ASKED_MAX =
		512, /* some milliseconds of Redis's time, far below the deadline of a command */
	ACQUIRES_A_CALL = 100, /* others wait for Redis meanwhile: half a millisecond */
	ACQUIRE_ARGS = 7, /* of a request, before its seats */
	ACQUIRE_ARGS_MAX = 1024, /* of a call */
	NUMBER_SIZE = 24,
	PASSED_ALL = 1 << 16,
	PASSED_OF = 64 /* answers make an average */
};

/* A request that waits for seats which others are deciding about. */
struct waiter {
	LIST_ENTRY(waiter) link;
	struct event timer;
	struct seat_lock *lock;
};

struct seat_locks *seat_locks_new(
	struct event_base *base, struct redis *redis, const struct seat_lock_settings *settings)
{
	struct seat_locks *locks = must_calloc(1, sizeof *locks);
	locks->base = base;
	locks->redis = redis;
	locks->settings = *settings;
	locks->passed = PASSED_ALL;
	LIST_INIT(&locks->waiters);
	STAILQ_INIT(&locks->gathered);
	histogram_init(&locks->stats.waits_us, &histogram_times_us);
	return locks;
}

const char *event_key(char key[EVENT_KEY_SIZE], int64_t event_id, const char *rest)
{
	int len = snprintf(key, EVENT_KEY_SIZE, "onsale:{%" PRId64 "}:%s", event_id, rest);
	CHECK(len > 0 && len < EVENT_KEY_SIZE);
	return key;
}

/* --- gathering --- */

static struct event_locks *event_of(struct seat_locks *locks, int64_t event_id)
{
	struct event_locks *event;

	HASH_FIND(hh, locks->events, &event_id, sizeof event_id, event);
	if (event != NULL)
		return event;
	event = must_calloc(1, sizeof *event);
	event->event_id = event_id;
	TAILQ_INIT(&event->acquires);
	STAILQ_INIT(&event->marks);
	HASH_ADD(hh, locks->events, event_id, sizeof event->event_id, event);
	return event;
}

struct event_locks *seat_locks_gather(struct seat_locks *locks, int64_t event_id)
{
	struct event_locks *event = event_of(locks, event_id);

	if (!event->gathered) {
		event->gathered = true;
		STAILQ_INSERT_TAIL(&locks->gathered, event, link);
	}
	return event;
}

static void ask(struct seat_lock *lock)
{
	struct event_locks *event = seat_locks_gather(lock->locks, lock->event_id);

	TAILQ_INSERT_TAIL(&event->acquires, lock, link);
	lock->locks->stats.queued++;
}

/* --- how many pass --- */

static void note_passed(struct seat_locks *locks, bool passed)
{
	locks->passed += ((passed ? PASSED_ALL : 0) - locks->passed) / PASSED_OF;
}

unsigned seat_locks_passed_percent(const struct seat_locks *locks)
{
	return (unsigned)(locks->passed * INT64_C(100) / (PASSED_ALL - PASSED_OF));
}

static bool goes_on(enum seat_lock_result result)
{
	return result == SEAT_LOCK_OURS || result == SEAT_LOCK_KEY_KNOWN ||
	       result == SEAT_LOCK_LOOK_UP || result == SEAT_LOCK_AWAY;
}

/* --- waiting --- */

static void wait_end(struct seat_lock *lock)
{
	struct waiter *waiter = lock->timer;
	if (!waiter)
		return;
	evtimer_del(&waiter->timer);
	LIST_REMOVE(waiter, link);
	lock->locks->waiting--;
	lock->timer = NULL;
	free(waiter);
}

static void finish(struct seat_lock *lock, enum seat_lock_result result)
{
	struct seat_lock_stats *stats = &lock->locks->stats;

	stats->results[result]++;
	note_passed(lock->locks, goes_on(result));
	histogram_note(&stats->waits_us, clock_mono_us() - lock->begun_us);
	wait_end(lock);
	lock->done(lock, result);
}

/* With a Redlock, another try begins anew: the key may be known by now. */
static void first_step(struct seat_lock *lock)
{
	bool others = lock->locks->settings.redlock != NULL && lock->seat_count > 0;

	lock->step = others ? SEAT_LOCK_ASKS : SEAT_LOCK_JUDGES;
	ask(lock);
}

static void wait_over(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	first_step(context);
}

static void wait_begin(struct seat_lock *lock)
{
	struct seat_locks *locks = lock->locks;
	struct waiter *waiter = lock->timer;

	note_passed(locks, false);
	if (!waiter) {
		waiter = must_calloc(1, sizeof *waiter);
		waiter->lock = lock;
		evtimer_assign(&waiter->timer, locks->base, wait_over, lock);
		LIST_INSERT_HEAD(&locks->waiters, waiter, link);
		locks->waiting++;
		lock->timer = waiter;
	}
	pause_begin(&waiter->timer, lock->give_up_ms);
}

static bool may_wait(const struct seat_lock *lock)
{
	const struct seat_locks *locks = lock->locks;
	if (locks->settings.wait_ms == 0 || (!lock->timer && locks->waiting >= WAITING_MAX))
		return false;
	return !pause_given_up(lock->give_up_ms);
}

/* --- the parts of Redis's verdict --- */

/* Elements from `first` on are seat ids. */
static bool read_refused_ids(struct seat_lock *lock, const struct redis_value *reply, size_t first)
{
	size_t len = redis_len(reply);
	if (len <= first || len - first > SEAT_LOCK_MAX)
		return false;
	lock->refused_count = len - first;
	for (size_t i = 0; i < lock->refused_count; i++)
		lock->refused_ids[i] = redis_int(redis_at(reply, first + i));
	return true;
}

static bool read_taken(struct seat_lock *lock, const struct redis_value *reply)
{
	lock->refused_body = lock->body;
	snprintf(lock->refused_request_id, sizeof lock->refused_request_id, "%s", lock->request_id);
	return read_refused_ids(lock, reply, 1);
}

static bool read_replay(struct seat_lock *lock, const struct redis_value *reply)
{
	if (redis_len(reply) < 3)
		return false;
	size_t hex_len, id_len, body_len;
	const char *hex = redis_text(redis_at(reply, 1), &hex_len);
	const char *id = redis_text(redis_at(reply, 2), &id_len);
	uint8_t *body = lock->refused_body.bytes;
	if (sodium_hex2bin(body, DIGEST_SIZE, hex, hex_len, NULL, &body_len, NULL) != 0 ||
		body_len != DIGEST_SIZE || id_len >= sizeof lock->refused_request_id)
		return false;
	memcpy(lock->refused_request_id, id, id_len);
	lock->refused_request_id[id_len] = '\0';
	return read_refused_ids(lock, reply, 3);
}

/* --- the verdict of the nodes --- */

/* Where nobody has most of the nodes, PostgreSQL decides; so it does where somebody has, but the key is told first,
 * and only what most of them said is a refusal. */
static void nodes_asked(
	void *context, enum redlock_result result, const int64_t *taken_ids, size_t taken_count)
{
	struct seat_lock *lock = context;

	if ((result == REDLOCK_LOCKING || result == REDLOCK_SPLIT) && may_wait(lock)) {
		wait_begin(lock);
		return;
	}
	lock->refused_count = taken_count;
	if (taken_count > 0)
		memcpy(lock->refused_ids, taken_ids, taken_count * sizeof *taken_ids);
	lock->step = taken_count > 0 ? SEAT_LOCK_REFUSES : SEAT_LOCK_CONFIRMS;
	ask(lock);
}

static void ask_nodes(struct seat_lock *lock)
{
	char prefix[EVENT_KEY_SIZE], owner[DIGEST_HEX_SIZE];

	digest_hex(&lock->key, owner);
	redlock_acquire(lock->locks->settings.redlock, event_key(prefix, lock->event_id, ""), owner,
		lock->seat_ids, lock->seat_count, nodes_asked, lock);
}

/* The nodes gave the seats, and Redis refuses the request: its key came another way meanwhile, or its pass ended. Where
 * a twin is at PostgreSQL with this key, the locks are his as well. */
static void give_back(const struct seat_lock *lock, enum seat_lock_result result)
{
	if (lock->step == SEAT_LOCK_CONFIRMS && result != SEAT_LOCK_OURS &&
		result != SEAT_LOCK_KEY_KNOWN)
		seat_lock_release(
			lock->locks, lock->event_id, lock->seat_ids, lock->seat_count, &lock->key);
}

/* --- the verdict of Redis --- */

static void judge(struct seat_lock *lock, const struct redis_value *reply)
{
	static const struct {
		const char *word;
		enum seat_lock_result result;
		bool (*read)(struct seat_lock *lock, const struct redis_value *reply);
	} verdicts[] = {
		{"ours", SEAT_LOCK_OURS, NULL},
		{"known", SEAT_LOCK_KEY_KNOWN, NULL},
		{"taken", SEAT_LOCK_TAKEN, read_taken},
		{"replay", SEAT_LOCK_REPLAY, read_replay},
		{"look_up", SEAT_LOCK_LOOK_UP, NULL},
		{"no_pass", SEAT_LOCK_NO_PASS, NULL},
	};
	size_t len;
	const char *word = redis_text(redis_len(reply) > 0 ? redis_at(reply, 0) : reply, &len);
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		if (strcmp(word, verdicts[i].word) != 0)
			continue;
		if (verdicts[i].read && !verdicts[i].read(lock, reply))
			break;
		give_back(lock, verdicts[i].result);
		finish(lock, verdicts[i].result);
		return;
	}
	if (strcmp(word, "wait") == 0) {
		wait_begin(lock);
		return;
	}
	if (strcmp(word, "others") == 0) {
		ask_nodes(lock);
		return;
	}
	log_error("lock/acquire.lua: a reply that makes no sense: \"%s\"", word);
	finish(lock, SEAT_LOCK_AWAY);
}

static void answered(struct seat_lock *lock, enum db_result result, const struct redis_value *value)
{
	if (result == DB_OK) {
		judge(lock, value);
		return;
	}
	/* PostgreSQL decides alone now; the script may still run late and leave a refusal under the key. Noted
	 * behind it, the key is PostgreSQL's. A bad pass opens no such door. */
	if (result == DB_UNKNOWN && !lock->pass_bad) {
		char owner[DIGEST_HEX_SIZE];
		digest_hex(&lock->key, owner);
		note_key(lock->locks, lock->event_id, owner);
	}
	finish(lock, SEAT_LOCK_AWAY);
}

/* --- acquires that share a call --- */

struct batch {
	struct seat_locks *locks;
	TAILQ_HEAD(, seat_lock) acquires;
	unsigned count;
};

static void batch_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct batch *batch = context;
	struct seat_lock *lock;

	batch->locks->asked -= batch->count;
	for (size_t i = 0; (lock = TAILQ_FIRST(&batch->acquires)) != NULL; i++) {
		TAILQ_REMOVE(&batch->acquires, lock, link);
		answered(lock, result, redis_at(value, i));
	}
	free(batch);
}

/* A request's arguments that are not in its struct as text; a call copies them. */
struct acquire_texts {
	char owner[DIGEST_HEX_SIZE], body[DIGEST_HEX_SIZE], nonce[NUMBER_SIZE], how[4];
};

static const char *pass_argument(const struct seat_lock *lock, char nonce[NUMBER_SIZE])
{
	if (lock->pass_bad)
		return "-";
	if (!lock->need_pass)
		return "";
	snprintf(nonce, NUMBER_SIZE, "%" PRIu64, lock->pass_nonce);
	return nonce;
}

/* How acquire.lua is to judge it. */
static const char *write_how(const struct seat_lock *lock, char how[4])
{
	char *end = how;

	if (may_wait(lock))
		*end++ = 'w';
	if (lock->key_is_new)
		*end++ = 'n';
	if (lock->step == SEAT_LOCK_ASKS)
		*end++ = 'a';
	if (lock->step == SEAT_LOCK_REFUSES)
		*end++ = 't';
	*end = '\0';
	return how;
}

/* The seats that Redis is to judge, or, at the end, those that the nodes found taken. */
static size_t seats_to_judge(const struct seat_lock *lock, const int64_t **seat_ids)
{
	bool refuses = lock->step == SEAT_LOCK_REFUSES;

	*seat_ids = refuses ? lock->refused_ids : lock->seat_ids;
	return refuses                          ? lock->refused_count
	       : lock->step == SEAT_LOCK_JUDGES ? lock->seat_count
						: 0;
}

static void add_acquire(
	struct redis_args *args, const struct seat_lock *lock, struct acquire_texts *texts)
{
	const int64_t *seat_ids;
	size_t count = seats_to_judge(lock, &seat_ids);

	digest_hex(&lock->key, texts->owner);
	digest_hex(&lock->body, texts->body);
	redis_arg_text(args, texts->owner);
	redis_arg_text(args, texts->body);
	redis_arg_text(args, lock->request_id);
	redis_arg_i64(args, lock->user_id);
	redis_arg_text(args, pass_argument(lock, texts->nonce));
	redis_arg_text(args, write_how(lock, texts->how));
	redis_arg_i64(args, (int64_t)count);
	for (size_t i = 0; i < count; i++)
		redis_arg_i64(args, seat_ids[i]);
}

static bool fits(
	const struct batch *batch, const struct redis_args *args, const struct seat_lock *lock)
{
	const int64_t *seat_ids;

	return batch->count < ACQUIRES_A_CALL && batch->locks->asked < ASKED_MAX &&
	       args->count + ACQUIRE_ARGS + seats_to_judge(lock, &seat_ids) <= args->max;
}

/* Sends as many as one call takes. */
static void batch_send(struct seat_locks *locks, struct event_locks *event)
{
	struct batch *batch = must_malloc(sizeof *batch);
	struct acquire_texts texts[ACQUIRES_A_CALL];
	char meta[EVENT_KEY_SIZE], pass[EVENT_KEY_SIZE], prefix[EVENT_KEY_SIZE];
	struct seat_lock *lock;
	REDIS_ARGS(args, ACQUIRE_ARGS_MAX);

	*batch = (struct batch){.locks = locks};
	TAILQ_INIT(&batch->acquires);
	redis_arg_text(&args, event_key(meta, event->event_id, "meta"));
	redis_arg_text(&args, event_key(pass, event->event_id, "pass"));
	redis_arg_text(&args, event_key(prefix, event->event_id, ""));
	redis_arg_i64(&args, locks->settings.locking_ms);
	while ((lock = TAILQ_FIRST(&event->acquires)) != NULL && fits(batch, &args, lock)) {
		add_acquire(&args, lock, &texts[batch->count++]);
		lock->tries++;
		locks->asked++;
		locks->stats.queued--;
		TAILQ_REMOVE(&event->acquires, lock, link);
		TAILQ_INSERT_TAIL(&batch->acquires, lock, link);
	}
	redis_eval(locks->redis, &lock_acquire_script, 2, &args, batch_done, batch);
}

/* Without Redis nobody's turn comes. */
static void ask_nobody(struct seat_locks *locks, struct event_locks *event)
{
	struct seat_lock *lock;

	while ((lock = TAILQ_FIRST(&event->acquires)) != NULL) {
		TAILQ_REMOVE(&event->acquires, lock, link);
		locks->stats.queued--;
		finish(lock, SEAT_LOCK_AWAY);
	}
}

/* What was said of seats goes first: some of those that are asked for may be free by it. True where some acquires are
 * left for another turn. */
static bool event_send(struct seat_locks *locks, struct event_locks *event)
{
	marks_send(locks, event);
	if (!redis_up(locks->redis))
		ask_nobody(locks, event);
	while (!TAILQ_EMPTY(&event->acquires) && locks->asked < ASKED_MAX)
		batch_send(locks, event);
	return !TAILQ_EMPTY(&event->acquires);
}

void seat_locks_turn(struct seat_locks *locks)
{
	STAILQ_HEAD(, event_locks) gathered = STAILQ_HEAD_INITIALIZER(gathered);
	struct event_locks *event;

	STAILQ_CONCAT(&gathered, &locks->gathered);
	while ((event = STAILQ_FIRST(&gathered)) != NULL) {
		STAILQ_REMOVE_HEAD(&gathered, link);
		event->gathered = false;
		if (event_send(locks, event))
			seat_locks_gather(locks, event->event_id);
	}
}

void seat_lock_acquire(struct seat_locks *locks, struct seat_lock *lock)
{
	CHECK(lock->seat_count <= SEAT_LOCK_MAX);
	CHECK(strlen(lock->request_id) < SEAT_LOCK_REQUEST_ID_SIZE);
	locks->stats.attempts++;
	lock->locks = locks;
	lock->begun_us = clock_mono_us();
	lock->refused_count = 0;
	lock->tries = 0;
	lock->timer = NULL;
	lock->give_up_ms = pause_give_up_ms(locks->settings.wait_ms);
	first_step(lock);
}

void seat_locks_free(struct seat_locks *locks)
{
	struct event_locks *event;

	if (!locks)
		return;
	while ((event = locks->events) != NULL) {
		HASH_DEL(locks->events, event);
		ask_nobody(locks, event);
		marks_drop(event);
		free(event);
	}
	while (!LIST_EMPTY(&locks->waiters))
		finish(LIST_FIRST(&locks->waiters)->lock, SEAT_LOCK_AWAY);
	free(locks);
}

/* --- what was counted --- */

const char *seat_lock_result_name(enum seat_lock_result result)
{
	static const char *const names[SEAT_LOCK_RESULTS] = {[SEAT_LOCK_OURS] = "ours",
		[SEAT_LOCK_KEY_KNOWN] = "key_known",
		[SEAT_LOCK_REPLAY] = "replay",
		[SEAT_LOCK_TAKEN] = "taken",
		[SEAT_LOCK_LOOK_UP] = "look_up",
		[SEAT_LOCK_NO_PASS] = "no_pass",
		[SEAT_LOCK_AWAY] = "away"};

	return names[result];
}

struct seat_lock_stats seat_lock_stats(const struct seat_locks *locks)
{
	struct seat_lock_stats stats = locks->stats;

	stats.asked = locks->asked;
	stats.waiting = locks->waiting;
	return stats;
}
