/* Charges, balances, sign-up, log-in records, log-outs, the sweep, and single reservations, through the
 * stores. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "db/store_revocations.h"
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

static void sign_up(
	struct shop *shop, struct store_sign_up *sign_up, const char *email, const char *hash)
{
	struct shop_answer answer;

	sign_up->email = email;
	sign_up->name = "Name";
	sign_up->password_hash = hash;
	shop_expect(&sign_up->op, &answer);
	store_sign_up(shop->pg, sign_up);
	shop_await(shop, &answer);
}

Test(store_sign_up, makes_a_person_once_and_finds_it_again_by_its_hash)
{
	struct shop shop;
	struct store_sign_up first, again;

	shop_open(&shop, 1, 1);
	sign_up(&shop, &first, "New@onsale.test", "hash 1");
	cr_expect(!first.taken && first.user_id > 0);
	sign_up(&shop, &again, "nEW@onsale.test", "hash 2");
	cr_expect(again.taken && again.user_id == 0);
	sign_up(&shop, &again, "New@onsale.test", "hash 1"); /* as after a lost reply */
	cr_expect(!again.taken && again.user_id == first.user_id);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM users u JOIN accounts a ON"
					" a.user_id = u.id WHERE lower(email) = 'new@onsale.test'"
					" AND role = 'buyer' AND balance = 0"),
		1);
	shop_sound(&shop);
	shop_close(&shop);
}

static struct digest token_of(int number)
{
	struct digest_part part = {&number, sizeof number};

	return digest_of(&part, 1);
}

static void revoke_all(struct shop *shop, struct store_revoke *revokes, int count)
{
	struct shop_answer answers[16];

	for (int i = 0; i < count; i++) {
		shop_expect(&revokes[i].op, &answers[i]);
		store_revoke(shop->pg, &revokes[i]);
	}
	for (int i = 0; i < count; i++) {
		shop_await(shop, &answers[i]);
		cr_expect_eq(answers[i].result, DB_OK);
	}
}

static void read_revoked(
	struct shop *shop, struct store_revoked *revoked, int64_t after, int64_t limit)
{
	struct shop_answer answer;

	*revoked = (struct store_revoked){.after = after, .limit = limit};
	shop_expect(&revoked->op, &answer);
	store_revoked(shop->pg, revoked);
	shop_await(shop, &answer);
}

Test(store_revocations, are_kept_once_and_read_by_revision)
{
	struct shop shop;
	struct store_revoked page;
	struct store_revoke revokes[] = {
		{.token = token_of(1), .user_id = 5, .expires_unix_s = 4000000000},
		{.token = token_of(2), .user_id = 6, .expires_unix_s = INT64_MAX},
		{.token = token_of(1), .user_id = 5, .expires_unix_s = 4000000000}};

	shop_open(&shop, 1, 1);
	revoke_all(&shop, revokes, 3);
	revoke_all(&shop, revokes, 1);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM revocations"), 2);
	read_revoked(&shop, &page, 0, 1);
	cr_assert_eq(page.count, 1);
	cr_expect_arr_eq(page.list[0].token.bytes, revokes[0].token.bytes, DIGEST_SIZE);
	cr_expect_eq(page.list[0].expires_unix_s, 4000000000);
	int64_t seen = page.list[0].revision;
	store_revoked_free(&page);
	read_revoked(&shop, &page, seen, 10);
	cr_assert_eq(page.count, 1);
	cr_expect(page.list[0].revision > seen);
	cr_expect_arr_eq(page.list[0].token.bytes, revokes[1].token.bytes, DIGEST_SIZE);
	seen = page.list[0].revision;
	store_revoked_free(&page);
	read_revoked(&shop, &page, seen, 10);
	cr_expect(page.count == 0 && page.list == NULL);
	shop_close(&shop);
}

/* A log-out that has not committed holds the later ones back: no reader sees these before it. */
Test(store_revocations, none_becomes_visible_after_a_higher_revision)
{
	struct shop shop;
	struct shop_answer answer;
	struct store_revoke later = {
		.token = token_of(2), .user_id = 6, .expires_unix_s = 4000000000};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "BEGIN; SELECT revoke('{first}', '{5}', '{4000000000}')");
	PGconn *reader = database_connect(shop.url);
	shop_expect(&later.op, &answer);
	store_revoke(shop.pg, &later);
	SHOP_UNTIL(&shop, shop_blocked(&shop) > 0);
	cr_expect_eq(database_i64(reader, "SELECT count(*) FROM revocations", 0, NULL), 0);
	database_run(shop.db, "COMMIT");
	shop_await(&shop, &answer);
	cr_expect_eq(answer.result, DB_OK);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM revocations a, revocations b"
					" WHERE a.token = 'first' AND a.revision < b.revision"),
		1);
	PQfinish(reader);
	shop_close(&shop);
}

static void sweep(struct shop *shop, struct store_sweep *sweep, int64_t limit)
{
	struct shop_answer answer;

	sweep->limit = limit;
	sweep->keep_days = 30;
	shop_expect(&sweep->op, &answer);
	store_sweep(shop->pg, sweep);
	shop_await(shop, &answer);
}

Test(store_sweep, ends_what_lapsed_oldest_first_and_passes_locked_rows_by)
{
	struct shop shop;
	struct store_sweep swept = {0};
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
	struct store_sweep swept = {0};

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

Test(store_sweep, drops_what_nobody_is_told)
{
	struct shop shop;
	struct store_sweep swept = {.nobody_told = true};

	shop_open(&shop, 1, 1);
	database_run(shop.db, "INSERT INTO outbox_pending (event_ids) VALUES ('{1,2}'), ('{3}')");
	sweep(&shop, &swept, 1);
	cr_expect_eq(swept.untold_dropped, 1);
	cr_expect_eq(shop_number(&shop, "SELECT event_ids[1] FROM outbox_pending"), 3);
	swept.nobody_told = false;
	sweep(&shop, &swept, 10);
	cr_expect_eq(swept.untold_dropped, 0);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM outbox_pending"), 1);
	shop_close(&shop);
}

Test(store_sweep, drops_events_that_were_told_long_ago)
{
	struct shop shop;
	struct store_sweep swept = {0};

	shop_open(&shop, 1, 1);
	database_run(shop.db,
		"INSERT INTO outbox (id, reservation_id, kind, payload, created_at) "
		"SELECT n, n, 'k', '{}', now() - CASE WHEN n < 6 THEN interval '30 days 3 hours' - n * interval '1 hour' "
		"ELSE interval '29 days' END FROM generate_series(1, 8) AS n; "
		"INSERT INTO outbox_pending (event_ids, created_at) "
		"SELECT ARRAY[id], created_at FROM outbox WHERE id = 3");
	sweep(&shop, &swept, 1);
	cr_expect_eq(swept.events_dropped, 1);
	sweep(&shop, &swept, 100);
	cr_expect_eq(
		swept.events_dropped, 0, "the one that is not told holds up what happened near it");
	database_run(shop.db, "DELETE FROM outbox_pending");
	sweep(&shop, &swept, 100);
	cr_expect_eq(swept.events_dropped, 2);
	sweep(&shop, &swept, 100);
	cr_expect_eq(swept.events_dropped, 0);
	cr_expect_eq(shop_number(&shop, "SELECT sum(reservation_id) FROM outbox"),
		4 + 5 + 6 + 7 + 8, "what happened lately stays");
	cr_expect_eq(shop_number(&shop, "SELECT events_dropped FROM sweep(100, 0)"), 0);
	cr_expect_eq(shop_number(&shop, "SELECT events_dropped FROM sweep(100, 29)"), 5);
	shop_close(&shop);
}

Test(store_sweep, drops_log_outs_a_minute_after_their_tokens_expired)
{
	struct shop shop;
	struct store_sweep swept = {0};

	shop_open(&shop, 1, 1);
	database_run(shop.db,
		"INSERT INTO revocations (token, user_id, expires_at) VALUES"
		" ('a', 5, now() - interval '62 seconds'), ('b', 5, now() - interval '61 seconds'),"
		" ('c', 5, now() - interval '50 seconds'), ('d', 5, now() + interval '1 hour')");
	sweep(&shop, &swept, 1);
	cr_expect_eq(swept.revocations_dropped, 1);
	sweep(&shop, &swept, 10);
	cr_expect_eq(swept.revocations_dropped, 1);
	cr_expect_eq(
		shop_number(&shop, "SELECT count(*) FROM revocations WHERE token IN ('c', 'd')"),
		2);
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
