/* Seat locks on several Redis that know nothing of each other: what most of them say, what becomes of a few that are
 * killed or frozen, and what of most of them. Each test has its nodes to itself; keys and passes are in the Redis of
 * the test run. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "lock/redlock.h"
#include "lock/seat_lock.h"
#include "proto/base/clock.h"
#include "tests/live/locking.h"
#include "tests/support/crowd.h"
#include "tests/support/deadlocks.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

enum { NODES = 3, LOCKING_MS = 10000, LIMIT_MS = 15000 };

/* --- nodes, and the locks on them --- */

static struct rig rig;
static struct redis_process nodes[NODES];
static redisContext *connections[NODES];
static struct redlock *redlock;
static struct seat_locks *locks;
static int64_t event;

static bool all_nodes_up(const void *context)
{
	(void)context;
	return redlock_nodes_up(redlock) == NODES;
}

static void open_nodes(char urls[NODES * 128])
{
	char folder[REDIS_PATH_SIZE];

	urls[0] = '\0';
	for (unsigned i = 0; i < NODES; i++) {
		snprintf(folder, sizeof folder, "%s/redlock-XXXXXX", need_env("TMPDIR"));
		cr_assert(mkdtemp(folder) != NULL, "%s cannot be made", folder);
		redis_process_open(&nodes[i], folder);
		connections[i] = redis_process_connect(&nodes[i]);
		snprintf(urls + strlen(urls), 128, "%s%s", i > 0 ? ", " : "", nodes[i].url);
	}
}

static void open_locks(unsigned life_ms, unsigned deadline_ms, unsigned wait_ms)
{
	char urls[NODES * 128], why[256];

	rig_open(&rig, 1);
	event = rig_random_id();
	open_nodes(urls);
	struct redlock_settings settings = {
		.urls = urls, .node = {NULL, deadline_ms, 1000, 5, 100}, .life_ms = life_ms};
	redlock = rig.redlock = redlock_new(rig.base, &settings, why, sizeof why);
	cr_assert_not_null(redlock, "%s", why);
	struct seat_lock_settings lock_settings = {
		.locking_ms = life_ms, .wait_ms = wait_ms, .redlock = redlock};
	rig.locks[0] = locks = seat_locks_new(rig.base, rig.redis[0], &lock_settings);
	rig_run_until(&rig, all_nodes_up, NULL);
	seat_lock_keys_since(locks, event, true);
}

static void close_locks(void)
{
	if (rig.base == NULL)
		return;
	redlock_free(redlock);
	rig.redlock = NULL;
	rig_close_redis(&rig);
	seat_locks_free(locks);
	rig_close(&rig);
	for (unsigned i = 0; i < NODES; i++) {
		redisFree(connections[i]);
		if (nodes[i].pid != 0)
			redis_process_kill(&nodes[i]);
	}
}

static const char *lock_key(int64_t seat_id)
{
	static char key[128];

	snprintf(key, sizeof key, "onsale:{%" PRId64 "}:lock:0:%" PRId64, event, seat_id);
	return key;
}

/* A blocking command to a node itself: the reply's text, "" for nil. */
static const char *ask_node(unsigned node, const char *format, const char *key, const char *value)
{
	static char text[128];
	redisReply *reply = redisCommand(connections[node], format, key, value);

	cr_assert_not_null(reply, "node %u does not answer", node);
	snprintf(text, sizeof text, "%s", reply->str != NULL ? reply->str : "");
	freeReplyObject(reply);
	return text;
}

static void plant(unsigned node, int64_t seat_id, const char *marker)
{
	ask_node(node, "SET %s %s PX 60000", lock_key(seat_id), marker);
}

static bool marker_is(unsigned node, int64_t seat_id, const char *marker)
{
	return strcmp(ask_node(node, "GET %s", lock_key(seat_id), NULL), marker) == 0;
}

/* --- a buyer --- */

struct buyer {
	struct seat_lock lock;
	bool answered;
	enum seat_lock_result result;
	char locking[DIGEST_HEX_SIZE + 2], held[DIGEST_HEX_SIZE + 2]; /* markers */
};

static void buyer_done(struct seat_lock *lock, enum seat_lock_result result)
{
	struct buyer *buyer = lock->owner;

	buyer->result = result;
	buyer->answered = true;
}

static enum seat_lock_result acquire(struct buyer *buyer)
{
	buyer->answered = false;
	seat_lock_acquire(locks, &buyer->lock);
	cr_assert_not(buyer->answered, "done was called before the submitting call returned");
	rig_run_until_set(&rig, &buyer->answered);
	return buyer->result;
}

static struct buyer *buyer_new(struct buyer *buyer, int64_t first_seat, size_t count)
{
	char owner[DIGEST_HEX_SIZE];

	*buyer = (struct buyer){.lock = {.done = buyer_done,
					.owner = buyer,
					.event_id = event,
					.user_id = 7,
					.seat_count = count,
					.request_id = "request"}};
	for (size_t i = 0; i < count; i++)
		buyer->lock.seat_ids[i] = first_seat + (int64_t)i;
	randombytes_buf(&buyer->lock.key, sizeof buyer->lock.key);
	randombytes_buf(&buyer->lock.body, sizeof buyer->lock.body);
	digest_hex(&buyer->lock.key, owner);
	snprintf(buyer->locking, sizeof buyer->locking, "%s:L", owner);
	snprintf(buyer->held, sizeof buyer->held, "%s:H", owner);
	return buyer;
}

static bool nothing_pending(const void *context)
{
	(void)context;
	return redlock_pending(redlock) == 0 && redis_pending(rig.redis[0]) == 0;
}

static void settle(void)
{
	seat_locks_turn(locks);
	rig_run_until(&rig, nothing_pending, NULL);
}

TestSuite(redlock, .timeout = 120, .fini = close_locks);

/* --- all nodes are there --- */

Test(redlock, free_seats_are_ours_on_each_node)
{
	struct buyer buyer;

	open_locks(LOCKING_MS, 2000, 0);
	cr_assert_eq(acquire(buyer_new(&buyer, 1, 2)), SEAT_LOCK_OURS);
	settle();
	for (unsigned i = 0; i < NODES; i++)
		cr_expect(marker_is(i, 1, buyer.locking) && marker_is(i, 2, buyer.locking));
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_KEY_KNOWN);
	cr_expect_str_eq(ASK(&rig, "GET", lock_key(1)), "", "Redis has no lock");
}

Test(redlock, who_comes_later_is_refused_and_it_is_kept_under_his_key)
{
	struct buyer first, second;

	open_locks(LOCKING_MS, 2000, 0);
	cr_assert_eq(acquire(buyer_new(&first, 1, 2)), SEAT_LOCK_OURS);
	cr_assert_eq(acquire(buyer_new(&second, 2, 2)), SEAT_LOCK_TAKEN);
	cr_assert(second.lock.refused_count == 1 && second.lock.refused_ids[0] == 2);
	settle();
	for (unsigned i = 0; i < NODES; i++)
		cr_expect(marker_is(i, 3, ""), "his other seat is free");
	cr_assert_eq(acquire(&second), SEAT_LOCK_REPLAY);
	cr_expect(second.lock.refused_count == 1 && second.lock.refused_ids[0] == 2);
}

Test(redlock, only_its_owner_marks_extends_and_releases_a_lock)
{
	struct buyer buyer, other;
	const int64_t seat = 1;

	open_locks(LOCKING_MS, 2000, 0);
	cr_assert_eq(acquire(buyer_new(&buyer, seat, 1)), SEAT_LOCK_OURS);
	buyer_new(&other, seat, 1);
	settle();
	for (unsigned i = 0; i < NODES; i++)
		ask_node(i, "PEXPIRE %s %s", lock_key(seat), "5000");
	seat_lock_release(locks, event, &seat, 1, &other.lock.key);
	seat_lock_extend(locks, event, &seat, 1, &other.lock.key);
	settle();
	for (unsigned i = 0; i < NODES; i++) {
		redisReply *reply = redisCommand(connections[i], "PTTL %s", lock_key(seat));
		cr_expect(reply->integer > 0 && reply->integer <= 5000);
		freeReplyObject(reply);
	}
	seat_lock_extend(locks, event, &seat, 1, &buyer.lock.key);
	settle();
	for (unsigned i = 0; i < NODES; i++) {
		redisReply *reply = redisCommand(connections[i], "PTTL %s", lock_key(seat));
		cr_expect(reply->integer > 5000 && reply->integer <= LOCKING_MS);
		freeReplyObject(reply);
	}
	seat_lock_hold(locks, event, &seat, 1, &buyer.lock.key, 60000);
	settle();
	for (unsigned i = 0; i < NODES; i++)
		cr_expect(marker_is(i, seat, buyer.held));
	seat_lock_release(locks, event, &seat, 1, &buyer.lock.key);
	settle();
	for (unsigned i = 0; i < NODES; i++)
		cr_expect(marker_is(i, seat, ""));
}

/* --- nodes that disagree --- */

Test(redlock, what_one_node_says_alone_refuses_nobody)
{
	struct buyer buyer;

	open_locks(LOCKING_MS, 2000, 0);
	plant(1, 1, "0123:H");
	cr_assert_eq(acquire(buyer_new(&buyer, 1, 1)), SEAT_LOCK_OURS);
	settle();
	cr_expect(marker_is(0, 1, buyer.locking) && marker_is(2, 1, buyer.locking));
	cr_expect(marker_is(1, 1, "0123:H"), "what is another's is left to him");
}

Test(redlock, most_nodes_refuse_whatever_the_last_one_gave)
{
	struct buyer buyer;

	open_locks(LOCKING_MS, 2000, 0);
	plant(0, 1, "0123:H");
	plant(2, 1, "0123:H");
	cr_assert_eq(acquire(buyer_new(&buyer, 1, 1)), SEAT_LOCK_TAKEN);
	settle();
	cr_expect(marker_is(1, 1, ""), "what it gave is given back");
}

Test(redlock, where_nobody_has_most_of_them_postgresql_decides)
{
	struct buyer buyer;

	open_locks(LOCKING_MS, 2000, 0);
	plant(0, 1, "0123:L");
	plant(1, 1, "4567:L");
	cr_assert_eq(acquire(buyer_new(&buyer, 1, 1)), SEAT_LOCK_OURS);
	cr_expect_eq(redlock_stats(redlock)->split, 1);
	settle();
	cr_expect(marker_is(2, 1, ""), "what it gave is given back");
	cr_expect_eq(acquire(&buyer), SEAT_LOCK_KEY_KNOWN);
}

struct freeing {
	struct buyer *buyer;
	bool freed;
};

/* It has been tried at least twice by then. */
static bool tried_in_vain(const void *context)
{
	const struct freeing *freeing = context;

	cr_assert_not(freeing->buyer->answered);
	return redlock_stats(redlock)->split >= 2;
}

Test(redlock, a_split_vote_is_tried_again_as_long_as_a_hold_may_wait)
{
	struct buyer buyer;
	struct freeing freeing = {&buyer, false};

	open_locks(LOCKING_MS, 2000, 10000);
	plant(0, 1, "0123:L");
	plant(1, 1, "4567:L");
	buyer_new(&buyer, 1, 1);
	seat_lock_acquire(locks, &buyer.lock);
	rig_run_until(&rig, tried_in_vain, &freeing);
	ask_node(0, "DEL %s", lock_key(1), NULL);
	rig_run_until_set(&rig, &buyer.answered);
	cr_assert_eq(buyer.result, SEAT_LOCK_OURS);
	settle();
	cr_expect(marker_is(0, 1, buyer.locking) && marker_is(2, 1, buyer.locking));
}

/* --- nodes that are gone, or hang --- */

static uint64_t acquire_ms(struct buyer *buyer, enum seat_lock_result result)
{
	uint64_t begun_us = clock_mono_us_now();

	cr_assert_eq(acquire(buyer), result);
	return (clock_mono_us_now() - begun_us) / 1000;
}

Test(redlock, a_frozen_node_costs_nothing_and_one_killed_neither)
{
	struct buyer buyer, later;
	uint64_t most_ms = 0;

	open_locks(LOCKING_MS, 5000, 0);
	kill(nodes[1].pid, SIGSTOP);
	for (int64_t seat = 1; seat <= 20; seat++) {
		uint64_t took_ms = acquire_ms(buyer_new(&buyer, seat, 1), SEAT_LOCK_OURS);
		most_ms = took_ms > most_ms ? took_ms : most_ms;
		cr_assert(marker_is(0, seat, buyer.locking) && marker_is(2, seat, buyer.locking));
		cr_assert_eq(acquire(buyer_new(&later, seat, 1)), SEAT_LOCK_TAKEN);
	}
	cr_expect_lt(
		most_ms, 2500, "an acquire took %" PRIu64 " ms of a deadline of 5000", most_ms);
	redis_process_kill(&nodes[1]);
	for (int64_t seat = 21; seat <= 40; seat++) {
		cr_assert_eq(acquire(buyer_new(&buyer, seat, 1)), SEAT_LOCK_OURS);
		cr_assert_eq(acquire(buyer_new(&later, seat, 1)), SEAT_LOCK_TAKEN);
	}
	cr_expect_eq(redlock_stats(redlock)->away, 0);
}

static bool two_are_missed(const void *context)
{
	(void)context;
	return redlock_nodes_up(redlock) == 1;
}

Test(redlock, without_most_of_them_postgresql_decides)
{
	struct buyer buyer, later;

	open_locks(LOCKING_MS, 100, 0);
	kill(nodes[0].pid, SIGSTOP);
	kill(nodes[2].pid, SIGSTOP);
	cr_assert_eq(acquire(buyer_new(&buyer, 1, 1)), SEAT_LOCK_OURS);
	cr_assert_eq(acquire(buyer_new(&later, 1, 1)), SEAT_LOCK_OURS);
	cr_expect_eq(redlock_stats(redlock)->away, 2);
	cr_expect(marker_is(1, 1, ""), "what one node gave is given back");
	redis_process_kill(&nodes[0]);
	redis_process_kill(&nodes[2]);
	rig_run_until(&rig, two_are_missed, NULL);
	cr_expect_not(redlock_up(redlock));
	cr_assert_eq(acquire(buyer_new(&buyer, 2, 1)), SEAT_LOCK_OURS);
	cr_expect_eq(redlock_stats(redlock)->away, 3);
}

static bool is_missed(const void *context)
{
	(void)context;
	return redlock_nodes_up(redlock) == NODES - 1;
}

/* Killed with its AOF: it comes back with a marker whose release it has missed. */
Test(redlock, markers_of_a_node_that_was_away_bind_nobody)
{
	struct buyer first, second;
	const int64_t seat = 1;

	open_locks(LOCKING_MS, 2000, 0);
	cr_assert_eq(acquire(buyer_new(&first, seat, 1)), SEAT_LOCK_OURS);
	seat_lock_hold(locks, event, &seat, 1, &first.lock.key, 60000);
	settle();
	redis_process_stop(&nodes[0]);
	rig_run_until(&rig, is_missed, NULL);
	seat_lock_release(locks, event, &seat, 1, &first.lock.key);
	redis_process_start(&nodes[0]);
	rig_run_until(&rig, all_nodes_up, NULL);
	settle();
	redisFree(connections[0]);
	connections[0] = redis_process_connect(&nodes[0]);
	cr_assert(marker_is(0, seat, first.held), "the old marker is there still");
	plant(1, seat,
		first.held); /* were the old one still binding, most nodes would name its owner */
	cr_assert_eq(acquire(buyer_new(&second, seat, 1)), SEAT_LOCK_OURS);
	cr_expect_eq(redlock_stats(redlock)->split, 0);
}

static bool is_past(const void *context)
{
	return clock_mono_us_now() >= *(const uint64_t *)context;
}

/* All nodes say yes, but only when what they gave is as good as over. */
Test(redlock, a_lock_that_came_too_late_is_none)
{
	enum { LIFE_MS = 200 };
	struct buyer buyer;

	open_locks(LIFE_MS, 10000, 0);
	for (unsigned i = 0; i < NODES; i++)
		kill(nodes[i].pid, SIGSTOP);
	buyer_new(&buyer, 1, 1);
	seat_lock_acquire(locks, &buyer.lock);
	uint64_t thaw_us = clock_mono_us_now() + LIFE_MS * 1000;
	rig_run_until(&rig, is_past, &thaw_us);
	for (unsigned i = 0; i < NODES; i++)
		kill(nodes[i].pid, SIGCONT);
	rig_run_until_set(&rig, &buyer.answered);
	cr_expect_eq(buyer.result, SEAT_LOCK_OURS);
	cr_expect_eq(redlock_stats(redlock)->split, 1, "too old a lock was taken for one");
	settle();
	for (unsigned i = 0; i < NODES; i++)
		cr_expect(marker_is(i, 1, ""));
}

Test(redlock, wants_three_or_more_redis)
{
	static const char *const wrong[][2] = {
		{"", "needs 3, 5 or 7, not 0"},
		{"unix:///a,unix:///b", "needs 3, 5 or 7, not 2"},
		{"unix:///a,unix:///b,unix:///c,unix:///d", "needs 3, 5 or 7, not 4"},
		{"unix:///a,unix:///b,none", "none is no Redis"},
		{"unix:///a,unix:///b,http://c", "lock.redlock_urls, number 3"},
		{"unix:///a,unix:///b,unix:///c,unix:///d,unix:///e,unix:///f,unix:///g,unix:///h",
			"too many"},
	};
	char why[512];

	rig_open(&rig, 1);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct redlock_settings settings = {
			.urls = wrong[i][0], .node = {NULL, 50, 10, 5, 100}, .life_ms = 1000};
		cr_expect_null(redlock_new(rig.base, &settings, why, sizeof why));
		cr_expect_not_null(strstr(why, wrong[i][1]), "%s: %s", wrong[i][0], why);
	}
	rig_close(&rig);
}

/* --- in the middle of a race --- */

enum { BUYERS = 1000, SEATS = 60, SEATS_EACH = 2, MIDDLE = 400 };

/* What happens to nodes once the first has had so many commands. */
struct mishap {
	struct world *world;
	unsigned killed, frozen; /* how many, the first ones */
	pthread_t thread;
	atomic_bool done;
};

static long long commands_of(redisContext *node)
{
	redisReply *reply = redisCommand(node, "INFO stats");
	const char *line = reply != NULL && reply->str != NULL
				   ? strstr(reply->str, "total_commands_processed:")
				   : NULL;
	long long count = line != NULL ? strtoll(strchr(line, ':') + 1, NULL, 10) : -1;

	if (reply != NULL)
		freeReplyObject(reply);
	return count;
}

/* Asserts nothing: a failed assertion must end the test, on its own thread. */
static void *bring_about(void *context)
{
	struct mishap *mishap = context;
	struct redis_process *node = mishap->world->nodes;
	redisContext *first = redisConnectUnix(node->socket);
	long long count = 0, begin = first != NULL ? commands_of(first) : -1;

	/* Each look is a command, too. */
	for (long long looks = 0; begin >= 0 && count >= 0 && count < begin + looks + MIDDLE;
		looks++)
		count = commands_of(first);
	for (unsigned i = 0; i < mishap->killed; i++)
		kill(node[i].pid, SIGKILL);
	for (unsigned i = 0; i < mishap->frozen; i++)
		kill(node[mishap->killed + i].pid, SIGSTOP);
	atomic_store(&mishap->done, begin >= 0 && count > 0);
	redisFree(first);
	return NULL;
}

static void run_race(struct world *world, struct crowd *crowd, struct mishap *mishap)
{
	for (size_t i = 0; i < BUYERS; i++) {
		int64_t seat_ids[SEATS_EACH];
		for (size_t j = 0; j < SEATS_EACH; j++)
			seat_ids[j] = world->sale.seat_ids[(i * 7 + j * 11) % SEATS];
		struct call call = {.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[i].jwt,
			.key = "in-the-middle",
			.body = hold_body(world, &world->sale, seat_ids, SEATS_EACH)};
		crowd_add(crowd, &world->instances[i % world->options.instances], &call);
	}
	cr_assert(pthread_create(&mishap->thread, NULL, bring_about, mishap) == 0);
	crowd_run(crowd, 60000);
	cr_assert(pthread_join(mishap->thread, NULL) == 0);
	cr_assert(atomic_load(&mishap->done), "no node was watched, and none broke in the middle");
}

static double metric_sum(const struct world *world, const char *name)
{
	double sum = 0;

	for (unsigned i = 0; i < world->options.instances; i++)
		sum += instance_metric(&world->instances[i], name);
	return sum;
}

/* A hold on seats that are wanted by nobody else, while the nodes are as they are. */
static void check_serving(struct world *world)
{
	struct sale other;

	sale_open(world, &other, &(struct sale_options){.seats_per_row = 2});
	hold_seat(world, &other, &world->people.list[0], other.seat_ids[0], "afterwards");
	expect_at(world, 1,
		&(struct call){.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[1].jwt,
			.key = "too late",
			.body = hold_body(world, &other, other.seat_ids, 2)},
		409, "seat_unavailable");
	sale_close(&other);
}

/* killed and frozen in the middle; all other nodes stay. */
static void race(const struct world_options *options, unsigned killed, unsigned frozen)
{
	struct world *world = deadlocks_world_open(options);
	struct mishap mishap = {.world = world, .killed = killed, .frozen = frozen};
	struct crowd *crowd = crowd_new();

	world_fill(world, BUYERS, 0, &(struct sale_options){.seats_per_row = SEATS});
	run_race(world, crowd, &mishap);
	size_t won = crowd_count(crowd, 201, NULL),
	       lost = crowd_count(crowd, 409, "seat_unavailable");
	double away = metric_sum(world, "onsale_redlock_away_total"),
	       asked = metric_sum(world, "onsale_holds_lost_total");
	printf("%u of %u nodes killed, %u frozen: %zu held, %zu refused, %.0f of them by PostgreSQL; "
	       "%.0f had too few nodes; %llu ms\n",
		killed, options->redlock, frozen, won, lost, asked, away,
		(unsigned long long)crowd_took_ms(crowd));
	cr_assert(won > 0 && won + lost == BUYERS, "%zu held, %zu refused", won, lost);
	if (killed + frozen <= options->redlock / 2)
		cr_expect(away == 0, "%.0f had too few nodes", away);
	else
		cr_expect(away > 0, "they were never missed");
	check_serving(world);
	invariants_hold(&(struct invariants_input){.db = world->db});
	for (unsigned i = 0; i < killed + frozen; i++)
		redis_process_kill(&world->nodes[i]);
	deadlocks_check(world);
	crowd_free(crowd);
	world_close(world);
}

/* A machine that is busy must not look like a node that hangs: where most are there, none of them may be missed. */
#define PATIENCE "--lock.redlock_deadline_ms=1000"

Test(redlock, one_of_three_killed_in_the_middle)
{
	race(&(struct world_options){.instances = 2, .redlock = 3, .flags = {PATIENCE}}, 1, 0);
}

Test(redlock, one_killed_and_one_frozen_of_five)
{
	race(&(struct world_options){.instances = 2,
		     .redlock = 5,
		     .flags = {PATIENCE, "--seat.strategy=optimistic"}},
		1, 1);
}

Test(redlock, one_killed_and_one_frozen_of_three)
{
	race(&(struct world_options){.instances = 2, .redlock = 3}, 1, 1);
}

Test(redlock, two_of_three_killed_in_the_middle)
{
	race(
		&(struct world_options){
			.instances = 2, .redlock = 3, .flags = {"--seat.strategy=optimistic"}},
		2, 0);
}
