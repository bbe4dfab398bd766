/* The functions of db/functions/ and the schema's own guards, spoken to directly: what several sessions see
 * of each other, which no single process could show. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/embed.h"
#include "tests/live/shop.h"
#include "tests/support/wait.h"

EMBED(functions_sql, "tests/live/functions.sql");

enum { SESSIONS = 20, TEXT_SIZE = 1024 };

static void open_shop(struct shop *shop)
{
	shop_open(shop, 0, 0);
	database_run(shop->db, functions_sql);
}

static void text_of(PGconn *db, const char *sql, char text[TEXT_SIZE])
{
	PGresult *result = database_query(db, sql, 0, NULL);

	cr_assert_eq(PQntuples(result), 1);
	snprintf(text, TEXT_SIZE, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
}

static void send(PGconn *db, const char *sql)
{
	cr_assert(PQsendQuery(db, sql), "%s", PQerrorMessage(db));
}

static void receive(PGconn *db, char text[TEXT_SIZE])
{
	PGresult *result = PQgetResult(db);

	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
	snprintf(text, TEXT_SIZE, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	cr_assert_null(PQgetResult(db));
}

static void until_blocked(struct shop *shop, int64_t count)
{
	uint64_t give_up_ms = now_ms() + 20000;

	while (shop_blocked(shop) < count)
		cr_assert_lt(now_ms(), give_up_ms, "nobody waits");
}

/* The statement that the schema must refuse. */
static void must_fail(struct shop *shop, const char *sql, const char *sqlstate)
{
	PGresult *result = PQexec(shop->db, sql);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	cr_expect_str_eq(state != NULL ? state : "no error", sqlstate, "%s", sql);
	PQclear(result);
}

/* Runs a statement in many sessions that all wait for the blocking connection first, so that they are
 * all there at once. One does it, the others replay it, to the byte. */
static void same_key_at_once(struct shop *shop, const char *sql, const char *status)
{
	PGconn *sessions[SESSIONS];
	char text[TEXT_SIZE], first[TEXT_SIZE] = "", again[64];
	unsigned replays = 0;
	size_t skip;

	snprintf(again, sizeof again, "%s again ", status);
	database_run(shop->db, "BEGIN; SELECT pg_advisory_xact_lock(lock_of('k'))");
	for (int i = 0; i < SESSIONS; i++) {
		sessions[i] = database_connect(shop->url);
		send(sessions[i], sql);
	}
	until_blocked(shop, SESSIONS);
	database_run(shop->db, "COMMIT");
	for (int i = 0; i < SESSIONS; i++) {
		receive(sessions[i], text);
		skip = strncmp(text, again, strlen(again)) == 0 ? strlen(again)
								: strlen(status) + 1;
		replays += skip == strlen(again);
		cr_expect_eq(strncmp(text, status, strlen(status)), 0, "%s", text);
		if (first[0] == '\0')
			snprintf(first, sizeof first, "%s", text + skip);
		cr_expect_str_eq(text + skip, first);
		PQfinish(sessions[i]);
	}
	cr_expect_eq(replays, SESSIONS - 1);
	shop_sound(shop);
}

Test(functions, one_key_in_many_sessions_holds_once)
{
	struct shop shop;

	open_shop(&shop);
	same_key_at_once(&shop, "SELECT hold_one('k', 7)", "201");
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 1);
	shop_close(&shop);
}

Test(functions, one_key_in_many_sessions_is_refused_once)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	text_of(shop.db, "SELECT hold_one('other', 7)", text);
	same_key_at_once(&shop, "SELECT hold_one('k', 7)", "409");
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM idempotency"), 2);
	shop_close(&shop);
}

Test(functions, one_key_in_many_sessions_pays_once)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	text_of(shop.db, "SELECT hold_one('hold', 7)", text);
	same_key_at_once(&shop, "SELECT pay_one('k', 1)", "201");
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 900);
	shop_close(&shop);
}

Test(functions, one_key_in_many_sessions_charges_once)
{
	struct shop shop;

	open_shop(&shop);
	same_key_at_once(&shop, "SELECT charge_one('k', 50)", "201");
	cr_expect_eq(shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), 1050);
	shop_close(&shop);
}

Test(functions, what_was_rolled_back_is_done_afresh_by_who_waited)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	PGconn *other = database_connect(shop.url);
	database_run(shop.db, "BEGIN");
	text_of(shop.db, "SELECT hold_one('k', 7)", text);
	send(other, "SELECT hold_one('k', 7)");
	until_blocked(&shop, 1);
	database_run(shop.db, "ROLLBACK");
	receive(other, text);
	cr_expect_eq(strncmp(text, "201 {", 5), 0, "%s", text);
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM reservations"), 1);
	shop_sound(&shop);
	PQfinish(other);
	shop_close(&shop);
}

Test(functions, a_seat_that_was_just_taken_is_refused_to_who_waited)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	PGconn *other = database_connect(shop.url);
	database_run(shop.db, "BEGIN");
	text_of(shop.db, "SELECT hold_one('k1', 7)", text);
	send(other, "SELECT hold_one('k2', 7)");
	until_blocked(&shop, 1);
	database_run(shop.db, "COMMIT");
	receive(other, text);
	/* The request id is `a"b`: whatever it holds, the stored document stays JSON. */
	cr_expect_str_eq(text, "409 {\"request_id\":\"a\\\"b\",\"seat_ids\":[7]}");
	shop_sound(&shop);
	PQfinish(other);
	shop_close(&shop);
}

/* A payment and a hold that takes the lapsed seat over, at once: the one that has the seat first decides. */
Test(functions, a_payment_that_waited_for_a_take_over_is_too_late)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	PGconn *other = database_connect(shop.url);
	text_of(shop.db, "SELECT hold_one('old', 7)", text);
	shop_lapse(&shop, 1);
	database_run(shop.db, "BEGIN");
	text_of(shop.db, "SELECT hold_one('new', 7)", text);
	cr_expect_eq(strncmp(text, "201 {", 5), 0, "%s", text);
	send(other, "SELECT pay_one('pay', 1)");
	until_blocked(&shop, 1);
	database_run(shop.db, "COMMIT");
	receive(other, text);
	cr_expect_str_eq(text, "410 410:r\"}");
	cr_expect_eq(
		shop_number(&shop, "SELECT balance FROM accounts WHERE user_id = 5"), SHOP_BALANCE);
	shop_sound(&shop);
	PQfinish(other);
	shop_close(&shop);
}

Test(functions, a_sweep_that_meets_a_payment_leaves_the_hold_to_it)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	PGconn *other = database_connect(shop.url);
	text_of(shop.db, "SELECT hold_one('hold', 7)", text);
	database_run(other, "BEGIN");
	text_of(other, "SELECT pay_one('pay', 1)", text);
	cr_expect_eq(strncmp(text, "201 {", 5), 0, "%s", text);
	cr_expect_eq(
		shop_number(&shop, "WITH late AS (SELECT set_config('lock_timeout', '5s', false))"
				   " SELECT swept FROM late, sweep(10)"),
		0);
	database_run(other, "COMMIT");
	cr_expect_eq(shop_number(&shop, "SELECT count(*) FROM sold"), 1);
	shop_sound(&shop);
	PQfinish(other);
	shop_close(&shop);
}

Test(functions, the_schema_refuses_what_no_function_would_write)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	text_of(shop.db, "SELECT hold_one('hold', 7)", text);
	text_of(shop.db, "SELECT pay_one('pay', 1)", text);
	must_fail(&shop, "INSERT INTO sold VALUES (7, 2, 1)", "23505");
	must_fail(&shop,
		"INSERT INTO payments (reservation_id, user_id, amount, currency, points_used, points_awarded)"
		" VALUES (1, 5, 100, 'KRW', 0, 0)",
		"23505");
	must_fail(&shop, "UPDATE accounts SET balance = -1 WHERE user_id = 5", "23514");
	must_fail(&shop, "UPDATE accounts SET points = -1 WHERE user_id = 5", "23514");
	must_fail(&shop, "UPDATE seats SET status = 'held' WHERE id = 8", "23514");
	must_fail(&shop, "UPDATE seats SET status = 'sold' WHERE id = 8", "23514");
	must_fail(&shop, "UPDATE ledger SET amount = 1", "P0001");
	must_fail(&shop, "DELETE FROM ledger", "P0001");
	must_fail(&shop, "TRUNCATE ledger", "P0001");
	must_fail(&shop, "INSERT INTO users (email) VALUES ('BUYER-7@onsale.test')", "23505");
	must_fail(&shop,
		"INSERT INTO idempotency (key, body, status, reply)"
		" SELECT key, body, status, reply FROM idempotency",
		"23505");
	shop_close(&shop);
}

Test(functions, rows_are_named_as_on_a_seating_plan)
{
	struct shop shop;
	char text[TEXT_SIZE];

	open_shop(&shop);
	text_of(shop.db,
		"SELECT string_agg(row_name(n), ' ' ORDER BY o) FROM"
		" unnest('{0,25,26,51,52,701,702,18277,18278}'::bigint[]) WITH ORDINALITY AS t(n, o)",
		text);
	cr_expect_str_eq(text, "A Z AA AZ BA ZZ AAA ZZZ AAAA");
	text_of(shop.db, "SELECT rfc3339('2026-11-21 12:34:56.7899+09'::timestamptz)", text);
	cr_expect_str_eq(text, "2026-11-21T03:34:56.789Z");
	shop_close(&shop);
}
