/* Payments and cancellations through the store: money, points, refusals, and the fence. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/problem.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

static void refused(const struct store_reply *reply, enum problem problem)
{
	char body[512];

	snprintf(body, sizeof body, "%srequest-1\"}", problem_head(problem));
	cr_expect_eq(reply->status, problem_status(problem));
	cr_expect_str_eq(reply->body, body);
}

Test(store_pay, money_seats_points_and_the_event_commit_together)
{
	struct shop shop;
	struct store_hold hold = {0};
	struct store_pay pay = {0}, again = {0};
	const int64_t seats[] = {7, 8};
	struct idem idem = shop_idem("hold", "");

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "hold", 5, seats, 2);
	shop_pay(&shop, &pay, "pay", 5, hold.reservation_id);
	shop_replied(pay.reply, 201,
		"{\"payment_id\":1,\"reservation_id\":1,\"status\":\"paid\",\"amount\":200,"
		"\"balance\":800,\"points_awarded\":20}");
	cr_expect(pay.paid);
	cr_expect_not(pay.reply.replayed);
	cr_expect_eq(pay.performance_id, 1);
	cr_assert_eq(pay.seat_count, 2);
	cr_expect(pay.seat_ids[0] == 7 && pay.seat_ids[1] == 8);
	cr_expect_arr_eq(pay.hold_key.bytes, idem.key.bytes, DIGEST_SIZE);
	cr_expect_eq(shop_number(&shop, "SELECT points FROM accounts WHERE user_id = 5"), 20);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM sold WHERE reservation_id = 1"), 2);
	cr_expect_eq(shop_number(&shop,
			     "SELECT count(*) FROM outbox WHERE kind = 'reservation.paid'"
			     " AND payload->>'amount' = '200' AND payload->>'currency' = 'KRW'"),
		1);

	shop_pay(&shop, &again, "pay", 5, hold.reservation_id);
	shop_replied(again.reply, 201, pay.reply.body);
	cr_expect(again.reply.replayed && again.paid && again.seat_count == 2);
	shop_pay(&shop, &again, "another key", 5, hold.reservation_id);
	refused(&again.reply, PROBLEM_ALREADY_PAID);
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 800);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	store_reply_free(&pay.reply);
	store_reply_free(&again.reply);
	shop_close(&shop);
}

Test(store_pay, too_little_money_is_refused_and_the_hold_stands)
{
	struct shop shop;
	struct store_pay pay = {0};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "UPDATE seats SET price = 1001 WHERE id = 7");
	int64_t reservation_id = shop_held(&shop, "hold", 5, 7);
	shop_pay(&shop, &pay, "pay", 5, reservation_id);
	refused(&pay.reply, PROBLEM_INSUFFICIENT_BALANCE);
	database_run(shop.db, /* the refusal is kept under its key, whatever the balance is now */
		"INSERT INTO ledger (user_id, unit, kind, amount, balance_after)"
		" VALUES (5, 'money', 'charge', 1, 1001);"
		"UPDATE accounts SET balance = 1001 WHERE user_id = 5");
	shop_pay(&shop, &pay, "pay", 5, reservation_id);
	cr_expect(pay.reply.status == 402 && pay.reply.replayed);
	shop_pay(&shop, &pay, "pay again", 5, reservation_id);
	cr_expect(pay.paid);
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 0);
	shop_sound(&shop);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_pay, points_pay_what_they_can)
{
	struct shop shop;
	struct store_pay pay = {.use_points = 60};
	struct store_pay rest = {.use_points = 1000};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "UPDATE accounts SET points = 150 WHERE user_id = 5;"
			      "INSERT INTO ledger (user_id, unit, kind, amount, balance_after)"
			      " VALUES (5, 'points', 'opening', 150, 150)");
	shop_pay(&shop, &pay, "p1", 5, shop_held(&shop, "h1", 5, 7));
	shop_replied(pay.reply, 201,
		"{\"payment_id\":1,\"reservation_id\":1,\"status\":\"paid\",\"amount\":40,"
		"\"balance\":960,\"points_awarded\":4}");
	shop_pay(&shop, &rest, "p2", 5, shop_held(&shop, "h2", 5, 8));
	shop_replied(rest.reply, 201,
		"{\"payment_id\":2,\"reservation_id\":2,\"status\":\"paid\",\"amount\":6,"
		"\"balance\":954,\"points_awarded\":0}");
	cr_expect_eq(shop_number(&shop, "SELECT points FROM accounts WHERE user_id = 5"), 0);
	cr_expect_eq(shop_number(&shop,
			     "SELECT count(*) FROM ledger WHERE user_id = 5 AND kind <> 'opening'"),
		5); /* money, points, reward; money, points: no row for no reward */
	shop_sound(&shop);
	store_reply_free(&pay.reply);
	store_reply_free(&rest.reply);
	shop_close(&shop);
}

Test(store_pay, in_a_batch_each_sees_what_those_before_it_spent)
{
	enum { COUNT = 4 };
	struct shop shop;
	struct store_pay pays[COUNT] = {0}, twice = {0};
	struct shop_answer answers[COUNT], twice_answer;
	int64_t reservations[COUNT];
	static const char *const holds[COUNT] = {"h0", "h1", "h2", "h3"};
	static const char *const keys[COUNT] = {"p0", "p1", "p2", "p3"};
	unsigned paid = 0, refusals = 0;

	shop_open(&shop, 1, 1);
	database_run(shop.db, "UPDATE seats SET price = 400 WHERE id <= 4");
	for (int i = 0; i < COUNT; i++)
		reservations[i] = shop_held(&shop, holds[i], 5, i + 1);
	for (int i = 0; i < COUNT; i++)
		shop_pay_submit(&shop, &pays[i], &answers[i], keys[i], 5, reservations[i]);
	shop_pay_submit(&shop, &twice, &twice_answer, "twice", 5, reservations[0]);
	for (int i = 0; i < COUNT; i++)
		shop_await(&shop, &answers[i]);
	shop_await(&shop, &twice_answer);
	for (int i = 0; i < COUNT; i++) {
		paid += pays[i].paid;
		refusals += pays[i].reply.status == 402;
		store_reply_free(&pays[i].reply);
	}
	cr_expect_eq(paid, 2);
	cr_expect_eq(refusals, 2);
	refused(&twice.reply, PROBLEM_ALREADY_PAID);
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 200);
	shop_sound(&shop);
	store_reply_free(&twice.reply);
	shop_close(&shop);
}

Test(store_pay, a_lost_fence_is_an_expired_hold)
{
	struct shop shop;
	struct store_pay pay = {0};

	shop_open(&shop, 1, 1);
	int64_t reservation_id = shop_held(&shop, "hold", 5, 7);
	database_run(shop.db, "UPDATE seats SET version = version + 1 WHERE id = 7");
	shop_pay(&shop, &pay, "pay", 5, reservation_id);
	refused(&pay.reply, PROBLEM_HOLD_EXPIRED);
	cr_expect_eq(
		shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), SHOP_BALANCE);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM sold"), 0);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_pay, a_hold_that_expires_while_the_payment_waits_is_not_paid)
{
	struct shop shop;
	struct store_hold hold = {.performance_id = 1,
		.user_id = 5,
		.seat_ids = {7},
		.seat_count = 1,
		.hold_ttl_ms = 400,
		.currency = "KRW"};
	struct store_pay pay = {0};
	struct shop_answer answer;

	shop_open(&shop, 1, 2);
	hold.idem = shop_idem("hold", "");
	shop_expect(&hold.op, &answer);
	store_hold(shop.pg, &hold);
	shop_await(&shop, &answer);
	database_run(shop.db, "BEGIN; SELECT FROM seats WHERE id = 7 FOR UPDATE");
	shop_pay_submit(&shop, &pay, &answer, "pay", 5, hold.reservation_id);
	cr_assert_eq(
		shop_number(&shop, "SELECT hold_expires_at > clock_timestamp() FROM reservations"),
		1, "the machine is too slow for this test: the hold lapsed before the payment");
	SHOP_UNTIL(&shop,
		shop_number(&shop,
			"SELECT hold_expires_at < clock_timestamp() FROM reservations") == 1);
	SHOP_UNTIL(&shop, shop_blocked(&shop) > 0);
	cr_assert_not(answer.given);
	database_run(shop.db, "COMMIT");
	shop_await(&shop, &answer);
	refused(&pay.reply, PROBLEM_HOLD_EXPIRED);
	cr_expect_eq(
		shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), SHOP_BALANCE);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM payments"), 0);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_pay, another_s_reservation_is_not_found)
{
	struct shop shop;
	struct store_pay pay = {0};
	struct store_cancel cancel = {0};

	shop_open(&shop, 1, 1);
	int64_t reservation_id = shop_held(&shop, "hold", 5, 7);
	shop_pay(&shop, &pay, "pay", 6, reservation_id);
	cr_expect_eq(pay.outcome, STORE_NOT_FOUND);
	shop_pay(&shop, &pay, "pay none", 5, 999);
	cr_expect_eq(pay.outcome, STORE_NOT_FOUND);
	shop_cancel(&shop, &cancel, 6, reservation_id);
	cr_expect_eq(cancel.outcome, STORE_NOT_FOUND);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 1);
	shop_sound(&shop);
	shop_close(&shop);
}

Test(store_cancel, frees_the_seats_once_and_says_the_same_twice)
{
	static const char body[] =
		"{\"id\":1,\"status\":\"cancelled\",\"refunded\":0,\"points_revoked\":0}";
	struct shop shop;
	struct store_cancel cancel = {0};
	struct store_pay pay = {0};

	shop_open(&shop, 1, 1);
	int64_t reservation_id = shop_held(&shop, "hold", 5, 7);
	shop_cancel(&shop, &cancel, 5, reservation_id);
	shop_replied(cancel.reply, 200, body);
	cr_expect(cancel.freed && cancel.seat_count == 1 && cancel.seat_ids[0] == 7);
	cr_expect_eq(shop_number(&shop,
			     "SELECT count(*) FROM seats WHERE id = 7 AND status = 'available'"
			     " AND user_id IS NULL AND hold_expires_at IS NULL AND version = 2"),
		1);
	shop_held(&shop, "next", 6, 7);
	shop_cancel(&shop, &cancel, 5, reservation_id);
	shop_replied(cancel.reply, 200, body);
	cr_expect_not(cancel.freed);
	cr_expect_eq(shop_number(&shop, "SELECT user_id FROM seats WHERE id = 7"), 6);
	shop_pay(&shop, &pay, "pay", 5, reservation_id);
	refused(&pay.reply, PROBLEM_RESERVATION_CANCELLED);
	shop_sound(&shop);
	store_reply_free(&cancel.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_cancel, a_lapsed_hold_cannot_be_cancelled)
{
	struct shop shop;
	struct store_cancel cancel = {0};

	shop_open(&shop, 1, 1);
	int64_t lapsed = shop_held(&shop, "lapsed", 5, 7);
	shop_lapse(&shop, lapsed);
	shop_cancel(&shop, &cancel, 5, lapsed);
	refused(&cancel.reply, PROBLEM_HOLD_EXPIRED);
	cr_expect_not(cancel.freed);
	shop_sound(&shop);
	store_reply_free(&cancel.reply);
	shop_close(&shop);
}

/* --- refunds --- */

static void check_account(struct shop *shop, int64_t balance, int64_t points)
{
	cr_expect_eq(shop_number(shop, "SELECT balance FROM accounts WHERE user_id = 5"), balance);
	cr_expect_eq(shop_number(shop, "SELECT points FROM accounts WHERE user_id = 5"), points);
}

Test(store_cancel, a_paid_one_is_refunded_and_its_reward_taken_back)
{
	static const char body[] =
		"{\"id\":1,\"status\":\"cancelled\",\"refunded\":100,\"points_revoked\":10}";
	struct shop shop;
	struct store_cancel cancel = {0}, again = {0};
	struct store_pay pay = {0};
	struct idem idem = shop_idem("hold", "");

	shop_open(&shop, 1, 1);
	int64_t id = shop_held(&shop, "hold", 5, 7);
	shop_pay(&shop, &pay, "pay", 5, id);
	check_account(&shop, SHOP_BALANCE - 100, 10);
	shop_cancel(&shop, &cancel, 5, id);
	shop_replied(cancel.reply, 200, body);
	cr_expect(cancel.freed && cancel.was_paid && cancel.seat_count == 1);
	cr_expect_eq(cancel.seat_ids[0], 7);
	cr_expect_arr_eq(cancel.hold_key.bytes, idem.key.bytes, DIGEST_SIZE);
	check_account(&shop, SHOP_BALANCE, 0);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM sold"), 0);
	cr_expect_eq(shop_number(&shop,
			     "SELECT version FROM seats WHERE id = 7 AND status = 'available'"),
		2);
	cr_expect_eq(
		shop_number(&shop,
			"SELECT count(*) FROM outbox WHERE kind = 'reservation.refunded'"
			" AND payload->>'refunded' = '100' AND payload->>'points_revoked' = '10'"),
		1);

	shop_held(&shop, "next", 6, 7);
	shop_cancel(&shop, &again, 5, id);
	shop_replied(again.reply, 200, body);
	cr_expect_not(again.freed);
	cr_expect_eq(shop_number(&shop, "SELECT user_id FROM seats WHERE id = 7"), 6);
	shop_pay(&shop, &pay, "pay", 5, id);
	cr_expect(pay.reply.replayed && pay.reply.status == 201);
	shop_pay(&shop, &pay, "pay again", 5, id);
	refused(&pay.reply, PROBLEM_RESERVATION_CANCELLED);
	check_account(&shop, SHOP_BALANCE, 0);
	shop_sound(&shop);
	store_reply_free(&cancel.reply);
	store_reply_free(&again.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

/* The reward of the first paid for the second; what is gone of it comes off the refund. */
Test(store_cancel, a_spent_reward_comes_off_the_refund)
{
	struct shop shop;
	struct store_cancel cancel = {0};
	struct store_pay pay = {0}, with_points = {.use_points = 6};

	shop_open(&shop, 1, 1);
	int64_t first = shop_held(&shop, "h1", 5, 7), second = shop_held(&shop, "h2", 5, 8);
	shop_pay(&shop, &pay, "p1", 5, first); /* brings 10 */
	shop_pay(&shop, &with_points, "p2", 5, second); /* takes 6 and 94 of money, brings 9 */
	check_account(&shop, SHOP_BALANCE - 194, 13);
	database_run(shop.db, "INSERT INTO ledger (user_id, unit, kind, amount, balance_after)"
			      " VALUES (5, 'points', 'opening', -9, 4);"
			      "UPDATE accounts SET points = 4 WHERE user_id = 5");
	shop_cancel(&shop, &cancel, 5, first);
	shop_replied(cancel.reply, 200,
		"{\"id\":1,\"status\":\"cancelled\",\"refunded\":94,\"points_revoked\":4}");
	check_account(&shop, SHOP_BALANCE - 100, 0);
	shop_cancel(&shop, &cancel, 5, second); /* 6 come back, and go for the 9 */
	shop_replied(cancel.reply, 200,
		"{\"id\":2,\"status\":\"cancelled\",\"refunded\":91,\"points_revoked\":6}");
	check_account(&shop, SHOP_BALANCE - 9, 0);
	shop_sound(&shop);
	store_reply_free(&cancel.reply);
	store_reply_free(&pay.reply);
	store_reply_free(&with_points.reply);
	shop_close(&shop);
}

Test(store_cancel, what_points_paid_alone_comes_back_as_points)
{
	struct shop shop;
	struct store_cancel cancel = {0};
	struct store_pay pay = {.use_points = 1000};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "UPDATE accounts SET points = 150 WHERE user_id = 5;"
			      "INSERT INTO ledger (user_id, unit, kind, amount, balance_after)"
			      " VALUES (5, 'points', 'opening', 150, 150)");
	shop_pay(&shop, &pay, "pay", 5, shop_held(&shop, "hold", 5, 7));
	shop_replied(pay.reply, 201,
		"{\"payment_id\":1,\"reservation_id\":1,\"status\":\"paid\",\"amount\":0,"
		"\"balance\":1000,\"points_awarded\":0}");
	check_account(&shop, SHOP_BALANCE, 50);
	shop_cancel(&shop, &cancel, 5, 1);
	shop_replied(cancel.reply, 200,
		"{\"id\":1,\"status\":\"cancelled\",\"refunded\":0,\"points_revoked\":0}");
	check_account(&shop, SHOP_BALANCE, 150);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM ledger WHERE kind = 'refund'"), 1);
	shop_sound(&shop);
	store_reply_free(&cancel.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_cancel, in_a_batch_each_sees_what_those_before_it_gave_back)
{
	enum { COUNT = 4 };
	struct shop shop;
	struct store_pay pay = {0};
	struct store_cancel cancels[COUNT] = {0};
	struct shop_answer answers[COUNT];
	int64_t ids[2];

	shop_open(&shop, 1, 1);
	ids[0] = shop_held(&shop, "h1", 5, 7);
	ids[1] = shop_held(&shop, "h2", 5, 8);
	shop_pay(&shop, &pay, "p1", 5, ids[0]);
	shop_pay(&shop, &pay, "p2", 5, ids[1]);
	for (int i = 0; i < COUNT; i++) {
		cancels[i].user_id = 5;
		cancels[i].reservation_id = ids[i % 2];
		cancels[i].request_id = "request-1";
		shop_expect(&cancels[i].op, &answers[i]);
		store_cancel(shop.pg, &cancels[i]);
	}
	for (int i = 0; i < COUNT; i++)
		shop_await(&shop, &answers[i]);
	for (int i = 0; i < 2; i++) {
		cr_expect(cancels[i].freed != cancels[i + 2].freed);
		shop_replied(cancels[i].reply, 200, cancels[i + 2].reply.body);
	}
	check_account(&shop, SHOP_BALANCE, 0);
	shop_sound(&shop);
	for (int i = 0; i < COUNT; i++)
		store_reply_free(&cancels[i].reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}
