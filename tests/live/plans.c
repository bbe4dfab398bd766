/* How PostgreSQL does what the stores ask for, in a large house: every hot statement is run as it is in the
 * program, with auto_explain telling each plan, those inside of functions too, and no plan may read a whole
 * table. Each is run often enough that PostgreSQL has settled for its generic plan.
 *
 * They are asked twice: of plans that were made while each table was a page, which a lane keeps while they
 * grow, and of plans made when PostgreSQL knew how large they are. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/embed.h"
#include "tests/live/shop.h"

EMBED(plans_sql, "tests/live/plans.sql");
EMBED(plans_hold_sql, "db/statements/hold.sql");
EMBED(plans_hold_optimistic_sql, "db/statements/hold_optimistic.sql");
EMBED(plans_hold_quantity_sql, "db/statements/hold_quantity.sql");
EMBED(plans_pay_sql, "db/statements/pay.sql");
EMBED(plans_cancel_sql, "db/statements/cancel.sql");
EMBED(plans_charge_sql, "db/statements/charge.sql");
EMBED(plans_sweep_sql, "db/statements/sweep.sql");
EMBED(plans_outbox_take_sql, "db/statements/outbox_take.sql");
EMBED(plans_outbox_mark_sql, "db/statements/outbox_mark.sql");
EMBED(plans_keys_known_sql, "db/statements/keys_known.sql");
EMBED(plans_places_used_sql, "db/statements/places_used.sql");
EMBED(plans_reservation_sql, "db/statements/reservation.sql");
EMBED(plans_reservation_page_sql, "db/statements/reservation_page.sql");
EMBED(plans_balance_sql, "db/statements/balance.sql");
EMBED(plans_login_sql, "db/statements/login.sql");
EMBED(plans_sign_up_sql, "db/statements/sign_up.sql");
EMBED(plans_identify_sql, "db/statements/identify.sql");
EMBED(plans_me_sql, "db/statements/me.sql");
EMBED(plans_ledger_page_sql, "db/statements/ledger_page.sql");
EMBED(plans_revoked_sql, "db/statements/revoked.sql");
EMBED(plans_availability_sql, "db/statements/availability.sql");
EMBED(plans_seat_list_sql, "db/statements/seat_list.sql");
EMBED(plans_seat_letters_sql, "db/statements/seat_letters.sql");
EMBED(plans_shuffle_publish_sql, "db/statements/shuffle_publish.sql");
EMBED(plans_shuffle_page_sql, "db/statements/shuffle_page.sql");
EMBED(plans_shuffle_number_sql, "db/statements/shuffle_number.sql");
EMBED(plans_stats_sql, "db/statements/stats.sql");

EMBED(plans_calls_sql, "tests/live/plans_calls.sql");

enum { RUNS = 6, STATEMENT_SIZE = 4096, PLANS_LIMIT = 64 * 1024 * 1024 };

static const char *const large_tables[] = {"seats", "users", "accounts", "reservations", "ledger",
	"idempotency", "sold", "payments", "outbox", "outbox_pending", "revocations", "identities",
	"shuffle_entrants"};

/* call: of the prepared statement; run() and held() are of plans_calls.sql. */
struct hot {
	const char *name, *sql, *call;
};

static const struct hot hots[] = {
	/* Two free seats, and the two of a lapsed hold. */
	{"hold", plans_hold_sql,
		"EXECUTE hold('{1,2}', keys('hold'), '{b,b}', '{r,r}', '{5,6}', '{1,1}', '{60000,60000}',"
		" '{f,f}', '{1,3}', '{2,4}', '{3,4,1,2}', ARRAY[800 * run() + 3, 800 * run() + 4,"
		" 9000 + 10 * run(), 9001 + 10 * run()], 'KRW', '{x}', '{0,0}', 10)"},
	{"hold_optimistic", plans_hold_optimistic_sql,
		"EXECUTE hold_optimistic('{1,2}', keys('hold_optimistic'), '{b,b}', '{r,r}', '{5,6}', '{1,1}',"
		" '{60000,60000}', '{f,f}', '{1,3}', '{2,4}', '{3,4,1,2}', ARRAY[800 * run() + 11,"
		" 800 * run() + 12, 9005 + 10 * run(), 9006 + 10 * run()], 'KRW', '{x}', '{0,0}', 10)"},
	/* One of any section, and one of the second; with a lock for the limit. */
	{"hold_quantity", plans_hold_quantity_sql,
		"EXECUTE hold_quantity('{7,8}', keys('hold_quantity'), '{b,b}', '{r,r}', '{7,8}', '{1,1}',"
		" '{60000,60000}', '{f,f}', '{2,3}', ARRAY[NULL, 'B'], 'KRW', '{x}', '{0,0}', 10, run() % 2 = 1)"},
	{"pay", plans_pay_sql,
		"EXECUTE pay('{3,4}', keys('pay'), '{b,b}', '{r,r}', ARRAY[held(), 7], ARRAY[held(), 8],"
		" '{0,0}', '{10,10}', 'KRW', '{x,x,x,x}')"},
	/* One that is held, and one that is paid. */
	{"cancel", plans_cancel_sql,
		"EXECUTE cancel(ARRAY[held() + 4, held() + 3], ARRAY[held() + 4, held() + 3], '{r,r}', '{x}')"},
	{"charge", plans_charge_sql,
		"EXECUTE charge('{5,6}', keys('charge'), '{b,b}', '{8,9}', '{100,100}')"},
	{"sweep", plans_sweep_sql, "EXECUTE sweep(10, 30, true)"},
	{"outbox_take", plans_outbox_take_sql, "EXECUTE outbox_take(1, 3000, 100)"},
	{"outbox_mark", plans_outbox_mark_sql,
		"EXECUTE outbox_mark(ARRAY[held(), held() + 1, held() + 2])"},
	{"keys_known", plans_keys_known_sql, "EXECUTE keys_known(10)"},
	{"places_used", plans_places_used_sql,
		"EXECUTE places_used('{1,1,2}', ARRAY[held(), held() + 3, 9], '{0,0,0}', '{0,0,7}')"},
	{"reservation", plans_reservation_sql,
		"EXECUTE reservation(ARRAY[held(), 9], ARRAY[held(), 9], 'KRW')"},
	{"reservation_page", plans_reservation_page_sql,
		"EXECUTE reservation_page(held(), 0, 50, 'KRW')"},
	{"balance", plans_balance_sql, "EXECUTE balance('{1,2,99999}')"},
	{"login", plans_login_sql, "EXECUTE login('P7@onsale.test')"},
	{"sign_up", plans_sign_up_sql, "EXECUTE sign_up('Early-1@onsale.test', '', 'hash')"},
	{"identify", plans_identify_sql,
		"EXECUTE identify('{i,i,i}', subjects(), ARRAY['', '', 'late' || run() || '@onsale.test'],"
		" '{x,x,x}')"},
	{"me", plans_me_sql, "EXECUTE me('{1,2,99999}', 'KRW')"},
	{"ledger_page", plans_ledger_page_sql, "EXECUTE ledger_page(9, 0, 50)"},
	{"revoked", plans_revoked_sql, "EXECUTE revoked(40000, 100)"},
	{"availability", plans_availability_sql, "EXECUTE availability('{1,2,10}')"},
	{"seat_list", plans_seat_list_sql, "EXECUTE seat_list(1)"},
	{"seat_letters", plans_seat_letters_sql, "EXECUTE seat_letters(1)"},
	/* Each run publishes the list of an event of its own, which nobody is in. */
	{"shuffle_publish", plans_shuffle_publish_sql,
		"EXECUTE shuffle_publish(shuffled(), 1, 'digest', 0, 137438953472)"},
	{"shuffle_page", plans_shuffle_page_sql, "EXECUTE shuffle_page(1, 100, 2000)"},
	{"shuffle_number", plans_shuffle_number_sql,
		"EXECUTE shuffle_number(ARRAY[1, 1, shuffled()], '{7,8,9}')"},
	{"stats", plans_stats_sql, "EXECUTE stats(1)"},
};

static void keep_plan(void *context, const PGresult *result)
{
	buf_append_text(context, PQresultErrorMessage(result));
}

/* A session with all statements prepared, whose plans go into `plans`. */
static PGconn *explained(struct shop *shop, struct buf *plans)
{
	PGconn *db = database_connect(shop->url);
	char sql[STATEMENT_SIZE];

	database_run(db,
		"LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
		"SET auto_explain.log_nested_statements = on; SET client_min_messages = log");
	PQsetNoticeReceiver(db, keep_plan, plans);
	for (size_t i = 0; i < ARRAY_LEN(hots); i++) {
		int len = snprintf(sql, sizeof sql, "PREPARE %s AS %s", hots[i].name, hots[i].sql);
		cr_assert(len > 0 && (size_t)len < sizeof sql);
		database_run(db, sql);
	}
	return db;
}

static void run_all(
	PGconn *db, struct buf *plans, int first_run, void (*judge)(const char *, struct buf *))
{
	char sql[64];

	for (size_t i = 0; i < ARRAY_LEN(hots); i++) {
		buf_clear(plans);
		for (int run = first_run; run < first_run + RUNS; run++) {
			snprintf(sql, sizeof sql, "SET plans.run = %d", run);
			database_run(db, sql);
			database_run(db, hots[i].call);
		}
		cr_assert_not(plans->failed);
		if (judge != NULL)
			judge(hots[i].name, plans);
	}
}

/* The first table that a plan reads whole, or NULL. */
static const char *scanned(const struct buf *plans)
{
	char scan[64];

	for (size_t i = 0; i < ARRAY_LEN(large_tables); i++) {
		snprintf(scan, sizeof scan, "Seq Scan on %s ", large_tables[i]);
		if (strstr(plans->data, scan) != NULL)
			return large_tables[i];
	}
	return NULL;
}

static void judge(const char *name, struct buf *plans)
{
	const char *table = scanned(plans);

	cr_expect_not_null(strstr(plans->data, "Index"), "%s: no plan of it was seen", name);
	cr_expect_null(table, "%s reads all of %s:\n%s", name, table, plans->data);
}

Test(plans, no_hot_statement_reads_a_whole_table, .timeout = 300)
{
	struct shop shop;
	struct buf plans = BUF_INIT(PLANS_LIMIT);

	shop_open_empty(&shop);
	database_run(shop.db, plans_calls_sql);
	PGconn *early = explained(&shop, &plans);
	run_all(early, &plans, 0, NULL);
	database_run(shop.db, plans_sql);
	run_all(early, &plans, RUNS, judge);
	database_run(shop.db, "ANALYZE");
	PGconn *late = explained(&shop, &plans);
	run_all(late, &plans, 0, judge);

	/* What the judge would catch. */
	buf_clear(&plans);
	database_run(late, "SELECT count(*) FROM accounts WHERE points = 77");
	cr_expect_str_eq(scanned(&plans), "accounts");
	cr_expect_gt(shop_number(&shop, "SELECT count(*) FROM payments"), 10000, "no run has paid");
	cr_expect_gt(shop_number(&shop, "SELECT count(refunded) FROM payments"), RUNS,
		"no run has given money back");
	PQfinish(early);
	PQfinish(late);
	buf_free(&plans);
	shop_close(&shop);
}
