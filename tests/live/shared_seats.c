/* The copies of seat maps in Redis, on a real one: what was read before a change is never stored after it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db/shared_seats.h"
#include "proto/base/check.h"
#include "tests/live/turns.h"

enum { LETTERS_SIZE = 64 };

static struct turns turns;
static struct own_redis own;
static struct redis *redis;
static struct shared_seats *ours;

/* A read, and what it gave. */
struct look {
	struct shared_seats_read read;
	bool done;
	enum db_result result;
	char letters[LETTERS_SIZE]; /* "": no copy */
};

static void open_own(void)
{
	char why[256];

	turns_open(&turns);
	own_redis_open(&own);
	struct redis_settings settings = turns_settings;
	settings.url = own.process.url;
	redis = redis_new(turns.base, &settings, shared_seats_scripts, why, sizeof why);
	cr_assert_not_null(redis, "%s", why);
	ours = shared_seats_new(redis);
}

static void close_own(void)
{
	redis_free(redis);
	shared_seats_free(ours);
	turns_close(&turns);
	own_redis_close(&own);
}

TestSuite(shared_seats, .init = open_own, .fini = close_own, .timeout = 60);

/* What turns.c does not know of is sent here. */
static bool sent_and_done(const void *context)
{
	redis_turn(redis);
	return *(const bool *)context;
}

static void looked(struct shared_seats_read *read, enum db_result result)
{
	struct look *look = read->owner;

	look->done = true;
	look->result = result;
	if (read->letters != NULL)
		snprintf(look->letters, sizeof look->letters, "%.*s", (int)read->letters_len,
			read->letters);
}

static bool is_up(const void *context)
{
	(void)context;
	redis_turn(redis);
	return redis_up(redis);
}

static void look(struct look *at)
{
	turns_until(&turns, is_up, NULL);
	*at = (struct look){
		.read = {.event_id = 1, .performance_id = 2, .done = looked, .owner = at}};
	shared_seats_read(ours, &at->read);
	turns_until(&turns, sent_and_done, &at->done);
	cr_assert_eq(at->result, DB_OK);
}

static void told(void *context, enum db_result result, const struct redis_value *value)
{
	(void)value;
	cr_assert_eq(result, DB_OK);
	*(bool *)context = true;
}

static void change(void)
{
	bool done = false;

	shared_seats_changed(ours, 1, 2, told, &done);
	turns_until(&turns, sent_and_done, &done);
}

static void store(const struct look *at, const char *letters)
{
	shared_seats_store(ours, &at->read, letters, strlen(letters), 60000);
}

static void flush_all(void)
{
	redisContext *connection = redis_process_connect(&own.process);

	freeReplyObject(redisCommand(connection, "FLUSHALL"));
	redisFree(connection);
}

Test(shared_seats, a_copy_is_there_until_a_seat_changes)
{
	struct look first, second;

	look(&first);
	cr_expect_str_eq(first.letters, "");
	store(&first, "AAH");
	look(&second);
	cr_expect_str_eq(second.letters, "AAH");
	cr_expect(second.read.left_ms > 50000 && second.read.left_ms <= 60000);
	change();
	look(&second);
	cr_expect_str_eq(second.letters, "");
}

Test(shared_seats, a_copy_expires_with_what_it_says)
{
	struct look first, second;

	look(&first);
	shared_seats_store(ours, &first.read, "AH", 2, 200);
	do
		look(&second);
	while (second.letters[0] != '\0' && second.read.left_ms <= 200);
	cr_expect_str_eq(second.letters, "");
}

Test(shared_seats, what_was_read_before_a_change_is_not_stored)
{
	struct look slow, fresh;

	look(&slow);
	change();
	store(&slow, "AAA");
	look(&fresh);
	cr_expect_str_eq(fresh.letters, "", "a copy from before the change");
	store(&fresh, "AAH");
	store(&slow, "AAA");
	look(&fresh);
	cr_expect_str_eq(fresh.letters, "AAH");
}

Test(shared_seats, two_that_read_at_once_may_both_store)
{
	struct look one, other;

	look(&one);
	look(&other);
	cr_expect_str_eq(one.read.fence, other.read.fence);
	store(&one, "AAH");
	store(&other, "AAH");
	look(&one);
	cr_expect_str_eq(one.letters, "AAH");
}

Test(shared_seats, nothing_from_before_redis_was_emptied_is_stored)
{
	struct look slow, fresh;

	look(&slow);
	flush_all();
	store(&slow, "AAA");
	look(&fresh);
	cr_expect_str_eq(fresh.letters, "", "the fence was gone");
	store(&slow, "AAA");
	look(&fresh);
	cr_expect_str_eq(fresh.letters, "", "the fence is another one");
}

Test(shared_seats, our_own_message_is_known)
{
	struct shared_seats *theirs = shared_seats_new(redis);
	redisContext *listener = redis_process_connect(&own.process);
	redisReply *reply = redisCommand(listener, "SUBSCRIBE " SHARED_SEATS_CHANNEL);
	const char *const broken[] = {"", "2", ":2", "x:2", "2x:2"};
	int64_t performance_id = 0;

	freeReplyObject(reply);
	turns_until(&turns, is_up, NULL);
	change();
	cr_assert_eq(redisGetReply(listener, (void **)&reply), REDIS_OK);
	const char *text = reply->element[2]->str;
	cr_expect_not(shared_seats_heard(ours, text, strlen(text), &performance_id));
	cr_expect(shared_seats_heard(theirs, text, strlen(text), &performance_id));
	cr_expect_eq(performance_id, 2);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		cr_expect_not(
			shared_seats_heard(theirs, broken[i], strlen(broken[i]), &performance_id));
	freeReplyObject(reply);
	redisFree(listener);
	shared_seats_free(theirs);
}
