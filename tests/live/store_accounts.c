/* Charges, balances, log-in records, the sweep, and single reservations, through the stores. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/problem.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

static void charge_submit(struct shop *shop, struct store_charge *charge,
	struct shop_answer *answer, const char *key, int64_t user_id, int64_t amount)
{
	char body[32];

	snprintf(body, sizeof body, "%lld", (long long)amount);
	charge->idem = shop_idem(key, body);
	charge->user_id = user_id;
	charge->amount = amount;
	shop_expect(&charge->op, answer);
	store_charge(shop->pg, charge);
}

static void charge(struct shop *shop, struct store_charge *charge, const char *key, int64_t user_id,
	int64_t amount)
{
	struct shop_answer answer;

	charge_submit(shop, charge, &answer, key, user_id, amount);
	shop_await(shop, &answer);
}

Test(store_charge, adds_once_under_a_key)
{
	struct shop shop;
	struct store_charge first = {0}, again = {0};
	char body[128];

	shop_open(&shop, 1, 1);
	charge(&shop, &first, "k", 5, 250);
	snprintf(body, sizeof body, "{\"id\":%lld,\"amount\":250,\"balance\":1250}",
		(long long)shop_number(&shop, "SELECT id FROM ledger WHERE kind = 'charge'"));
	shop_replied(first.reply, 201, body);
	charge(&shop, &again, "k", 5, 250);
	shop_replied(again.reply, 201, body);
	cr_expect(again.reply.replayed);
	charge(&shop, &again, "k", 5, 251);
	cr_expect_eq(again.outcome, STORE_KEY_REUSED);
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 1250);
	shop_sound(&shop);
	store_reply_free(&first.reply);
	store_reply_free(&again.reply);
	shop_close(&shop);
}

Test(store_charge, in_a_batch_the_same_account_adds_up)
{
	enum { COUNT = 20 };
	struct shop shop;
	struct store_charge charges[COUNT] = {0};
	struct shop_answer answers[COUNT];
	char keys[COUNT][8];

	shop_open(&shop, 1, 1);
	for (int i = 0; i < COUNT; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		charge_submit(&shop, &charges[i], &answers[i], keys[i], 5 + i % 2, 1 + i);
	}
	for (int i = 0; i < COUNT; i++) {
		shop_await(&shop, &answers[i]);
		cr_expect_eq(charges[i].reply.status, 201);
		store_reply_free(&charges[i].reply);
	}
	cr_expect_eq(
		shop_number(&shop, "SELECT sum(balance) FROM accounts WHERE user_id IN (5, 6)"),
		2 * SHOP_BALANCE + COUNT * (COUNT + 1) / 2);
	shop_sound(&shop);
	shop_close(&shop);
}

Test(store_charge, an_unknown_person_and_a_full_account_are_refused_and_not_kept)
{
	struct shop shop;
	struct store_charge refused = {0};

	shop_open(&shop, 1, 1);
	charge(&shop, &refused, "nobody", 99999, 1);
	cr_expect_eq(refused.outcome, STORE_NOT_FOUND);
	charge(&shop, &refused, "full", 5, 1000000000000000 - SHOP_BALANCE + 1);
	cr_expect_eq(refused.outcome, STORE_REFUSED);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 0);
	charge(&shop, &refused, "brim", 5, 1000000000000000 - SHOP_BALANCE);
	cr_expect_eq(refused.reply.status, 201);
	shop_sound(&shop);
	store_reply_free(&refused.reply);
	shop_close(&shop);
}

Test(store_balance, each_reads_its_own)
{
	struct shop shop;
	struct store_balance balances[3] = {{.user_id = 7}, {.user_id = 99999}, {.user_id = 5}};
	struct shop_answer answers[3];

	shop_open(&shop, 1, 1);
	database_run(shop.db, "UPDATE accounts SET balance = 3, points = 4 WHERE user_id = 5");
	for (int i = 0; i < 3; i++) {
		shop_expect(&balances[i].op, &answers[i]);
		store_balance(shop.pg, &balances[i]);
	}
	for (int i = 0; i < 3; i++)
		shop_await(&shop, &answers[i]);
	cr_expect(balances[0].found && balances[0].balance == SHOP_BALANCE &&
		  balances[0].points == 0);
	cr_expect_not(balances[1].found);
	cr_expect(balances[2].found && balances[2].balance == 3 && balances[2].points == 4);
	shop_close(&shop);
}

static void login(struct shop *shop, struct store_login *login, const char *email)
{
	struct shop_answer answer;

	login->email = email;
	shop_expect(&login->op, &answer);
	store_login(shop->pg, login);
	shop_await(shop, &answer);
}

Test(store_login, finds_by_address_whatever_its_case_who_has_a_password)
{
	struct shop shop;
	struct store_login found;

	shop_open(&shop, 1, 1);
	login(&shop, &found, "bUYER-1@ONSALE.test");
	cr_expect(found.found && found.user_id == 1 && found.admin);
	cr_expect_str_eq(found.password_hash, "$argon2id$1");
	login(&shop, &found, "buyer-2@onsale.test");
	cr_expect(found.found && found.user_id == 2 && !found.admin);
	login(&shop, &found, "buyer-3@onsale.test"); /* has no password */
	cr_expect_not(found.found);
	login(&shop, &found, "nobody@onsale.test");
	cr_expect_not(found.found);
	shop_close(&shop);
}

static void sweep(struct shop *shop, struct store_sweep *sweep, int64_t limit)
{
	struct shop_answer answer;

	sweep->limit = limit;
	shop_expect(&sweep->op, &answer);
	store_sweep(shop->pg, sweep);
	shop_await(shop, &answer);
}

Test(store_sweep, ends_what_lapsed_oldest_first_and_passes_locked_rows_by)
{
	struct shop shop;
	struct store_sweep swept;
	struct store_pay pay = {0};
	static const char *const keys[] = {"k1", "k2", "k3", "k4"};

	shop_open(&shop, 1, 1);
	for (int i = 0; i < 4; i++)
		shop_held(&shop, keys[i], 5, i + 1);
	for (int i = 3; i > 0; i--)
		shop_lapse(&shop, i); /* 3 lapsed first, then 2, then 1 */
	sweep(&shop, &swept, 1);
	cr_expect_eq(swept.swept, 1);
	cr_expect_eq(shop_number(&shop, "SELECT id FROM reservations WHERE status = 'expired'"), 3);
	database_run(shop.db, "BEGIN; SELECT FROM reservations WHERE id = 2 FOR UPDATE");
	sweep(&shop, &swept, 10);
	cr_expect_eq(swept.swept, 1);
	database_run(shop.db, "COMMIT");
	sweep(&shop, &swept, 10);
	cr_expect_eq(swept.swept, 1);
	cr_expect_eq(shop_number(&shop,
			     "SELECT count(*) FROM outbox WHERE kind = 'reservation.expired'"),
		3);
	shop_pay(&shop, &pay, "pay", 5, 4); /* the one that did not lapse */
	cr_expect(pay.paid);
	shop_held(&shop, "next", 6, 1); /* the swept one's seat */
	shop_sound(&shop);
	store_reply_free(&pay.reply);
	shop_close(&shop);
}

Test(store_sweep, drops_keys_after_24_hours)
{
	struct shop shop;
	struct store_sweep swept;

	shop_open(&shop, 1, 1);
	shop_held(&shop, "k1", 5, 1);
	shop_held(&shop, "k2", 5, 2);
	shop_held(&shop, "k3", 5, 3);
	database_run(shop.db,
		"UPDATE idempotency SET created_at = now() - interval '24 hours 1 second'"
		" WHERE reservation_id <= 2");
	sweep(&shop, &swept, 1);
	cr_expect_eq(swept.keys_dropped, 1);
	sweep(&shop, &swept, 10);
	cr_expect_eq(swept.keys_dropped, 1);
	cr_expect_eq(swept.swept, 0);
	cr_expect_eq(shop_number(&shop, "SELECT reservation_id FROM idempotency"), 3);
	shop_close(&shop);
}

static bool keys_known(struct shop *shop, int64_t event_id)
{
	struct store_keys_known known = {.event_id = event_id};
	struct shop_answer answer;

	shop_expect(&known.op, &answer);
	store_keys_known(shop->pg, &known);
	shop_await(shop, &answer);
	return known.any;
}

Test(store_keys, are_known_once_a_seat_of_the_event_was_held)
{
	struct shop shop;
	struct store_cancel cancel = {0};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "INSERT INTO events (title, venue) VALUES ('another', '')");
	cr_expect_not(keys_known(&shop, 1));
	shop_cancel(&shop, &cancel, 5, shop_held(&shop, "k", 5, 7));
	cr_expect(keys_known(&shop, 1));
	cr_expect_not(keys_known(&shop, 2));
	store_reply_free(&cancel.reply);
	shop_close(&shop);
}

static void read_one(
	struct shop *shop, struct store_reservation *one, int64_t user_id, int64_t reservation_id)
{
	struct shop_answer answer;

	one->user_id = user_id;
	one->reservation_id = reservation_id;
	one->currency = "KRW";
	shop_expect(&one->op, &answer);
	store_reservation(shop->pg, one);
	shop_await(shop, &answer);
}

Test(store_reservation, is_shown_to_its_owner_as_it_is_now)
{
	struct shop shop;
	struct store_hold hold = {0};
	struct store_reservation one = {0};
	const int64_t seats[] = {8, 7};

	shop_open(&shop, 1, 1);
	shop_hold(&shop, &hold, "k", 5, seats, 2);
	read_one(&shop, &one, 5, 1);
	cr_expect_eq(one.outcome, STORE_REPLY);
	shop_replied(one.reply, 200, hold.reply.body);
	read_one(&shop, &one, 6, 1);
	cr_expect_eq(one.outcome, STORE_NOT_FOUND);
	shop_lapse(&shop, 1);
	read_one(&shop, &one, 5, 1);
	cr_expect(
		strstr(one.reply.body, "{\"id\":1,\"status\":\"expired\",\"performance_id\":1,") ==
		one.reply.body);
	database_run(shop.db, "UPDATE reservations SET status = 'cancelled', ended_at = now()");
	read_one(&shop, &one, 5, 1);
	cr_expect(strstr(one.reply.body, "\"status\":\"cancelled\"") != NULL);
	store_reply_free(&one.reply);
	store_reply_free(&hold.reply);
	shop_close(&shop);
}
