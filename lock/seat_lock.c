/* Seat locks: an acquire is one call of lock/acquire.lua, whose verdict comes back as a word and its
 * parts.
 *   seat_lock_acquire -> acquire_send -> acquire_done -> finish
 *                             ^---- wait_over <---- wait_begin: "wait", others are still deciding
 * of which ASKED_MAX are under way at a time: the others stand in a queue (ask, ask_next).
 *
 * With a Redlock the keys and passes are judged in Redis and the seats by the nodes; what came of it is told to Redis
 * again, which judges the key once more, as its twin may have come meanwhile:
 *   seat_lock_acquire -> acquire_send -> acquire_done: "others" -> nodes_asked -> acquire_send -> acquire_done -> finish
 *
 * All else (hold, sold, release, extend, …) is sent and forgotten: what fails there lapses by itself, and
 * PostgreSQL decides every sale. */
#include "lock/seat_lock.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include "lock/pause.h"
#include "lock/redlock.h"
#include "lock/scripts.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
	EVENT_KEY_SIZE = 96,
	KEY_KEPT_SECONDS = 24 * 60 * 60,
	SOLD_LIFE_MS = 60 * 1000,
	MARGIN_MAX_MS = 1000, /* by which a marker ends before its hold, at most */
	WAITING_MAX = 10000, /* requests that wait for a seat; past that none waits */
	ASKED_MAX = 512, /* some 20 ms of Redis's time, far below the deadline of a command */
	NUMBER_SIZE = 24
};

/* A request that waits for seats which others are deciding about. */
struct waiter {
	LIST_ENTRY(waiter) link;
	struct event timer;
	struct seat_lock *lock;
};

struct seat_locks {
	struct event_base *base;
	struct redis *redis;
	struct seat_lock_settings settings;
	LIST_HEAD(waiter_list, waiter) waiters; /* pausing, or trying again */
	unsigned waiting;
	TAILQ_HEAD(, seat_lock) queue; /* to be asked for */
	unsigned asked; /* calls of acquire.lua under way */
	struct seat_lock_stats stats; /* but for `asked` and `waiting` */
};

struct seat_locks *seat_locks_new(
	struct event_base *base, struct redis *redis, const struct seat_lock_settings *settings)
{
	struct seat_locks *locks = must_calloc(1, sizeof *locks);
	locks->base = base;
	locks->redis = redis;
	locks->settings = *settings;
	LIST_INIT(&locks->waiters);
	TAILQ_INIT(&locks->queue);
	histogram_init(&locks->stats.waits_us, &histogram_times_us);
	return locks;
}

/* The key onsale:{event}:<rest>. */
static const char *event_key(char key[EVENT_KEY_SIZE], int64_t event_id, const char *rest)
{
	int len = snprintf(key, EVENT_KEY_SIZE, "onsale:{%" PRId64 "}:%s", event_id, rest);
	CHECK(len > 0 && len < EVENT_KEY_SIZE);
	return key;
}

static const char *idem_key(char key[EVENT_KEY_SIZE], int64_t event_id, const char *owner)
{
	char rest[sizeof "idem:" + DIGEST_HEX_SIZE];
	snprintf(rest, sizeof rest, "idem:%s", owner);
	return event_key(key, event_id, rest);
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
	uint64_t now_us = clock_mono_us();

	stats->results[result]++;
	histogram_note(&stats->waits_us, now_us - lock->begun_us);
	wait_end(lock);
	lock->done(lock, result);
}

/* --- whose turn it is --- */

static void acquire_send(struct seat_lock *lock);

static void queue_put(struct seat_lock *lock)
{
	TAILQ_INSERT_TAIL(&lock->locks->queue, lock, link);
	lock->locks->stats.queued++;
}

/* NULL where nobody waits for his turn. */
static struct seat_lock *queue_take(struct seat_locks *locks)
{
	struct seat_lock *lock = TAILQ_FIRST(&locks->queue);

	if (lock == NULL)
		return NULL;
	TAILQ_REMOVE(&locks->queue, lock, link);
	locks->stats.queued--;
	return lock;
}

static void ask(struct seat_lock *lock)
{
	struct seat_locks *locks = lock->locks;

	if (locks->asked < ASKED_MAX)
		acquire_send(lock);
	else
		queue_put(lock);
}

/* Without Redis nobody's turn comes. */
static void ask_nobody(struct seat_locks *locks)
{
	struct seat_lock *lock;

	while ((lock = queue_take(locks)) != NULL)
		finish(lock, SEAT_LOCK_AWAY);
}

static void ask_next(struct seat_locks *locks)
{
	struct seat_lock *lock;

	if (!redis_up(locks->redis))
		ask_nobody(locks);
	while (locks->asked < ASKED_MAX && (lock = queue_take(locks)) != NULL)
		acquire_send(lock);
}

void seat_locks_free(struct seat_locks *locks)
{
	if (!locks)
		return;
	ask_nobody(locks);
	while (!LIST_EMPTY(&locks->waiters))
		finish(LIST_FIRST(&locks->waiters)->lock, SEAT_LOCK_AWAY);
	free(locks);
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
	redlock_acquire(lock->locks->settings.redlock, event_key(prefix, lock->event_id, "lock:"),
		owner, lock->seat_ids, lock->seat_count, nodes_asked, lock);
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
	const char *word = redis_len(reply) ? redis_text(redis_at(reply, 0), &len) : "";
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

/* Whatever comes under the key is PostgreSQL's. */
static void note_key(struct seat_locks *locks, int64_t event_id, const char *owner)
{
	char key[EVENT_KEY_SIZE];
	REDIS_ARGS(args, 5);
	redis_arg_text(&args, "SET");
	redis_arg_text(&args, idem_key(key, event_id, owner));
	redis_arg_text(&args, "P");
	redis_arg_text(&args, "EX");
	redis_arg_i64(&args, KEY_KEPT_SECONDS);
	redis_command(locks->redis, &args, NULL, NULL);
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

static void acquire_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct seat_lock *lock = context;
	struct seat_locks *locks = lock->locks;

	locks->asked--;
	answered(lock, result, value);
	ask_next(locks);
}

/* --- acquire --- */

static const char *pass_argument(const struct seat_lock *lock, char nonce[NUMBER_SIZE])
{
	if (lock->pass_bad)
		return "-";
	if (!lock->need_pass)
		return "";
	snprintf(nonce, NUMBER_SIZE, "%" PRIu64, lock->pass_nonce);
	return nonce;
}

/* The last arguments: who judges the seats, and those that are his to judge. */
static void add_seats(struct redis_args *args, const struct seat_lock *lock)
{
	static const char *const judges[] = {[SEAT_LOCK_JUDGES] = "",
		[SEAT_LOCK_ASKS] = "ask",
		[SEAT_LOCK_CONFIRMS] = "",
		[SEAT_LOCK_REFUSES] = "taken"};
	const int64_t *seat_ids = lock->seat_ids;
	size_t count = lock->step == SEAT_LOCK_JUDGES ? lock->seat_count : 0;

	if (lock->step == SEAT_LOCK_REFUSES) {
		seat_ids = lock->refused_ids;
		count = lock->refused_count;
	}
	redis_arg_text(args, judges[lock->step]);
	for (size_t i = 0; i < count; i++)
		redis_arg_i64(args, seat_ids[i]);
}

static void acquire_send(struct seat_lock *lock)
{
	char meta[EVENT_KEY_SIZE], idem[EVENT_KEY_SIZE], pass[EVENT_KEY_SIZE],
		prefix[EVENT_KEY_SIZE];
	char owner[DIGEST_HEX_SIZE], body[DIGEST_HEX_SIZE], nonce[NUMBER_SIZE];
	digest_hex(&lock->key, owner);
	digest_hex(&lock->body, body);

	REDIS_ARGS(args, 13 + SEAT_LOCK_MAX);
	redis_arg_text(&args, event_key(meta, lock->event_id, "meta"));
	redis_arg_text(&args, idem_key(idem, lock->event_id, owner));
	redis_arg_text(&args, event_key(pass, lock->event_id, "pass"));
	redis_arg_text(&args, event_key(prefix, lock->event_id, "lock:"));
	redis_arg_text(&args, owner);
	redis_arg_i64(&args, lock->locks->settings.locking_ms);
	redis_arg_text(&args, body);
	redis_arg_text(&args, lock->request_id);
	redis_arg_i64(&args, lock->user_id);
	redis_arg_text(&args, pass_argument(lock, nonce));
	redis_arg_text(&args, may_wait(lock) ? "1" : "0");
	redis_arg_text(&args, lock->key_is_new ? "1" : "0");
	add_seats(&args, lock);
	lock->tries++;
	lock->locks->asked++;
	redis_eval(lock->locks->redis, &lock_acquire_script, 3, &args, acquire_done, lock);
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

/* --- sent and forgotten --- */

/* The hash that the generation of the markers is in, where they are. */
static const char *meta_key(
	const struct seat_locks *locks, char key[EVENT_KEY_SIZE], int64_t event_id)
{
	return locks->settings.redlock != NULL ? REDLOCK_META : event_key(key, event_id, "meta");
}

/* A script of one key, to where the markers are. */
static void tell(
	struct seat_locks *locks, const struct redis_script *script, const struct redis_args *args)
{
	if (locks->settings.redlock != NULL)
		redlock_tell(locks->settings.redlock, script, args);
	else
		redis_eval(locks->redis, script, 1, args, NULL, NULL);
}

static void mark(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids, size_t count,
	const char *owner, const char *state, int64_t life_ms)
{
	char meta[EVENT_KEY_SIZE], idem[EVENT_KEY_SIZE], prefix[EVENT_KEY_SIZE];
	CHECK(count <= SEAT_LOCK_MAX);
	bool others = locks->settings.redlock != NULL;
	REDIS_ARGS(args, 6 + SEAT_LOCK_MAX);
	redis_arg_text(&args, meta_key(locks, meta, event_id));
	if (!others)
		redis_arg_text(&args, idem_key(idem, event_id, owner));
	else if (strcmp(state, "H") == 0)
		note_key(locks, event_id, owner);
	redis_arg_text(&args, event_key(prefix, event_id, "lock:"));
	redis_arg_text(&args, owner);
	redis_arg_text(&args, state);
	redis_arg_i64(&args, life_ms);
	for (size_t i = 0; i < count; i++)
		redis_arg_i64(&args, seat_ids[i]);
	if (others)
		tell(locks, &lock_mark_script, &args);
	else
		redis_eval(locks->redis, &lock_mark_script, 2, &args, NULL, NULL);
}

void seat_lock_hold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner, int64_t hold_left_ms)
{
	char hex[DIGEST_HEX_SIZE];
	digest_hex(owner, hex);
	int64_t tenth_ms = hold_left_ms / 10;
	int64_t life_ms = hold_left_ms - (tenth_ms < MARGIN_MAX_MS ? tenth_ms : MARGIN_MAX_MS);
	mark(locks, event_id, seat_ids, count, hex, "H", life_ms > 0 ? life_ms : 1);
}

void seat_lock_sold(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	char hex[DIGEST_HEX_SIZE] = "-";
	if (owner)
		digest_hex(owner, hex);
	mark(locks, event_id, seat_ids, count, hex, "S", SOLD_LIFE_MS);
}

void seat_lock_release(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	char meta[EVENT_KEY_SIZE], prefix[EVENT_KEY_SIZE], hex[DIGEST_HEX_SIZE];
	CHECK(count <= SEAT_LOCK_MAX);
	digest_hex(owner, hex);
	REDIS_ARGS(args, 3 + SEAT_LOCK_MAX);
	redis_arg_text(&args, meta_key(locks, meta, event_id));
	redis_arg_text(&args, event_key(prefix, event_id, "lock:"));
	redis_arg_text(&args, hex);
	for (size_t i = 0; i < count; i++)
		redis_arg_i64(&args, seat_ids[i]);
	tell(locks, &lock_release_script, &args);
}

void seat_lock_extend(struct seat_locks *locks, int64_t event_id, const int64_t *seat_ids,
	size_t count, const struct digest *owner)
{
	char meta[EVENT_KEY_SIZE], prefix[EVENT_KEY_SIZE], hex[DIGEST_HEX_SIZE];
	CHECK(count <= SEAT_LOCK_MAX);
	digest_hex(owner, hex);
	REDIS_ARGS(args, 4 + SEAT_LOCK_MAX);
	redis_arg_text(&args, meta_key(locks, meta, event_id));
	redis_arg_text(&args, event_key(prefix, event_id, "lock:"));
	redis_arg_text(&args, hex);
	redis_arg_i64(&args, locks->settings.locking_ms);
	for (size_t i = 0; i < count; i++)
		redis_arg_i64(&args, seat_ids[i]);
	tell(locks, &lock_extend_script, &args);
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
