/* The connection to Redis, on a real one: commands and replies, scripts that were forgotten, and a Redis
 * that freezes, dies, and comes back. What breaks a Redis breaks one of the test's own. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "queue/queue.h"
#include "queue/scripts.h"
#include "tests/live/turns.h"
#include "tests/support/process.h"

static struct turns turns;
static struct own_redis own;

static void open_turns(void)
{
	turns_open(&turns);
}

static void close_turns(void)
{
	turns_close(&turns);
	if (own.folder[0])
		own_redis_close(&own);
}

TestSuite(redis, .init = open_turns, .fini = close_turns, .timeout = 60);

static struct node *open_own(const struct redis_settings *settings)
{
	own_redis_open(&own);
	struct node *node = turns_add(&turns, own.process.url, settings);
	turns_up(&turns);
	return node;
}

/* --- commands and replies --- */

Test(redis, replies_are_read_as_what_they_are)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	char key[64];
	turns_up(&turns);
	snprintf(key, sizeof key, "onsale-test:%lld", (long long)random_id());
	cr_expect_str_eq(ASK(&turns, node, "SET", key, "41", "EX", "60").text, "OK");
	cr_expect_eq(ASK(&turns, node, "INCR", key).number, 42);
	cr_expect_eq(ASK(&turns, node, "GET", key).number, 42, "text that is a number");
	cr_expect_eq(ASK(&turns, node, "STRLEN", key).number, 2);
	struct asked wrong = ASK(&turns, node, "LPUSH", key, "1");
	cr_expect_eq(wrong.result, DB_FAILED);
	cr_expect_eq(strncmp(wrong.text, "WRONGTYPE", 9), 0, "%s", wrong.text);
	cr_expect_eq(ASK(&turns, node, "DEL", key).number, 1);
	struct asked nil = ASK(&turns, node, "GET", key);
	cr_expect_eq(nil.result, DB_OK);
	cr_expect_str_eq(nil.text, "");
}

static bool list_seen;

static void read_list(void *context UNUSED, enum db_result result, const struct redis_value *value)
{
	size_t len;
	cr_assert_eq(result, DB_OK);
	cr_expect_eq(redis_len(value), 3);
	cr_expect_eq(redis_int(redis_at(value, 0)), INT64_C(-9007199254740993));
	cr_expect(memcmp(redis_text(redis_at(value, 1), &len), "a\0b", 3) == 0 && len == 3);
	cr_expect_str_eq(redis_text(redis_at(value, 2), &len), "");
	cr_expect_eq(len, 0);
	cr_expect_null(redis_at(value, 3));
	cr_expect(redis_is_nil(redis_at(value, 3)), "past the end reads as nil");
	cr_expect_eq(redis_len(redis_at(value, 0)), 0);
	list_seen = true;
}

Test(redis, arguments_are_sent_to_the_byte)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	REDIS_ARGS(args, 6);
	turns_up(&turns);
	redis_arg_text(&args, "EVAL");
	redis_arg_text(&args, "return {tonumber(ARGV[1]) and ARGV[1], ARGV[2], ARGV[3]}");
	redis_arg_i64(&args, 0);
	redis_arg_i64(&args, INT64_C(-9007199254740993));
	redis_arg_bytes(&args, "a\0b", 3);
	redis_arg_text(&args, "");
	redis_command(node->redis, &args, read_list, NULL);
	turns_until_set(&turns, &list_seen);
}

enum { MANY = 5000 };
static int64_t next_expected;

static void in_order(void *context UNUSED, enum db_result result, const struct redis_value *value)
{
	cr_assert_eq(result, DB_OK);
	cr_assert_eq(redis_int(value), ++next_expected);
}

static bool all_came(const void *context UNUSED)
{
	return next_expected == MANY;
}

Test(redis, replies_come_in_the_order_of_commands)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	char key[64];
	turns_up(&turns);
	snprintf(key, sizeof key, "onsale-test:%lld", (long long)random_id());
	for (int i = 0; i < MANY; i++) {
		REDIS_ARGS(args, 2);
		redis_arg_text(&args, "INCR");
		redis_arg_text(&args, key);
		redis_command(node->redis, &args, in_order, NULL);
	}
	cr_expect_eq(redis_pending(node->redis), MANY);
	turns_until(&turns, all_came, NULL);
	cr_expect_eq(redis_pending(node->redis), 0);
	ASK(&turns, node, "DEL", key);
}

Test(redis, past_the_limit_commands_are_refused)
{
	struct redis_settings settings = turns_settings;
	settings.in_flight_max = 100;
	struct node *node = turns_add(&turns, NULL, &settings);
	static struct asked asked[300];
	turns_up(&turns);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ASK_SEND(node, &asked[i], "PING");
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		turns_until_set(&turns, &asked[i].done);
		cr_assert_eq(
			asked[i].result, i < settings.in_flight_max ? DB_OK : DB_BUSY, "%zu", i);
	}
	cr_expect_eq(redis_stats(node->redis)->refused, ARRAY_LEN(asked) - settings.in_flight_max);
}

Test(redis, none_never_comes_up)
{
	struct node *node = turns_add(&turns, "none", &turns_settings);
	struct asked asked = ASK(&turns, node, "PING");
	cr_expect_eq(asked.result, DB_UNAVAILABLE);
	cr_expect_not(redis_up(node->redis));
}

/* Ended by no redis_turn, only by the loop. */
Test(redis, refusals_do_not_wait_for_the_next_turn)
{
	struct node *node = turns_add(&turns, "none", &turns_settings);
	struct asked asked;
	ASK_SEND(node, &asked, "PING");
	while (!asked.done)
		event_base_loop(turns.base, EVLOOP_ONCE);
	cr_expect_eq(asked.result, DB_UNAVAILABLE);
}

Test(redis, a_bad_url_is_refused_with_its_reason)
{
	const char *const bad[] = {"", "http://localhost", "redis://", "redis://localhost:0",
		"redis://localhost:x", "redis://localhost/x", "redis://no-such-host.invalid",
		"unix://here"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct redis_settings settings = turns_settings;
		char why[256] = "";
		settings.url = bad[i];
		cr_expect_null(redis_new(turns.base, &settings, queue_scripts, why, sizeof why),
			"%s", bad[i]);
		cr_expect_eq(strncmp(why, "redis.url: ", 11), 0, "%s: %s", bad[i], why);
	}
}

/* --- credentials and databases, over TCP --- */

static unsigned free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

Test(redis, credentials_and_database_come_from_the_url)
{
	struct node *node = open_own(&turns_settings), *by_password, *by_user;
	unsigned port = free_port();
	char number[8], url[128];
	snprintf(number, sizeof number, "%u", port);
	cr_assert_eq(ASK(&turns, node, "CONFIG", "SET", "port", number).result, DB_OK);
	cr_assert_eq(ASK(&turns, node, "ACL", "SETUSER", "shop", "on", ">p@ss:word", "~*", "+@all")
			     .result,
		DB_OK);
	cr_assert_eq(ASK(&turns, node, "CONFIG", "SET", "requirepass", "secret").result, DB_OK);

	snprintf(url, sizeof url, "redis://:secret@127.0.0.1:%u/3", port);
	by_password = turns_add(&turns, url, &turns_settings);
	snprintf(url, sizeof url, "redis://shop:p%%40ss%%3Aword@localhost:%u/4", port);
	by_user = turns_add(&turns, url, &turns_settings);
	turns_up(&turns);
	ASK(&turns, by_password, "SET", "where", "three");
	ASK(&turns, by_user, "SET", "where", "four");
	cr_expect_str_eq(ASK(&turns, by_user, "ACL", "WHOAMI").text, "shop");
	cr_expect_str_eq(ASK(&turns, node, "GET", "where").text, "");
	ASK(&turns, node, "SELECT", "3");
	cr_expect_str_eq(ASK(&turns, node, "GET", "where").text, "three");
}

static bool tried_twice(const void *context)
{
	return redis_stats(context)->commands >= 20;
}

Test(redis, a_wrong_password_never_comes_up)
{
	struct node *node = open_own(&turns_settings);
	char number[8], url[128];
	unsigned port = free_port();
	snprintf(number, sizeof number, "%u", port);
	cr_assert_eq(ASK(&turns, node, "CONFIG", "SET", "port", number).result, DB_OK);
	cr_assert_eq(ASK(&turns, node, "CONFIG", "SET", "requirepass", "secret").result, DB_OK);
	snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%u", port);
	struct node *wrong = turns_add(&turns, url, &turns_settings);
	turns_until(&turns, tried_twice, wrong->redis); /* each try sends ten commands */
	cr_expect_not(redis_up(wrong->redis));
	cr_expect_eq(ASK(&turns, wrong, "PING").result, DB_UNAVAILABLE);
}

/* --- scripts --- */

static void eval_done(void *context, enum db_result result, const struct redis_value *value)
{
	struct asked *asked = context;
	asked->done = true;
	asked->answers++;
	asked->result = result;
	asked->number = redis_int(redis_at(value, 0));
}

/* A script call that shows whether its arguments arrived: holding.lua would be too silent. */
static void eval_join(struct node *node, struct asked *asked, int64_t event_id, int64_t user_id)
{
	struct queue_call call;
	REDIS_ARGS(args, QUEUE_KEYS_MAX + 2);
	*asked = (struct asked){0};
	queue_call_begin(&call, &queue_script_join, event_id, &args);
	redis_arg_text(&args, redis_run_id(node->redis));
	redis_arg_i64(&args, user_id);
	queue_call_send(&call, node->redis, eval_done, asked);
}

Test(redis, a_forgotten_script_is_sent_again_once)
{
	struct node *node = open_own(&turns_settings);
	static struct asked asked[100];
	ASK(&turns, node, "HSET", "onsale:{7}:meta", "epoch", "1", "next", "0", "run_id",
		redis_run_id(node->redis));
	cr_assert_eq(ASK(&turns, node, "SCRIPT", "FLUSH").result, DB_OK);
	uint64_t before = redis_stats(node->redis)->commands;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		eval_join(node, &asked[i], 7, (int64_t)i + 1);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		turns_until_set(&turns, &asked[i].done);
		cr_assert_eq(asked[i].result, DB_OK);
		cr_assert_eq(asked[i].number, (int64_t)i + 1, "%zu", i);
	}
	cr_expect_eq(redis_stats(node->redis)->commands - before, 2 * ARRAY_LEN(asked));
	eval_join(node, &asked[0], 7, 1);
	turns_until_set(&turns, &asked[0].done);
	cr_expect_eq(redis_stats(node->redis)->commands - before, 2 * ARRAY_LEN(asked) + 1,
		"Redis knows it again");
}

/* --- a Redis that freezes --- */

static const struct redis_settings hasty = {
	.deadline_ms = 200, .in_flight_max = 20000, .breaker_failures = 5, .breaker_open_ms = 100};

struct changes {
	unsigned ups, downs;
};

static void note_change(void *context, bool up)
{
	struct changes *changes = context;
	if (up)
		changes->ups++;
	else
		changes->downs++;
}

static bool is_up(const void *context)
{
	return redis_up(context);
}

Test(redis, a_frozen_redis_is_answered_by_deadline_and_opens_the_breaker)
{
	struct node *node = open_own(&hasty);
	struct changes changes = {0};
	struct asked asked[5], late;
	redis_on_change(node->redis, note_change, &changes);
	kill(own.process.pid, SIGSTOP);
	uint64_t start_us = clock_mono_us_now();
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ASK_SEND(node, &asked[i], "INCR", "counter");
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		turns_until_set(&turns, &asked[i].done);
		cr_expect_eq(asked[i].result, DB_UNKNOWN);
	}
	uint64_t took_us = clock_mono_us_now() - start_us;
	cr_expect(took_us >= 200000 && took_us < 1500000, "%llu us", (unsigned long long)took_us);
	cr_expect_neq(redis_breaker(node->redis), REDIS_BREAKER_CLOSED);
	cr_expect_not(redis_up(node->redis));
	cr_expect_eq(changes.downs, 1);
	cr_expect_eq(redis_stats(node->redis)->timeouts, 5);
	cr_expect_eq(redis_stats(node->redis)->breaker_openings, 1);
	late = ASK(&turns, node, "PING");
	cr_expect_eq(late.result, DB_UNAVAILABLE, "open: refused at once");

	kill(own.process.pid, SIGCONT);
	turns_until(&turns, is_up, node->redis);
	cr_expect_eq(redis_breaker(node->redis), REDIS_BREAKER_CLOSED);
	cr_expect_eq(changes.ups, 1);
	cr_expect_eq(ASK(&turns, node, "GET", "counter").number, 5, "unknown: they had happened");
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		cr_expect_eq(asked[i].answers, 1, "the late reply was dropped");
}

static bool connected_again(const void *context)
{
	return redis_up(context) && redis_stats(context)->connections >= 2;
}

static bool breaker_not_closed(const void *context)
{
	return redis_breaker(context) != REDIS_BREAKER_CLOSED;
}

static bool not_set_up(const void *context)
{
	return redis_pending(context) == 0 && redis_stats(context)->timeouts >= 8;
}

Test(redis, a_connection_that_stays_silent_is_given_up)
{
	struct node *node = open_own(&hasty);
	struct asked asked;
	kill(own.process.pid, SIGSTOP);
	ASK_SEND(node, &asked, "PING");
	turns_until_set(&turns, &asked.done);
	cr_expect_eq(asked.result, DB_UNKNOWN);
	turns_until(&turns, breaker_not_closed,
		node->redis); /* by reconnects that stay silent as well */
	turns_until(&turns, not_set_up, node->redis);
	kill(own.process.pid, SIGCONT);
	turns_until(&turns, connected_again, node->redis);
	cr_expect_str_eq(ASK(&turns, node, "PING").text, "PONG");
}

static unsigned answered_ok;

static void count_ok(
	void *context UNUSED, enum db_result result, const struct redis_value *value UNUSED)
{
	cr_assert_eq(result, DB_OK);
	answered_ok++;
}

enum { BIG_COMMANDS = 150, BIG = 64 * 1024 };

static bool all_big_came(const void *context UNUSED)
{
	return answered_ok == BIG_COMMANDS;
}

/* More than a socket's buffer holds: what a write leaves over goes when there is room. */
Test(redis, short_writes_lose_nothing)
{
	struct node *node = open_own(&turns_settings);
	static char big[BIG];
	memset(big, 'x', sizeof big);
	kill(own.process.pid, SIGSTOP);
	for (int i = 0; i < BIG_COMMANDS; i++) {
		REDIS_ARGS(args, 3);
		redis_arg_text(&args, "APPEND");
		redis_arg_text(&args, "big");
		redis_arg_bytes(&args, big, sizeof big);
		redis_command(node->redis, &args, count_ok, NULL);
		if (i % 50 == 0)
			turns_until_passed(&turns, 1);
	}
	kill(own.process.pid, SIGCONT);
	turns_until(&turns, all_big_came, NULL);
	cr_expect_eq(ASK(&turns, node, "STRLEN", "big").number, (int64_t)BIG_COMMANDS * BIG);
}

/* --- a Redis that dies --- */

Test(redis, a_killed_redis_makes_what_was_in_flight_unknown_and_comes_back)
{
	struct node *node = open_own(&turns_settings);
	struct changes changes = {0};
	static struct asked asked[50];
	redis_on_change(node->redis, note_change, &changes);
	kill(own.process.pid, SIGSTOP);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ASK_SEND(node, &asked[i], "PING");
	turns_until_passed(&turns, 1); /* they are sent */
	own_redis_kill(&own);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		turns_until_set(&turns, &asked[i].done);
		cr_expect_eq(asked[i].result, DB_UNKNOWN);
		cr_expect_eq(asked[i].answers, 1);
	}
	cr_expect_eq(changes.downs, 1);
	cr_expect_eq(ASK(&turns, node, "PING").result, DB_UNAVAILABLE);
	redis_process_start(&own.process);
	turns_until(&turns, is_up, node->redis);
	cr_expect_eq(changes.ups, 1);
	ASK(&turns, node, "HSET", "onsale:{7}:meta", "epoch", "1", "next", "0");
	eval_join(node, &asked[0], 7, 1);
	turns_until_set(&turns, &asked[0].done);
	cr_expect_eq(asked[0].result, DB_OK, "the scripts were loaded again");
}

Test(redis, a_redis_that_starts_late_is_found)
{
	struct node *node;
	own_redis_open(&own);
	own_redis_kill(&own);
	node = turns_add(&turns, own.process.url, &turns_settings);
	turns_until(&turns, breaker_not_closed, node->redis);
	redis_process_start(&own.process);
	turns_until(&turns, is_up, node->redis);
	cr_expect_str_eq(ASK(&turns, node, "PING").text, "PONG");
}

Test(redis, closing_answers_what_is_in_flight)
{
	struct node *node = open_own(&turns_settings);
	struct asked sent, unsent;
	kill(own.process.pid, SIGSTOP);
	ASK_SEND(node, &sent, "PING");
	turns_until_passed(&turns, 1);
	ASK_SEND(node, &unsent, "PING");
	queue_free(node->queue);
	redis_free(node->redis);
	turns.count = 0;
	cr_expect(sent.answers == 1 && sent.result == DB_UNKNOWN);
	cr_expect(unsent.answers == 1 && unsent.result == DB_UNKNOWN);
}

struct repeater {
	struct node *node;
	unsigned left;
	bool done;
};

/* Sends the next from within the answer, refusals included: neither recursion nor a lost one. */
static void repeat(
	void *context, enum db_result result UNUSED, const struct redis_value *value UNUSED)
{
	struct repeater *repeater = context;
	REDIS_ARGS(args, 1);
	if (repeater->left-- == 0) {
		repeater->done = true;
		return;
	}
	redis_arg_text(&args, "PING");
	redis_command(repeater->node->redis, &args, repeat, repeater);
}

Test(redis, commands_may_be_sent_from_answers)
{
	struct node *node = turns_add(&turns, NULL, &turns_settings);
	struct repeater repeater = {node, 200, false};
	repeat(&repeater, DB_OK, NULL); /* refused first, since the connection is not up */
	turns_until_set(&turns, &repeater.done);
}
