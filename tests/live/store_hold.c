/* Holds through the store: what is replied, what is kept, what is written, and who gets a seat. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/problem.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

static void taken_body(char *text, size_t size, const char *seats)
{
	snprintf(text, size, "%srequest-1\",\"seat_ids\":[%s]}",
		problem_head(PROBLEM_SEAT_UNAVAILABLE), seats);
}

Test(store_hold, all_seats_are_held_and_the_reply_is_the_contract_s)
{
	struct shop shop;
	struct store_hold hold = {0};
	const int64_t seats[] = {12, 3, 11};
	char body[1024], expires[32];

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "k", 5, seats, 3);
	cr_assert_eq(hold.outcome, STORE_REPLY);
	cr_expect_eq(hold.reservation_id, 1);
	cr_expect(hold.hold_left_ms > 290000 && hold.hold_left_ms <= 300000);
	cr_expect_not(hold.reply.replayed);
	PGresult *result = database_query(
		shop.db, "SELECT rfc3339(hold_expires_at) FROM reservations", 0, NULL);
	snprintf(expires, sizeof expires, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	snprintf(body, sizeof body,
		"{\"id\":1,\"status\":\"held\",\"performance_id\":1,\"seats\":["
		"{\"id\":3,\"section\":\"Floor\",\"row\":\"A\",\"number\":3,\"price\":100},"
		"{\"id\":11,\"section\":\"Floor\",\"row\":\"B\",\"number\":1,\"price\":100},"
		"{\"id\":12,\"section\":\"Floor\",\"row\":\"B\",\"number\":2,\"price\":100}],"
		"\"total\":300,\"currency\":\"KRW\",\"hold_expires_at\":\"%s\"}",
		expires);
	shop_replied(hold.reply, 201, body);
	cr_expect_eq(
		shop_number(&shop,
			"SELECT count(*) FROM seats JOIN reservations r ON r.id = reservation_id"
			" WHERE seats.user_id = 5 AND seats.status = 'held' AND version = 1"
			" AND seats.hold_expires_at = r.hold_expires_at"
			" AND r.seat_ids = '{3,11,12}' AND r.seat_versions = '{1,1,1}'"
			" AND r.user_id = 5 AND r.total = 300 AND r.seat_count = 3"),
		3);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

Test(store_hold, a_taken_seat_refuses_all_and_names_which)
{
	struct shop shop;
	struct store_hold hold = {0};
	struct store_pay pay = {0};
	const int64_t seats[] = {7, 8, 9};
	char body[1024];

	shop_open(&shop, 1, 1);
	shop_held(&shop, "first", 5, 7);
	int64_t sold = shop_held(&shop, "second", 5, 9);
	shop_pay(&shop, &pay, "pay", 5, sold);
	cr_assert(pay.paid);
	shop_hold(&shop, &hold, "k", 6, seats, 3);
	taken_body(body, sizeof body, "7,9");
	shop_replied(hold.reply, 409, body);
	cr_assert_eq(hold.taken_count, 2);
	cr_expect(hold.taken_ids[0] == 7 && !hold.taken_sold[0]);
	cr_expect(hold.taken_ids[1] == 9 && hold.taken_sold[1]);
	cr_expect_eq(hold.reservation_id, 0);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 2);
	cr_expect_eq(shop_number(&shop, "SELECT version FROM seats WHERE id = 8"), 0);
	shop_sound(&shop);
	store_reply_free(&hold.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_hold, a_key_gives_the_first_reply_again_whatever_happened_since)
{
	struct shop shop;
	struct store_hold first = {0}, lost = {0}, again = {0};
	struct store_cancel cancel = {0};
	const int64_t seat = 7;

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &first, "won", 5, &seat, 1);
	shop_hold(&shop, &lost, "lost", 6, &seat, 1);
	cr_assert_eq(lost.reply.status, 409);
	shop_cancel(&shop, &cancel, 5, first.reservation_id);
	cr_assert(cancel.freed);

	shop_hold(&shop, &again, "won", 5, &seat, 1);
	shop_replied(again.reply, 201, first.reply.body);
	cr_expect(again.reply.replayed);
	cr_expect_eq(again.reservation_id, first.reservation_id);
	shop_hold(&shop, &again, "lost", 6, &seat, 1);
	shop_replied(again.reply, 409, lost.reply.body);
	cr_expect(again.reply.replayed);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 1);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 2);
	shop_sound(&shop);
	store_reply_free(&first.reply);
	store_reply_free(&lost.reply);
	store_reply_free(&again.reply);
	store_reply_free(&cancel.reply);
	shop_close(&shop);
}

Test(store_hold, a_key_with_another_body_is_refused)
{
	struct shop shop;
	struct store_hold hold = {
		.performance_id = 1, .seat_ids = {8}, .seat_count = 1, .user_id = 5};
	struct shop_answer answer;

	shop_open(&shop, 1, 1);
	shop_held(&shop, "k", 5, 7);
	hold.idem = shop_idem("k", "another body");
	hold.hold_ttl_ms = 1000;
	hold.currency = "KRW";
	shop_expect(&hold.op, &answer);
	store_hold(shop.pg, &hold);
	shop_await(&shop, &answer);
	cr_expect_eq(hold.outcome, STORE_KEY_REUSED);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 1);
	shop_close(&shop);
}

Test(store_hold, a_seat_that_is_not_the_performance_s_is_not_found_and_nothing_is_kept)
{
	struct shop shop;
	struct store_hold hold = {0};
	const int64_t foreign[] = {7, 101}, missing[] = {7, 999999};

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "k1", 5, foreign, 2);
	cr_expect_eq(hold.outcome, STORE_NOT_FOUND);
	shop_hold(&shop, &hold, "k2", 5, missing, 2);
	cr_expect_eq(hold.outcome, STORE_NOT_FOUND);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 0);
	cr_expect_eq(
		shop_number(&shop, "SELECT count(*) FROM seats WHERE status <> 'available'"), 0);
	shop_close(&shop);
}

Test(store_hold, in_a_batch_a_missing_seat_spoils_its_own_request_only)
{
	enum { COUNT = 6 };
	struct shop shop;
	struct store_hold holds[COUNT] = {0};
	struct shop_answer answers[COUNT];
	char keys[COUNT][8];

	shop_open(&shop, 1, 1);
	for (int i = 0; i < COUNT; i++) {
		int64_t seats[] = {10 + i, i % 2 == 0 ? 20 + i : 999990 + i};
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		shop_hold_submit(&shop, &holds[i], &answers[i], keys[i], 5, seats, 2);
	}
	for (int i = 0; i < COUNT; i++)
		shop_await(&shop, &answers[i]);
	for (int i = 0; i < COUNT; i++) {
		cr_expect_eq(holds[i].outcome, i % 2 == 0 ? STORE_REPLY : STORE_NOT_FOUND);
		cr_expect_eq(holds[i].reply.status, i % 2 == 0 ? 201 : 0);
		store_reply_free(&holds[i].reply);
	}
	shop_sound(&shop);
	shop_close(&shop);
}

Test(store_hold, replay_only_finds_a_key_and_holds_nothing)
{
	struct shop shop;
	struct store_hold hold = {.replay_only = true};
	const int64_t seat = 7;

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "k", 5, &seat, 1);
	cr_expect_eq(hold.outcome, STORE_KEY_UNKNOWN);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 0);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 0);
	int64_t reservation_id = shop_held(&shop, "k", 5, 7);
	shop_hold(&shop, &hold, "k", 5, &seat, 1);
	cr_expect_eq(hold.outcome, STORE_REPLY);
	cr_expect(hold.reply.replayed);
	cr_expect_eq(hold.reservation_id, reservation_id);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}

Test(store_hold, of_a_batch_that_wants_one_seat_one_gets_it)
{
	enum { COUNT = 60 };
	struct shop shop;
	struct store_hold holds[COUNT] = {0};
	struct shop_answer answers[COUNT];
	char keys[COUNT][8];
	unsigned won = 0;

	shop_open(&shop, 1, 1);
	for (int i = 0; i < COUNT; i++) {
		int64_t seats[] = {50, 1 + i % 3};
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		shop_hold_submit(&shop, &holds[i], &answers[i], keys[i], 2 + i, seats, 2);
	}
	for (int i = 0; i < COUNT; i++)
		shop_await(&shop, &answers[i]);
	for (int i = 0; i < COUNT; i++) {
		won += holds[i].reply.status == 201;
		if (holds[i].reply.status == 409)
			cr_expect_eq(holds[i].taken_ids[holds[i].taken_count - 1], 50);
		store_reply_free(&holds[i].reply);
	}
	cr_expect_eq(won, 1);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM seats WHERE status = 'held'"), 2);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), COUNT);
	shop_sound(&shop);
	shop_close(&shop);
}

Test(store_hold, a_lapsed_hold_is_taken_over_and_ended_with_its_event)
{
	struct shop shop;
	struct store_hold old = {0}, hold = {0};
	struct store_pay pay = {0};
	const int64_t seats[] = {7, 8}, seat = 8;
	char body[512];

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &old, "old", 5, seats, 2);
	shop_lapse(&shop, old.reservation_id);
	shop_hold(&shop, &hold, "new", 6, &seat, 1);
	cr_assert_eq(hold.reply.status, 201);
	cr_expect_eq(
		shop_number(&shop, "SELECT status = 'expired' FROM reservations WHERE id = 1"), 1);
	cr_expect_eq(shop_number(&shop, "SELECT version FROM seats WHERE id = 8"), 2);
	cr_expect_eq(
		shop_number(&shop, "SELECT count(*) FROM outbox WHERE reservation_id = 1"
				   " AND kind = 'reservation.expired' AND payload->>'user_id' = '5'"
				   " AND payload->>'seat_ids' = '[7,8]'"),
		1);
	shop_pay(&shop, &pay, "pay old", 5, old.reservation_id);
	snprintf(body, sizeof body, "%srequest-1\"}", problem_head(PROBLEM_HOLD_EXPIRED));
	shop_replied(pay.reply, 410, body);
	shop_pay(&shop, &pay, "pay new", 6, hold.reservation_id);
	cr_expect(pay.paid);
	shop_held(&shop, "rest", 7, 7); /* the lapsed hold's other seat is free too */
	shop_sound(&shop);
	store_reply_free(&old.reply);
	store_reply_free(&hold.reply);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_hold, a_hold_that_waited_for_the_seat_sees_what_became_of_it)
{
	struct shop shop;
	struct store_hold hold = {0};
	struct shop_answer answer;
	const int64_t seat = 7;

	shop_open(&shop, 1, 2);
	shop_held(&shop, "other", 5, 8);
	database_run(shop.db,
		"BEGIN; SELECT FROM seats WHERE id = 7 FOR UPDATE;"
		"UPDATE seats SET status = 'sold', reservation_id = 1, user_id = 5 WHERE id = 7;"
		"INSERT INTO sold VALUES (7, 1, 1)");
	shop_hold_submit(&shop, &hold, &answer, "k", 6, &seat, 1);
	SHOP_UNTIL(&shop, shop_blocked(&shop) > 0);
	database_run(shop.db, "COMMIT");
	shop_await(&shop, &answer);
	cr_expect_eq(hold.reply.status, 409);
	cr_assert_eq(hold.taken_count, 1);
	cr_expect(hold.taken_sold[0]);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}
