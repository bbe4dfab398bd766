/* Seat locks on a real Redis: each verdict of an acquire, who may change a marker, and crowds. Every test
 * has an event of its own, so that tests share a Redis. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lock/seat_lock.h"
#include "proto/base/clock.h"
#include "tests/live/locking.h"

enum { CROWD = 50, USER = 7, LOCKING_MS = 10000 };

static struct rig rig;
static struct seat_locks *locks[RIG_CONNECTIONS];
static int64_t event;

/* --- a Redis of one test's own, which it may freeze --- */

static struct {
	pid_t pid;
	char folder[64], socket_path[96], log_path[96], url[128];
} own;

static void own_redis_start(void)
{
	strcpy(own.folder, "/tmp/onsale-lock-XXXXXX");
	cr_assert(mkdtemp(own.folder));
	snprintf(own.socket_path, sizeof own.socket_path, "%s/redis.sock", own.folder);
	snprintf(own.log_path, sizeof own.log_path, "%s/redis.log", own.folder);
	snprintf(own.url, sizeof own.url, "unix://%s", own.socket_path);
	own.pid = fork();
	if (own.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
			own.socket_path, "--save", "", "--logfile", own.log_path, (char *)NULL);
		_exit(127);
	}
	cr_assert(own.pid > 0);
}

static void own_redis_stop(void)
{
	if (own.pid <= 0)
		return;
	kill(own.pid, SIGKILL);
	waitpid(own.pid, NULL, 0);
	unlink(own.socket_path);
	unlink(own.log_path);
	rmdir(own.folder);
}

/* --- the locks under test --- */

static void open_locks(unsigned count, unsigned locking_ms, unsigned wait_ms)
{
	struct seat_lock_settings settings = {.locking_ms = locking_ms, .wait_ms = wait_ms};
	rig_open(&rig, count);
	event = rig_random_id();
	for (unsigned i = 0; i < count; i++)
		rig.locks[i] = locks[i] = seat_locks_new(rig.base, rig.redis[i], &settings);
}

static void close_locks(void)
{
	rig_close_redis(&rig);
	for (unsigned i = 0; i < RIG_CONNECTIONS; i++)
		seat_locks_free(locks[i]);
	rig_close(&rig);
	own_redis_stop();
}

/* --- a buyer: one request for seats --- */

struct buyer {
	struct seat_lock lock;
	bool answered;
	unsigned answers;
	enum seat_lock_result result;
	char owner[DIGEST_HEX_SIZE];
};

static void buyer_done(struct seat_lock *lock, enum seat_lock_result result)
{
	struct buyer *buyer = lock->owner;
	buyer->result = result;
	buyer->answered = true;
	buyer->answers++;
}

static void buyer_init(struct buyer *buyer, const char *request_id)
{
	*buyer = (struct buyer){0};
	struct seat_lock *lock = &buyer->lock;
	lock->done = buyer_done;
	lock->owner = buyer;
	lock->event_id = event;
	lock->user_id = USER;
	lock->request_id = request_id;
	randombytes_buf(&lock->key, sizeof lock->key);
	randombytes_buf(&lock->body, sizeof lock->body);
	digest_hex(&lock->key, buyer->owner);
}

static void set_seats(struct buyer *buyer, const int64_t *seat_ids, size_t count)
{
	memcpy(buyer->lock.seat_ids, seat_ids, count * sizeof *seat_ids);
	buyer->lock.seat_count = count;
}
#define SEATS(buyer, ...) \
	set_seats(buyer, (const int64_t[]){__VA_ARGS__}, \
		sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static struct buyer *buyer_new(struct buyer *buyer, int64_t seat_id)
{
	buyer_init(buyer, "request");
	SEATS(buyer, seat_id);
	return buyer;
}

static void begin(struct buyer *buyer, unsigned connection)
{
	unsigned answers = buyer->answers;
	buyer->answered = false;
	seat_lock_acquire(locks[connection], &buyer->lock);
	cr_assert_eq(
		buyer->answers, answers, "done was called before the submitting call returned");
}

static enum seat_lock_result acquire(struct buyer *buyer)
{
	begin(buyer, 0);
	rig_run_until_set(&rig, &buyer->answered);
	return buyer->result;
}

/* --- looking into Redis --- */

static const char *event_key(const char *rest)
{
	static char keys[4][128];
	static unsigned next;
	char *key = keys[next++ % 4];
	snprintf(key, sizeof keys[0], "onsale:{%" PRId64 "}:%s", event, rest);
	return key;
}

static const char *lock_key(int64_t generation, int64_t seat_id)
{
	char rest[64];
	snprintf(rest, sizeof rest, "lock:%" PRId64 ":%" PRId64, generation, seat_id);
	return event_key(rest);
}

static const char *idem_key(const struct buyer *buyer)
{
	char rest[64];
	snprintf(rest, sizeof rest, "idem:%s", buyer->owner);
	return event_key(rest);
}

static bool marker_is(int64_t seat_id, const char *owner, char state)
{
	char marker[64];
	snprintf(marker, sizeof marker, "%s:%c", owner, state);
	return strcmp(ASK(&rig, "GET", lock_key(0, seat_id)), marker) == 0;
}

static bool is_free(int64_t seat_id)
{
	return strcmp(ASK(&rig, "GET", lock_key(0, seat_id)), "") == 0;
}

static int64_t life_ms(const char *key)
{
	ASK(&rig, "PTTL", key);
	return rig.number;
}

static bool between(int64_t value, int64_t least, int64_t most)
{
	return value >= least && value <= most;
}

static void knows_all_keys(void)
{
	seat_lock_keys_since(locks[0], event, true);
}

/* A buyer who has the seat. */
static void occupy(struct buyer *holder, int64_t seat_id)
{
	cr_assert_eq(acquire(buyer_new(holder, seat_id)), SEAT_LOCK_OURS);
}

static void hold(struct buyer *buyer, int64_t hold_left_ms)
{
	struct seat_lock *lock = &buyer->lock;
	seat_lock_hold(locks[0], event, lock->seat_ids, lock->seat_count, &lock->key, hold_left_ms);
}

static void sold(struct buyer *buyer)
{
	struct seat_lock *lock = &buyer->lock;
	seat_lock_sold(locks[0], event, lock->seat_ids, lock->seat_count, &lock->key);
}

static void extend(struct buyer *buyer)
{
	struct seat_lock *lock = &buyer->lock;
	seat_lock_extend(locks[0], event, lock->seat_ids, lock->seat_count, &lock->key);
}

static void release(struct buyer *buyer)
{
	struct seat_lock *lock = &buyer->lock;
	seat_lock_release(locks[0], event, lock->seat_ids, lock->seat_count, &lock->key);
}

TestSuite(lock, .fini = close_locks);

/* --- the verdicts --- */

Test(lock, free_seats_are_all_ours)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	buyer_init(&buyer, "first");
	SEATS(&buyer, 3, 1, 9007199254740993);
	cr_assert_eq(acquire(&buyer), SEAT_LOCK_OURS);
	for (size_t i = 0; i < buyer.lock.seat_count; i++) {
		cr_expect(marker_is(buyer.lock.seat_ids[i], buyer.owner, 'L'));
		cr_expect(between(life_ms(lock_key(0, buyer.lock.seat_ids[i])), 1, LOCKING_MS));
	}
	cr_expect_str_eq(ASK(&rig, "GET", idem_key(&buyer)), "P");
	cr_expect(between(life_ms(idem_key(&buyer)), 86000000, 86460000));
}

Test(lock, a_hundred_seats_at_once)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	buyer_init(&first, "first");
	buyer_init(&second, "second");
	for (int64_t i = 0; i < SEAT_LOCK_MAX; i++)
		first.lock.seat_ids[i] = second.lock.seat_ids[i] = INT64_MAX - i;
	first.lock.seat_count = second.lock.seat_count = SEAT_LOCK_MAX;
	cr_assert_eq(acquire(&first), SEAT_LOCK_OURS);
	cr_assert_eq(acquire(&second), SEAT_LOCK_TAKEN);
	cr_assert_eq(second.lock.refused_count, SEAT_LOCK_MAX);
	cr_expect_arr_eq(second.lock.refused_ids, first.lock.seat_ids, sizeof first.lock.seat_ids);
	cr_assert_eq(acquire(&second), SEAT_LOCK_REPLAY);
	cr_expect_arr_eq(second.lock.refused_ids, first.lock.seat_ids, sizeof first.lock.seat_ids);
}

Test(lock, taken_names_the_seats_and_locks_none)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	buyer_init(&first, "first");
	SEATS(&first, 2, 4);
	cr_assert_eq(acquire(&first), SEAT_LOCK_OURS);
	buyer_init(&second, "second");
	SEATS(&second, 1, 2, 3, 4, 5);
	cr_assert_eq(acquire(&second), SEAT_LOCK_TAKEN);
	cr_assert_eq(second.lock.refused_count, 2);
	cr_expect_eq(second.lock.refused_ids[0], 2);
	cr_expect_eq(second.lock.refused_ids[1], 4);
	cr_expect_str_eq(second.lock.refused_request_id, "second");
	cr_expect(is_free(1) && is_free(3) && is_free(5));
	cr_expect(marker_is(2, first.owner, 'L') && marker_is(4, first.owner, 'L'));
	cr_expect(between(life_ms(idem_key(&second)), 86000000, 86460000));
}

Test(lock, the_first_refusal_is_replayed_though_the_seats_came_free)
{
	struct buyer first, second, repeat;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&first, 8);
	buyer_init(&second, "P:1,2:R:%s request, with \"parts\"");
	SEATS(&second, 7, 8);
	cr_assert_eq(acquire(&second), SEAT_LOCK_TAKEN);
	release(&first);
	repeat = second;
	repeat.lock.owner = &repeat;
	repeat.lock.request_id = "another";
	cr_assert_eq(acquire(&repeat), SEAT_LOCK_REPLAY);
	cr_expect_str_eq(repeat.lock.refused_request_id, second.lock.request_id);
	cr_assert_eq(repeat.lock.refused_count, 1);
	cr_expect_eq(repeat.lock.refused_ids[0], 8);
	cr_expect_arr_eq(&repeat.lock.refused_body, &second.lock.body, sizeof second.lock.body);
	cr_expect(is_free(7) && is_free(8));
}

Test(lock, another_body_under_the_key_shows)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&first, 1);
	cr_assert_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_TAKEN);
	struct digest body = second.lock.body;
	second.lock.body.bytes[0] ^= 1;
	cr_assert_eq(acquire(&second), SEAT_LOCK_REPLAY);
	cr_expect_arr_eq(&second.lock.refused_body, &body, sizeof body);
	cr_expect(memcmp(&second.lock.refused_body, &second.lock.body, sizeof body) != 0);
}

Test(lock, a_known_key_goes_to_postgresql_whatever_its_pass)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	occupy(&buyer, 1);
	buyer.lock.pass_bad = true;
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_KEY_KNOWN);
}

Test(lock, own_locks_count_as_free)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	occupy(&buyer, 1);
	ASK(&rig, "DEL", idem_key(&buyer));
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_OURS);
}

Test(lock, a_lock_lapses_by_itself)
{
	struct buyer first, second;
	open_locks(1, 100, 0);
	occupy(&first, 1);
	cr_assert(between(life_ms(lock_key(0, 1)), -2, 100));
	uint64_t end_us = clock_mono_us_now() + 10 * 1000 * 1000;
	while (!is_free(1))
		cr_assert(clock_mono_us_now() < end_us);
	cr_expect_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_OURS);
}

/* --- passes --- */

static void give_pass(uint64_t nonce, int64_t life)
{
	char pass[96], user[16];
	ASK(&rig, "EVAL", "local t = redis.call('TIME') return t[1] * 1000", "0");
	snprintf(pass, sizeof pass, "%" PRIu64 ":137438953473:%" PRId64 ":1", nonce,
		rig.number + life);
	snprintf(user, sizeof user, "%d", USER);
	ASK(&rig, "HSET", event_key("pass"), user, pass);
}

static enum seat_lock_result acquire_with_pass(struct buyer *buyer, uint64_t nonce)
{
	buyer->lock.need_pass = true;
	buyer->lock.pass_nonce = nonce;
	return acquire(buyer);
}

Test(lock, only_the_live_pass_opens_the_door)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	buyer_new(&buyer, 1);
	cr_expect_eq(acquire_with_pass(&buyer, 5), SEAT_LOCK_NO_PASS, "there is none");
	give_pass(UINT64_MAX, 60000);
	cr_expect_eq(acquire_with_pass(&buyer, 5), SEAT_LOCK_NO_PASS, "another nonce");
	give_pass(UINT64_MAX, -60000);
	cr_expect_eq(acquire_with_pass(&buyer, UINT64_MAX), SEAT_LOCK_NO_PASS, "it has expired");
	give_pass(UINT64_MAX, 60000);
	buyer.lock.pass_bad = true;
	cr_expect_eq(acquire_with_pass(&buyer, UINT64_MAX), SEAT_LOCK_NO_PASS, "said to be bad");
	cr_expect(is_free(1), "a refusal for the pass locks nothing");
	ASK(&rig, "EXISTS", idem_key(&buyer));
	cr_expect_eq(rig.number, 0, "nor is it kept");
	buyer.lock.pass_bad = false;
	cr_expect_eq(acquire_with_pass(&buyer, UINT64_MAX), SEAT_LOCK_OURS);
}

Test(lock, the_pass_is_judged_before_the_seats)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&first, 1);
	cr_expect_eq(acquire_with_pass(buyer_new(&second, 1), 5), SEAT_LOCK_NO_PASS);
}

/* --- what Redis may not know --- */

static void set_keys_since(int64_t ago_ms)
{
	char since[32];
	ASK(&rig, "EVAL", "local t = redis.call('TIME') return t[1] * 1000", "0");
	snprintf(since, sizeof since, "%" PRId64, rig.number - ago_ms);
	ASK(&rig, "HSET", event_key("meta"), "keys_since", since);
}

Test(lock, a_young_redis_asks_postgresql_for_the_key)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	occupy(&first, 1);
	buyer_new(&second, 1);
	cr_expect_eq(acquire(&second), SEAT_LOCK_LOOK_UP, "nobody told it anything");
	seat_lock_keys_since(locks[0], event, false);
	cr_expect_eq(acquire(&second), SEAT_LOCK_LOOK_UP, "it knows them since now");
	knows_all_keys();
	cr_expect_eq(acquire(&second), SEAT_LOCK_LOOK_UP, "the first word stands");
	set_keys_since(86390000);
	cr_expect_eq(acquire(&second), SEAT_LOCK_LOOK_UP, "almost a day old");
	second.lock.need_pass = true;
	cr_expect_eq(acquire(&second), SEAT_LOCK_LOOK_UP, "the key may stand for a reply");
	ASK(&rig, "EXISTS", idem_key(&second));
	cr_expect_eq(rig.number, 0);
	second.lock.key_is_new = true;
	cr_expect_eq(acquire(&second), SEAT_LOCK_NO_PASS);
	second.lock.need_pass = false;
	cr_expect_eq(acquire(&second), SEAT_LOCK_TAKEN, "PostgreSQL said that it is new");
}

Test(lock, a_redis_that_knows_all_keys_refuses_at_once)
{
	struct buyer first, second, third;
	open_locks(1, LOCKING_MS, 0);
	occupy(&first, 1);
	knows_all_keys();
	seat_lock_keys_since(locks[0], event, false);
	cr_expect_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_TAKEN);
	set_keys_since(86410000);
	cr_expect_eq(acquire(buyer_new(&third, 1)), SEAT_LOCK_TAKEN, "older than any key");
}

Test(lock, a_new_generation_binds_nobody)
{
	struct buyer first, refused, second, third;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&first, 1);
	cr_assert_eq(acquire(buyer_new(&refused, 1)), SEAT_LOCK_TAKEN);
	seat_lock_new_generation(locks[0], event);
	cr_expect_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_OURS);
	cr_expect(
		strncmp(ASK(&rig, "GET", lock_key(1, 1)), second.owner, DIGEST_HEX_SIZE - 1) == 0);
	cr_expect(marker_is(1, first.owner, 'L'), "the older marker is left to lapse");
	release(&first);
	cr_expect(marker_is(1, first.owner, 'L'));

	cr_expect_eq(acquire(buyer_new(&third, 1)), SEAT_LOCK_LOOK_UP, "keys went past Redis");
	cr_expect_eq(acquire(&refused), SEAT_LOCK_LOOK_UP, "its refusal may be a late one");
	refused.lock.key_is_new = true;
	cr_expect_eq(acquire(&refused), SEAT_LOCK_REPLAY);
}

Test(lock, a_hold_is_the_answer_to_its_key)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&first, 1);
	cr_assert_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_TAKEN);
	hold(&second, 60000);
	cr_expect_eq(acquire(&second), SEAT_LOCK_KEY_KNOWN);
}

/* --- who may change a marker --- */

Test(lock, a_held_marker_ends_before_its_hold)
{
	struct buyer buyer, brief;
	open_locks(1, LOCKING_MS, 0);
	occupy(&buyer, 1);
	hold(&buyer, 300000);
	cr_expect(marker_is(1, buyer.owner, 'H'));
	cr_expect(between(life_ms(lock_key(0, 1)), 280000, 299000));
	hold(&buyer, 5000);
	cr_expect(between(life_ms(lock_key(0, 1)), 1, 4500));
	buyer_new(&brief, 2);
	hold(&brief, -5);
	uint64_t end_us = clock_mono_us_now() + 10 * 1000 * 1000;
	while (!is_free(2))
		cr_assert(clock_mono_us_now() < end_us);
}

Test(lock, hold_and_sold_mark_seats_that_nobody_has)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	buyer_new(&buyer, 1);
	hold(&buyer, 60000);
	cr_expect(marker_is(1, buyer.owner, 'H'));
	sold(&buyer);
	cr_expect(marker_is(1, buyer.owner, 'S'));
	cr_expect(between(life_ms(lock_key(0, 1)), 50000, 60000));
	seat_lock_sold(locks[0], event, &(int64_t){2}, 1, NULL);
	cr_expect(marker_is(2, "-", 'S'));
	cr_expect(between(life_ms(lock_key(0, 2)), 50000, 60000));
}

/* A refund frees seats that somebody else was told are sold. */
Test(lock, release_drops_what_is_sold_in_nobody_s_name)
{
	struct buyer buyer, other;
	open_locks(1, LOCKING_MS, 0);
	buyer_new(&buyer, 1);
	seat_lock_sold(locks[0], event, &(int64_t){1}, 1, NULL);
	release(&buyer);
	cr_expect(is_free(1));
	buyer_new(&other, 1);
	sold(&other);
	release(&buyer);
	cr_expect(marker_is(1, other.owner, 'S'));
}

Test(lock, a_stranger_changes_nothing)
{
	struct buyer owner, stranger;
	open_locks(1, 60000, 0);
	occupy(&owner, 1);
	buyer_new(&stranger, 1);
	stranger.lock.key = owner.lock.key;
	stranger.lock.key.bytes[DIGEST_SIZE - 1] ^= 1; /* nearly the same */
	ASK(&rig, "PEXPIRE", lock_key(0, 1), "30000");
	release(&stranger);
	sold(&stranger);
	extend(&stranger);
	seat_lock_sold(locks[0], event, &(int64_t){1}, 1, NULL);
	cr_expect(marker_is(1, owner.owner, 'L'));
	cr_expect(between(life_ms(lock_key(0, 1)), 1, 30000));
}

/* PostgreSQL gave him seats that he had not locked here: whoever is just locking one will be refused. */
Test(lock, a_hold_replaces_what_others_are_deciding_and_no_more)
{
	struct buyer deciding, held, gone, chosen, late;
	open_locks(1, 60000, 0);
	knows_all_keys();
	occupy(&deciding, 1);
	occupy(&held, 2);
	hold(&held, 60000);
	occupy(&gone, 3);
	sold(&gone);
	buyer_init(&chosen, "chosen");
	SEATS(&chosen, 1, 2, 3, 4);
	hold(&chosen, 60000);
	cr_expect(marker_is(1, chosen.owner, 'H'));
	cr_expect(marker_is(2, held.owner, 'H'));
	cr_expect(marker_is(3, gone.owner, 'S'));
	cr_expect(marker_is(4, chosen.owner, 'H'));
	release(&deciding);
	cr_expect(marker_is(1, chosen.owner, 'H'), "the loser gives nothing back");
	cr_expect_eq(acquire(buyer_new(&late, 1)), SEAT_LOCK_TAKEN);
}

Test(lock, without_seats_the_key_and_the_pass_are_judged)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	buyer_init(&buyer, "buyer");
	buyer.lock.seat_count = 0;
	buyer.lock.pass_bad = true;
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_NO_PASS);
	buyer.lock.pass_bad = false;
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_OURS);
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_KEY_KNOWN);
}

Test(lock, release_gives_back_what_is_ours_and_no_more)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 0);
	occupy(&second, 3);
	buyer_init(&first, "first");
	SEATS(&first, 1, 2);
	cr_assert_eq(acquire(&first), SEAT_LOCK_OURS);
	hold(&first, 60000);
	SEATS(&first, 1, 2, 3, 4);
	release(&first);
	cr_expect(is_free(1) && is_free(2), "held ones too");
	cr_expect(marker_is(3, second.owner, 'L'));
}

Test(lock, extend_prolongs_only_what_is_being_decided)
{
	struct buyer deciding, held;
	open_locks(1, 60000, 0);
	occupy(&deciding, 1);
	occupy(&held, 2);
	hold(&held, 20000);
	ASK(&rig, "PEXPIRE", lock_key(0, 1), "10000");
	extend(&deciding);
	extend(&held);
	cr_expect(between(life_ms(lock_key(0, 1)), 50000, 60000));
	cr_expect(between(life_ms(lock_key(0, 2)), 1, 20000));
}

/* --- crowds, over four connections --- */

static bool all_answered(const void *context)
{
	const struct buyer *buyers = context;
	for (unsigned i = 0; i < CROWD; i++)
		if (!buyers[i].answered)
			return false;
	return true;
}

static void acquire_all(struct buyer *buyers)
{
	for (unsigned i = 0; i < CROWD; i++)
		begin(&buyers[i], i % RIG_CONNECTIONS);
	rig_run_until(&rig, all_answered, buyers);
	for (unsigned i = 0; i < CROWD; i++)
		cr_expect_eq(buyers[i].answers, 1);
}

static unsigned count_results(const struct buyer *buyers, enum seat_lock_result result)
{
	unsigned count = 0;
	for (unsigned i = 0; i < CROWD; i++)
		count += buyers[i].result == result;
	return count;
}

/* Seats of this buyer's request that carry his mark. */
static size_t seats_owned(const struct buyer *buyer)
{
	size_t owned = 0;
	for (size_t i = 0; i < buyer->lock.seat_count; i++)
		owned += marker_is(buyer->lock.seat_ids[i], buyer->owner, 'L');
	return owned;
}

Test(lock, overlapping_sets_are_never_had_in_part)
{
	enum { SEAT_COUNT = 30 };
	static struct buyer buyers[CROWD];
	open_locks(RIG_CONNECTIONS, 60000, 0);
	knows_all_keys();
	rig_settle(&rig);
	for (unsigned i = 0; i < CROWD; i++) {
		buyer_init(&buyers[i], "crowd");
		int64_t first = randombytes_uniform(SEAT_COUNT), step = 1 + randombytes_uniform(9);
		SEATS(&buyers[i], first, (first + step) % SEAT_COUNT,
			(first + 2 * step) % SEAT_COUNT);
	}
	acquire_all(buyers);
	unsigned ours = count_results(buyers, SEAT_LOCK_OURS);
	cr_expect(ours > 0 && ours <= SEAT_COUNT / 3);
	cr_expect_eq(count_results(buyers, SEAT_LOCK_TAKEN), CROWD - ours);
	for (unsigned i = 0; i < CROWD; i++)
		cr_expect_eq(seats_owned(&buyers[i]), buyers[i].result == SEAT_LOCK_OURS ? 3 : 0);
}

Test(lock, one_seat_has_one_owner)
{
	static struct buyer buyers[CROWD];
	open_locks(RIG_CONNECTIONS, LOCKING_MS, 0);
	knows_all_keys();
	rig_settle(&rig);
	for (unsigned i = 0; i < CROWD; i++)
		buyer_new(&buyers[i], 1);
	acquire_all(buyers);
	cr_expect_eq(count_results(buyers, SEAT_LOCK_OURS), 1);
	cr_expect_eq(count_results(buyers, SEAT_LOCK_TAKEN), CROWD - 1);
}

Test(lock, a_refusal_is_kept_once_for_all_repeats)
{
	static struct buyer buyers[CROWD];
	static char request_ids[CROWD][16];
	struct buyer holder;
	const char *first = NULL;
	open_locks(RIG_CONNECTIONS, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&holder, 1);
	for (unsigned i = 0; i < CROWD; i++) {
		snprintf(request_ids[i], sizeof request_ids[i], "request-%u", i);
		buyer_new(&buyers[i], 1);
		buyers[i].lock.key = buyers[0].lock.key;
		buyers[i].lock.body = buyers[0].lock.body;
		buyers[i].lock.request_id = request_ids[i];
	}
	acquire_all(buyers);
	cr_assert_eq(count_results(buyers, SEAT_LOCK_TAKEN), 1);
	cr_assert_eq(count_results(buyers, SEAT_LOCK_REPLAY), CROWD - 1);
	for (unsigned i = 0; i < CROWD; i++)
		if (buyers[i].result == SEAT_LOCK_TAKEN)
			first = request_ids[i];
	for (unsigned i = 0; i < CROWD; i++)
		cr_expect_str_eq(buyers[i].lock.refused_request_id, first);
}

Test(lock, one_of_many_repeats_gets_the_seat)
{
	static struct buyer buyers[CROWD];
	open_locks(RIG_CONNECTIONS, LOCKING_MS, 0);
	for (unsigned i = 0; i < CROWD; i++) {
		buyer_new(&buyers[i], 1);
		buyers[i].lock.key = buyers[0].lock.key;
	}
	acquire_all(buyers);
	cr_expect_eq(count_results(buyers, SEAT_LOCK_OURS), 1);
	cr_expect_eq(count_results(buyers, SEAT_LOCK_KEY_KNOWN), CROWD - 1);
}

enum { MANY = 3000 }; /* three times what a connection here takes at once */

static bool many_answered(const void *context)
{
	const struct buyer *buyers = context;
	for (unsigned i = 0; i < MANY; i++)
		if (!buyers[i].answered)
			return false;
	return true;
}

Test(lock, a_crowd_is_asked_for_in_turn)
{
	static struct buyer buyers[MANY];
	unsigned ours = 0, taken = 0;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	for (unsigned i = 0; i < MANY; i++)
		begin(buyer_new(&buyers[i], 1), 0);
	rig_run_until(&rig, many_answered, buyers);
	for (unsigned i = 0; i < MANY; i++) {
		ours += buyers[i].result == SEAT_LOCK_OURS;
		taken += buyers[i].result == SEAT_LOCK_TAKEN;
	}
	cr_expect(buyers[0].result == SEAT_LOCK_OURS, "who came first");
	cr_expect(ours == 1 && taken == MANY - 1, "%u, %u", ours, taken);
}

static bool tried_twice(const void *context)
{
	const struct buyer *buyer = context;
	return buyer->lock.tries >= 2;
}

Test(lock, it_is_known_how_many_pass)
{
	static struct buyer buyers[MANY];
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	cr_expect(seat_locks_passed_percent(locks[0]) == 100);
	for (unsigned i = 0; i < MANY; i++)
		begin(buyer_new(&buyers[i], 1), 0);
	cr_expect(seat_locks_passed_percent(locks[0]) == 100, "nobody has an answer yet");
	rig_run_until(&rig, many_answered, buyers);
	cr_expect(seat_locks_passed_percent(locks[0]) == 0);
	for (unsigned i = 0; i < MANY; i++)
		begin(buyer_new(&buyers[i], 2 + i), 0);
	rig_run_until(&rig, many_answered, buyers);
	cr_expect(seat_locks_passed_percent(locks[0]) == 100);
}

Test(lock, who_waits_for_a_seat_does_not_pass)
{
	struct buyer first, second;
	open_locks(1, LOCKING_MS, 60000);
	knows_all_keys();
	occupy(&first, 1);
	begin(buyer_new(&second, 1), 0);
	rig_run_until(&rig, tried_twice, &second);
	cr_expect(seat_locks_passed_percent(locks[0]) < 100);
	release(&first);
	rig_run_until_set(&rig, &second.answered);
	cr_expect_eq(second.result, SEAT_LOCK_OURS);
}

/* --- waiting --- */

Test(lock, a_waiting_buyer_gets_the_seat_when_it_is_released)
{
	struct buyer first, second;
	open_locks(1, 60000, 10000);
	knows_all_keys();
	occupy(&first, 1);
	begin(buyer_new(&second, 1), 0);
	rig_run_until(&rig, tried_twice, &second);
	cr_assert_not(second.answered);
	ASK(&rig, "EXISTS", idem_key(&second));
	cr_expect_eq(rig.number, 0, "nothing is kept meanwhile");
	release(&first);
	rig_run_until_set(&rig, &second.answered);
	cr_expect_eq(second.result, SEAT_LOCK_OURS);
	cr_expect(marker_is(1, second.owner, 'L'));
}

Test(lock, a_waiting_buyer_loses_when_the_seat_is_held)
{
	struct buyer first, second;
	open_locks(1, 60000, 10000);
	knows_all_keys();
	occupy(&first, 1);
	begin(buyer_new(&second, 1), 0);
	rig_run_until(&rig, tried_twice, &second);
	hold(&first, 60000);
	rig_run_until_set(&rig, &second.answered);
	cr_expect_eq(second.result, SEAT_LOCK_TAKEN);
}

Test(lock, a_wait_is_bounded)
{
	struct buyer first, second;
	open_locks(1, 60000, 150);
	knows_all_keys();
	occupy(&first, 1);
	uint64_t begun_us = clock_mono_us_now();
	cr_expect_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_TAKEN);
	cr_expect(clock_mono_us_now() - begun_us >= 149 * 1000);
	cr_expect(second.lock.tries > 1);
}

Test(lock, only_seats_that_are_being_locked_are_waited_for)
{
	struct buyer deciding, held, second;
	open_locks(1, 60000, 10000);
	knows_all_keys();
	occupy(&deciding, 1);
	occupy(&held, 2);
	hold(&held, 60000);
	buyer_init(&second, "second");
	SEATS(&second, 1, 2);
	cr_expect_eq(acquire(&second), SEAT_LOCK_TAKEN);
	cr_expect_eq(second.lock.tries, 1);
}

Test(lock, who_still_waits_at_the_end_is_told)
{
	struct buyer first, second;
	open_locks(1, 60000, 10000);
	occupy(&first, 1);
	begin(buyer_new(&second, 1), 0);
	rig_run_until(&rig, tried_twice, &second);
	rig_close_redis(&rig);
	seat_locks_free(locks[0]);
	locks[0] = NULL;
	cr_expect(second.answered);
	cr_expect_eq(second.answers, 1);
	cr_expect_eq(second.result, SEAT_LOCK_AWAY);
}

/* --- many in one call --- */

static bool both_answered(const void *context)
{
	const struct buyer *buyers = context;
	return buyers[0].answered && buyers[1].answered;
}

static void acquire_both(struct buyer buyers[2])
{
	begin(&buyers[0], 0);
	begin(&buyers[1], 0);
	rig_run_until(&rig, both_answered, buyers);
}

Test(lock, the_next_of_a_call_finds_the_seat_taken)
{
	struct buyer buyers[2];
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	rig_settle(&rig);
	buyer_new(&buyers[0], 1);
	buyer_init(&buyers[1], "second");
	SEATS(&buyers[1], 2, 1);
	acquire_both(buyers);
	cr_expect(buyers[0].result == SEAT_LOCK_OURS && buyers[1].result == SEAT_LOCK_TAKEN);
	cr_expect(buyers[1].lock.refused_count == 1 && buyers[1].lock.refused_ids[0] == 1);
	cr_expect(is_free(2));
	cr_expect_eq(acquire(&buyers[1]), SEAT_LOCK_REPLAY);
}

Test(lock, the_next_of_a_call_finds_the_key_known)
{
	struct buyer buyers[2], holder;
	open_locks(1, LOCKING_MS, 0);
	knows_all_keys();
	occupy(&holder, 9);
	buyer_new(&buyers[0], 1);
	buyer_new(&buyers[1], 1);
	buyers[1].lock.key = buyers[0].lock.key;
	acquire_both(buyers);
	cr_expect(buyers[0].result == SEAT_LOCK_OURS && buyers[1].result == SEAT_LOCK_KEY_KNOWN);
	buyer_new(&buyers[0], 9);
	buyer_new(&buyers[1], 9);
	buyers[1].lock.key = buyers[0].lock.key;
	acquire_both(buyers);
	cr_expect(buyers[0].result == SEAT_LOCK_TAKEN && buyers[1].result == SEAT_LOCK_REPLAY);
	cr_expect_str_eq(buyers[1].lock.refused_request_id, "request");
}

Test(lock, requests_of_different_events_do_not_meet)
{
	struct buyer buyers[2];
	open_locks(1, LOCKING_MS, 0);
	buyer_new(&buyers[0], 1);
	buyer_new(&buyers[1], 1);
	buyers[1].lock.event_id = event - 1;
	acquire_both(buyers);
	cr_expect(buyers[0].result == SEAT_LOCK_OURS && buyers[1].result == SEAT_LOCK_OURS);
}

/* More than one call takes: of each four that meet at a seat the first has all that he asked for. */
Test(lock, many_of_a_hundred_seats_each)
{
	static struct buyer buyers[CROWD];
	open_locks(1, 60000, 0);
	knows_all_keys();
	rig_settle(&rig);
	for (unsigned i = 0; i < CROWD; i++) {
		buyer_init(&buyers[i], "crowd");
		buyers[i].lock.seat_count = i % 2 ? SEAT_LOCK_MAX : 1;
		for (size_t seat = 0; seat < buyers[i].lock.seat_count; seat++)
			buyers[i].lock.seat_ids[seat] = (int64_t)(i / 4 * 1000 + seat + 1);
		begin(&buyers[i], 0);
	}
	rig_run_until(&rig, all_answered, buyers);
	for (unsigned i = 0; i < CROWD; i++)
		cr_assert_eq(buyers[i].result, i % 4 == 0 ? SEAT_LOCK_OURS : SEAT_LOCK_TAKEN);
}

Test(lock, what_is_said_of_a_seat_is_heard_in_that_order)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	occupy(&buyer, 1);
	release(&buyer);
	hold(&buyer, 60000);
	cr_expect(marker_is(1, buyer.owner, 'H'));
	hold(&buyer, 60000);
	release(&buyer);
	cr_expect(is_free(1));
}

Test(lock, more_marks_than_a_call_takes)
{
	enum { MARKS = 700, SEATS_A_MARK = 3 };
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	for (int64_t i = 0; i < MARKS; i++) {
		buyer_init(&buyer, "request");
		SEATS(&buyer, 3 * i, 3 * i + 1, 3 * i + 2);
		hold(&buyer, 60000);
	}
	rig_settle(&rig);
	for (int64_t i = 0; i < MARKS * SEATS_A_MARK; i++)
		cr_assert(!is_free(i), "seat %" PRId64, i);
	cr_expect(marker_is(MARKS * SEATS_A_MARK - 1, buyer.owner, 'H'));
}

/* --- no Redis --- */

Test(lock, without_redis_postgresql_decides_alone)
{
	struct buyer buyer;
	struct seat_lock_settings settings = {.locking_ms = LOCKING_MS, .wait_ms = 1000};
	rig_open_at(&rig, 1, "none", 500);
	rig.locks[0] = locks[0] = seat_locks_new(rig.base, rig.redis[0], &settings);
	event = rig_random_id();
	cr_expect_eq(acquire(buyer_new(&buyer, 1)), SEAT_LOCK_AWAY);
	release(&buyer);
	hold(&buyer, 1000);
}

Test(lock, an_error_of_redis_is_as_if_it_were_away)
{
	struct buyer buyer;
	open_locks(1, LOCKING_MS, 0);
	buyer_new(&buyer, 1);
	ASK(&rig, "SET", event_key("meta"), "not a hash");
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_AWAY);
	cr_expect_str_eq(ASK(&rig, "GET", idem_key(&buyer)), "");
	cr_expect(is_free(1));
}

/* Its deadline is over for the first of them; the others are not asked for one after the other. */
Test(lock, a_crowd_does_not_wait_for_a_frozen_redis)
{
	static struct buyer buyers[MANY];
	struct seat_lock_settings settings = {.locking_ms = 60000};
	own_redis_start();
	rig_open_at(&rig, 1, own.url, 300);
	rig.locks[0] = locks[0] = seat_locks_new(rig.base, rig.redis[0], &settings);
	event = rig_random_id();
	kill(own.pid, SIGSTOP);
	for (unsigned i = 0; i < MANY; i++)
		begin(buyer_new(&buyers[i], 1), 0);
	uint64_t begun_us = clock_mono_us_now();
	rig_run_until(&rig, many_answered, buyers);
	cr_expect_lt(clock_mono_us_now() - begun_us, 5000000);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert(buyers[i].result == SEAT_LOCK_AWAY && buyers[i].answers == 1);
	kill(own.pid, SIGCONT);
}

Test(lock, a_refusal_that_comes_too_late_is_not_kept)
{
	struct buyer first, second;
	struct seat_lock_settings settings = {.locking_ms = 60000};
	own_redis_start();
	rig_open_at(&rig, 1, own.url, 2000);
	rig.locks[0] = locks[0] = seat_locks_new(rig.base, rig.redis[0], &settings);
	event = rig_random_id();
	knows_all_keys();
	occupy(&first, 1);
	kill(own.pid, SIGSTOP);
	cr_expect_eq(acquire(buyer_new(&second, 1)), SEAT_LOCK_AWAY);
	kill(own.pid, SIGCONT);
	rig_settle(&rig);
	cr_expect_str_eq(ASK(&rig, "GET", idem_key(&second)), "P");
}
