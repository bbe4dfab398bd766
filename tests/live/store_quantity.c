/* Holds of a quantity through the store: which seats PostgreSQL chooses, what is kept, and when it says that all is
 * sold out. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/problem.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

enum { TEXT_SIZE = 512 };

static void ask_submit(struct shop *shop, struct store_hold *hold, struct shop_answer *answer,
	const char *key, int64_t user_id, int64_t quantity)
{
	hold->quantity = quantity;
	shop_hold_submit(shop, hold, answer, key, user_id, NULL, 0);
}

static void ask(struct shop *shop, struct store_hold *hold, const char *key, int64_t user_id,
	int64_t quantity)
{
	struct shop_answer answer;

	ask_submit(shop, hold, &answer, key, user_id, quantity);
	shop_await(shop, &answer);
}

/* "1,2,3": the seats that the hold was given; "" where it was given none. */
static const char *seats_of(const struct store_hold *hold, char text[TEXT_SIZE])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < hold->seat_count; i++)
		len += (size_t)snprintf(text + len, TEXT_SIZE - len, "%s%lld", i > 0 ? "," : "",
			(long long)hold->seat_ids[i]);
	return text;
}

static void sold_out(const struct store_hold *hold)
{
	char body[1024];

	snprintf(body, sizeof body, "%srequest-1\"}", problem_head(PROBLEM_SOLD_OUT));
	cr_assert_eq(hold->outcome, STORE_REPLY);
	shop_replied(hold->reply, 409, body);
	cr_expect_eq(hold->seat_count, 0);
	cr_expect_eq(hold->hold_left_ms, 0);
}

/* --- which seats --- */

/* Performance 1 has rows A to J of ten seats, 1 to 100. Performance 3 has the section B, rows of two seats: 111 to
 * 114 at 100 each; and A behind it: 115 to 118 at 50 each. Performance 4 has rows A to AB of two seats: 119 to 174; Z is 169 and 170.
 * Performance 5 has 60 rows of one seat, 175 to 234, and behind them one of two. Performance 6 has the sections C, B and
 * A of a row of two seats each: 237 to 242, C at 50 each, the others at 100. */
static const char more_sql[] =
	"SELECT create_performance(1, 1, 1800000000000, '{B,A}', '{2,2}', '{2,2}', '{100,50}');"
	"SELECT create_performance(1, 1, 1800000000000, '{Floor}', '{28}', '{2}', '{100}');"
	"SELECT create_performance(1, 1, 1800000000000, '{A,B}', '{60,1}', '{1,2}', '{100,100}');"
	"SELECT create_performance(1, 1, 1800000000000, '{C,B,A}', '{1,1,1}', '{2,2,2}', '{50,100,100}')";

/* free: the seats of the performance that are free, where not all are; lapsed: those that are held and lapsed. */
static const struct shape {
	const char *what;
	int64_t performance;
	const char *free, *lapsed, *section;
	int64_t quantity;
	const char *seats;
} shapes[] = {
	{"from the front", 1, NULL, NULL, NULL, 3, "1,2,3"},
	{"a whole row", 1, NULL, NULL, NULL, 10, "1,2,3,4,5,6,7,8,9,10"},
	{"a gap is stepped over", 1, "1,3,5,6,7,21,22", NULL, NULL, 2, "5,6"},
	{"one alone takes the gap", 1, "1,3,5,6,7", NULL, NULL, 1, "1"},
	{"the first row that has as many", 1, "1,2,3,12,13,14,21,22,23,24,31,32,33,34", NULL, NULL,
		4, "21,22,23,24"},
	{"the end of a row and the next one's start are no neighbours", 1, "10,11,55,56", NULL,
		NULL, 2, "55,56"},
	{"else any", 1, "5,17,33,90", NULL, NULL, 3, "5,17,33"},
	{"else any, of a row and a half", 1, "9,10,11,12", NULL, NULL, 3, "9,10,11"},
	{"all that are left", 1, "2,50,99", NULL, NULL, 3, "2,50,99"},
	{"a lapsed hold's are free", 1, "2,50,99", "3,4", NULL, 3, "2,3,4"},
	{"of the dearest section, whatever its name", 3, NULL, NULL, NULL, 2, "111,112"},
	{"side by side rather than dear", 3, "111,113,115,116", NULL, NULL, 2, "115,116"},
	{"of two sections at a price the first that was named", 6, NULL, NULL, NULL, 2, "239,240"},
	{"of the second one then", 6, "237,238,239,241,242", NULL, NULL, 2, "241,242"},
	{"side by side, be it the cheapest", 6, "237,238,240,241", NULL, NULL, 2, "237,238"},
	{"of a section", 3, NULL, NULL, "B", 2, "111,112"},
	{"any of a section", 3, "112,113,115,116", NULL, "B", 2, "112,113"},
	{"any of two sections, the dearer one's first", 3, "111,114,116", NULL, NULL, 3,
		"111,114,116"},
	{"any of the dearer one", 3, "111,114,116,118", NULL, NULL, 2, "111,114"},
	{"row Z comes before row AA", 4, "169,170,171,172", NULL, NULL, 2, "169,170"},
	{"behind what is read at first", 5, NULL, NULL, NULL, 2, "235,236"},
};

static void take_shape(struct shop *shop, const struct shape *shape)
{
	char sql[2048];
	int len = snprintf(sql, sizeof sql,
		"UPDATE seats SET status = 'available', reservation_id = NULL, user_id = NULL,"
		" hold_expires_at = NULL; "
		"UPDATE seats SET status = 'sold', reservation_id = -1"
		" WHERE performance_id = %lld AND NOT id = ANY ('{%s}') AND %s; "
		"UPDATE seats SET status = 'held', reservation_id = -1, hold_expires_at = now()"
		" WHERE id = ANY ('{%s}')",
		(long long)shape->performance, shape->free != NULL ? shape->free : "",
		shape->free != NULL ? "true" : "false", shape->lapsed != NULL ? shape->lapsed : "");
	cr_assert(len > 0 && (size_t)len < sizeof sql);
	database_run(shop->db, sql);
}

Test(store_quantity, neighbours_in_the_best_row_else_any)
{
	struct shop shop;

	shop_open(&shop, 1, 1);
	database_run(shop.db, more_sql);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const struct shape *shape = &shapes[i];
		struct store_hold hold = {
			.performance_id = shape->performance, .section = shape->section};
		char key[16], text[TEXT_SIZE];

		take_shape(&shop, shape);
		snprintf(key, sizeof key, "shape-%zu", i);
		ask(&shop, &hold, key, 5, shape->quantity);
		cr_expect_eq(hold.reply.status, 201, "%s", shape->what);
		cr_expect_str_eq(seats_of(&hold, text), shape->seats, "%s: %s, not %s", shape->what,
			text, shape->seats);
		store_reply_free(&hold.reply);
	}
	shop_close(&shop);
}

Test(store_quantity, what_is_given_is_held_as_if_it_were_named)
{
	struct shop shop;
	struct store_hold hold = {0}, taken = {0};
	struct store_pay pay = {0};
	const int64_t seat = 2;
	char body[1024], expires[32];

	shop_open(&shop, 1, 1);
	ask(&shop, &hold, "k", 5, 2);
	PGresult *result = database_query(
		shop.db, "SELECT rfc3339(hold_expires_at) FROM reservations", 0, NULL);
	snprintf(expires, sizeof expires, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	snprintf(body, sizeof body,
		"{\"id\":1,\"status\":\"held\",\"performance_id\":1,\"seats\":["
		"{\"id\":1,\"section\":\"Floor\",\"row\":\"A\",\"number\":1,\"price\":100},"
		"{\"id\":2,\"section\":\"Floor\",\"row\":\"A\",\"number\":2,\"price\":100}],"
		"\"total\":200,\"currency\":\"KRW\",\"hold_expires_at\":\"%s\"}",
		expires);
	shop_replied(hold.reply, 201, body);
	cr_expect(hold.hold_left_ms > 290000 && hold.hold_left_ms <= 300000);
	shop_hold(&shop, &taken, "other", 6, &seat, 1);
	cr_expect_eq(taken.reply.status, 409);
	shop_pay(&shop, &pay, "pay", 5, hold.reservation_id);
	cr_expect(pay.paid);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	store_reply_free(&taken.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_quantity, a_lapsed_hold_is_taken_over_and_ended_with_its_event)
{
	struct shop shop;
	struct store_hold old = {0}, hold = {0};
	char text[TEXT_SIZE];

	shop_open(&shop, 1, 1);
	ask(&shop, &old, "old", 5, 4);
	shop_lapse(&shop, old.reservation_id);
	ask(&shop, &hold, "new", 6, 3);
	cr_expect_str_eq(seats_of(&hold, text), "1,2,3");
	cr_expect_eq(
		shop_number(&shop, "SELECT status = 'expired' FROM reservations WHERE id = 1"), 1);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM seats WHERE version = 2"), 3);
	shop_sound(&shop);
	store_reply_free(&old.reply);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

/* --- what is kept --- */

Test(store_quantity, a_key_gives_the_first_reply_again_and_its_seats)
{
	struct shop shop;
	struct store_hold first = {0}, lost = {0}, again = {0}, look = {.replay_only = true};
	struct store_cancel cancel = {0};
	char text[TEXT_SIZE];

	shop_open(&shop, 1, 1);
	ask(&shop, &look, "won", 5, 3);
	cr_expect_eq(look.outcome, STORE_KEY_UNKNOWN);
	ask(&shop, &first, "won", 5, 3);
	shop_held(&shop, "between", 6, 4);
	ask(&shop, &again, "won", 5, 3);
	shop_replied(again.reply, 201, first.reply.body);
	cr_expect(again.reply.replayed && again.hold_left_ms > 0);
	cr_expect_str_eq(seats_of(&again, text), "1,2,3");
	ask(&shop, &look, "won", 5, 3);
	cr_expect_str_eq(seats_of(&look, text), "1,2,3");

	database_run(shop.db,
		"UPDATE seats SET status = 'sold', reservation_id = -1 WHERE status = 'available'");
	ask(&shop, &lost, "lost", 7, 1);
	sold_out(&lost);
	shop_cancel(&shop, &cancel, 5, first.reservation_id);
	ask(&shop, &again, "lost", 7, 1);
	shop_replied(again.reply, 409, lost.reply.body);
	cr_expect(again.reply.replayed);
	ask(&shop, &again, "won", 5, 3);
	shop_replied(again.reply, 201, first.reply.body);
	cr_expect(again.hold_left_ms == 0 && again.seat_count == 0, "it stands no more");
	store_reply_free(&first.reply);
	store_reply_free(&lost.reply);
	store_reply_free(&again.reply);
	store_reply_free(&look.reply);
	store_reply_free(&cancel.reply);
	shop_close(&shop);
}

Test(store_quantity, refusals_that_are_not_kept)
{
	struct shop shop;
	struct store_hold hold = {.section = "Balcony"}, limited = {.user_limit = 4};

	shop_open(&shop, 1, 1);
	ask(&shop, &hold, "k", 5, 2);
	cr_expect_eq(hold.outcome, STORE_NOT_FOUND);
	hold.section = NULL;
	ask(&shop, &hold, "k", 5, 2);
	cr_expect_eq(hold.reply.status, 201);
	ask(&shop, &limited, "more", 5, 3);
	cr_expect_eq(limited.outcome, STORE_REFUSED);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 1);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM seats WHERE status = 'held'"), 2);
	ask(&shop, &limited, "more", 5, 2);
	cr_expect_eq(limited.reply.status, 201);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	store_reply_free(&limited.reply);
	shop_close(&shop);
}

/* --- batches --- */

Test(store_quantity, of_a_batch_each_gets_neighbours_of_its_own)
{
	enum { COUNT = 40 }; /* a row for four of them: 1 + 2 + 3 + 4 */
	struct shop shop;
	struct store_hold holds[COUNT] = {0};
	struct shop_answer answers[COUNT];
	char keys[COUNT][8];

	shop_open(&shop, 1, 1);
	for (int i = 0; i < COUNT; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		ask_submit(&shop, &holds[i], &answers[i], keys[i], 2 + i, 1 + i % 4);
	}
	for (int i = 0; i < COUNT; i++)
		shop_await(&shop, &answers[i]);
	for (int i = 0; i < COUNT; i++) {
		cr_expect_eq(holds[i].reply.status, 201);
		cr_assert_eq(holds[i].seat_count, 1 + i % 4);
		cr_expect_eq(holds[i].seat_ids[i % 4] - holds[i].seat_ids[0], i % 4);
		cr_expect_eq((holds[i].seat_ids[i % 4] - 1) / 10, (holds[i].seat_ids[0] - 1) / 10);
		store_reply_free(&holds[i].reply);
	}
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM seats WHERE status = 'held'"), 100);
	shop_sound(&shop);
	shop_close(&shop);
}

Test(store_quantity, of_a_batch_with_and_without_a_section_none_gets_another_s)
{
	enum { COUNT = 9 };
	struct shop shop;
	struct store_hold holds[COUNT] = {0};
	struct shop_answer answers[COUNT];
	char keys[COUNT][8];
	unsigned held = 0;

	shop_open(&shop, 1, 1);
	database_run(shop.db, more_sql);
	for (int i = 0; i < COUNT; i++) {
		static const char *const sections[] = {NULL, "A", "B"};
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		holds[i].performance_id = 3;
		holds[i].section = sections[i % 3];
		ask_submit(&shop, &holds[i], &answers[i], keys[i], 2 + i, 1);
	}
	for (int i = 0; i < COUNT; i++) {
		shop_await(&shop, &answers[i]);
		held += holds[i].reply.status == 201;
		store_reply_free(&holds[i].reply);
	}
	cr_expect_eq(held, 8);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM seats WHERE version = 1"), 8);
	shop_close(&shop);
}

/* The last seats were meant for somebody who may not have them: to the next in the batch all is not sold out. */
Test(store_quantity, seats_that_the_limit_leaves_are_not_sold_out)
{
	struct shop shop;
	struct store_hold first = {0}, over = {.user_limit = 3}, next = {.user_limit = 3};
	struct shop_answer over_answer, next_answer;
	char text[TEXT_SIZE];

	shop_open(&shop, 1, 1);
	ask(&shop, &first, "first", 5, 2);
	database_run(shop.db, "UPDATE seats SET status = 'sold', reservation_id = -1 WHERE id > 4");
	ask_submit(&shop, &over, &over_answer, "over", 5, 2);
	ask_submit(&shop, &next, &next_answer, "next", 6, 2);
	shop_await(&shop, &over_answer);
	shop_await(&shop, &next_answer);
	cr_expect_eq(over.outcome, STORE_REFUSED);
	cr_expect_eq(next.outcome, STORE_UNDECIDED);
	next.waits = true;
	ask(&shop, &next, "next", 6, 2);
	cr_expect_str_eq(seats_of(&next, text), "3,4");
	store_reply_free(&first.reply);
	store_reply_free(&next.reply);
	shop_close(&shop);
}

/* --- seats that others have locked --- */

Test(store_quantity, nobody_waits_for_a_seat_while_there_are_others)
{
	struct shop shop;
	struct store_hold hold = {0};
	char text[TEXT_SIZE];

	shop_open(&shop, 1, 1);
	database_run(shop.db, "BEGIN; SELECT FROM seats WHERE id IN (2, 5, 12) FOR UPDATE");
	ask(&shop, &hold, "k", 5, 4);
	cr_expect_str_eq(seats_of(&hold, text), "6,7,8,9");
	database_run(shop.db, "COMMIT");
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

/* Three seats look free, and somebody has locked two of them. */
static void open_locked(struct shop *shop, struct store_hold *hold)
{
	shop_open(shop, 1, 2);
	database_run(shop->db,
		"UPDATE seats SET status = 'sold', reservation_id = -1 WHERE id NOT IN (7, 35, 36)");
	database_run(shop->db, "BEGIN; SELECT FROM seats WHERE id IN (7, 36) FOR UPDATE");
	ask(shop, hold, "k", 5, 2);
	cr_assert_eq(hold->outcome, STORE_UNDECIDED);
	cr_expect_eq(shop_number(shop, "SELECT count(*) FROM idempotency"), 0);
}

/* Asks again, waiting, until somebody's transaction is over. */
static void ask_waiting(struct shop *shop, struct store_hold *hold, const char *end_sql)
{
	struct shop_answer answer;

	hold->waits = true;
	ask_submit(shop, hold, &answer, "k", 5, 2);
	SHOP_UNTIL(shop, shop_blocked(shop) > 0);
	cr_assert_not(answer.given);
	database_run(shop->db, end_sql);
	shop_await(shop, &answer);
}

Test(store_quantity, who_waited_gets_what_was_left_after_all)
{
	struct shop shop;
	struct store_hold hold = {0};
	char text[TEXT_SIZE];

	open_locked(&shop, &hold);
	ask_waiting(&shop, &hold, "ROLLBACK");
	cr_expect_eq(hold.reply.status, 201);
	cr_expect_str_eq(seats_of(&hold, text), "35,36");
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

Test(store_quantity, who_waited_is_told_that_all_is_sold_out)
{
	struct shop shop;
	struct store_hold hold = {0};

	open_locked(&shop, &hold);
	ask_waiting(&shop, &hold,
		"UPDATE seats SET status = 'sold', reservation_id = -1 WHERE id IN (7, 36); COMMIT");
	sold_out(&hold);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

/* The neighbours that it waited for are gone; one is left below, which is looked for again. */
Test(store_quantity, who_waited_in_vain_looks_again)
{
	struct shop shop;
	struct store_hold hold = {0};
	char text[TEXT_SIZE];

	open_locked(&shop, &hold);
	ask_waiting(&shop, &hold,
		"UPDATE seats SET status = 'sold', reservation_id = -1 WHERE id = 36; COMMIT");
	cr_expect_eq(hold.reply.status, 201);
	cr_expect_str_eq(seats_of(&hold, text), "7,35");
	store_reply_free(&hold.reply);
	shop_close(&shop);
}
