/* A test's shop: its database is made by the same migrations and functions that serve, and dropped at the
 * end. */
#include "db/pg_session.h"
#include "tests/live/shop.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db/migrate.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/embed.h"
#include "tests/support/wait.h"

EMBED(shop_sql, "tests/live/shop.sql");

static void pulse(UNUSED evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
}

void shop_open_empty(struct shop *shop)
{
	char why[512];
	unsigned applied;

	memset(shop, 0, sizeof *shop);
	database_create(shop->name, shop->url);
	struct pg_session *session = pg_session_open(shop->url, why, sizeof why);
	cr_assert(session != NULL, "%s", why);
	cr_assert(migrate(session, &applied, why, sizeof why), "%s", why);
	pg_session_close(session);
	shop->db = database_connect(shop->url);
}

static bool all_up(const struct shop *shop)
{
	for (unsigned i = 0; i < shop->instance_count; i++)
		if (!pg_up(shop->instances[i]))
			return false;
	return true;
}

void shop_open(struct shop *shop, unsigned instances, unsigned lanes)
{
	struct timeval period = {0, 2000};
	char why[512];

	shop_open_empty(shop);
	database_run(shop->db, shop_sql);
	shop->base = event_base_new();
	shop->pulse = event_new(shop->base, -1, EV_PERSIST, pulse, NULL);
	event_add(shop->pulse, &period);
	struct pg_settings settings = {.url = shop->url,
		.lanes = lanes,
		.batch_max = 64,
		.waiting_max = 20000,
		.deadline_ms = 15000,
		.batch_lock_timeout_ms =
			10000, /* longer than deadlock_timeout: a deadlock would show */
		.lock_timeout_ms = 10000,
		.statement_timeout_ms = 14000};
	clock_turn();
	for (unsigned i = 0; i < instances; i++) {
		shop->instances[i] = pg_new(
			shop->base, &settings, store_statements, why, sizeof why);
		cr_assert(shop->instances[i] != NULL, "%s", why);
	}
	shop->instance_count = instances;
	shop->pg = shop->instances[0];
	SHOP_UNTIL(shop, all_up(shop));
}

void shop_close(struct shop *shop)
{
	for (unsigned i = 0; i < shop->instance_count; i++)
		pg_free(shop->instances[i]);
	if (shop->base != NULL) {
		event_free(shop->pulse);
		event_base_free(shop->base);
	}
	PQfinish(shop->db);
	database_drop(shop->name);
}

void shop_turn(struct shop *shop)
{
	clock_turn();
	event_base_loop(shop->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < shop->instance_count; i++)
		pg_turn(shop->instances[i]);
}

/* --- operations --- */

static void answered(struct pg_op *op, enum db_result result)
{
	struct shop_answer *answer = op->owner;

	cr_assert_not(answer->given, "answered twice");
	answer->given = true;
	answer->result = result;
}

void shop_expect(struct pg_op *op, struct shop_answer *answer)
{
	*answer = (struct shop_answer){0};
	op->done = answered;
	op->owner = answer;
}

void shop_await(struct shop *shop, const struct shop_answer *answer)
{
	SHOP_UNTIL(shop, answer->given);
	cr_assert_eq(answer->result, DB_OK);
}

static struct digest digest_of_text(const char *text)
{
	struct digest_part part = {text, strlen(text)};

	return digest_of(&part, 1);
}

struct idem shop_idem(const char *key, const char *body)
{
	return (struct idem){.key = digest_of_text(key),
		.body = digest_of_text(body),
		.request_id = "request-1"};
}

void shop_hold_submit(struct shop *shop, struct store_hold *hold, struct shop_answer *answer,
	const char *key, int64_t user_id, const int64_t *seat_ids, size_t count)
{
	hold->idem = shop_idem(key, "body");
	hold->user_id = user_id;
	if (hold->performance_id == 0)
		hold->performance_id = 1;
	if (count > 0)
		memcpy(hold->seat_ids, seat_ids, count * sizeof *seat_ids);
	hold->seat_count = count;
	hold->hold_ttl_ms = 300000;
	hold->currency = "KRW";
	shop_expect(&hold->op, answer);
	store_hold(shop->pg, hold);
}

void shop_hold(struct shop *shop, struct store_hold *hold, const char *key, int64_t user_id,
	const int64_t *seat_ids, size_t count)
{
	struct shop_answer answer;

	shop_hold_submit(shop, hold, &answer, key, user_id, seat_ids, count);
	shop_await(shop, &answer);
}

int64_t shop_held(struct shop *shop, const char *key, int64_t user_id, int64_t seat_id)
{
	struct store_hold hold = {0};

	shop_hold(shop, &hold, key, user_id, &seat_id, 1);
	cr_assert_eq(hold.outcome, STORE_REPLY);
	cr_assert_eq(hold.reply.status, 201, "%s", hold.reply.body);
	store_reply_free(&hold.reply);
	return hold.reservation_id;
}

void shop_pay_submit(struct shop *shop, struct store_pay *pay, struct shop_answer *answer,
	const char *key, int64_t user_id, int64_t reservation_id)
{
	pay->idem = shop_idem(key, "");
	pay->user_id = user_id;
	pay->reservation_id = reservation_id;
	pay->reward_percent = 10;
	pay->currency = "KRW";
	shop_expect(&pay->op, answer);
	store_pay(shop->pg, pay);
}

void shop_pay(struct shop *shop, struct store_pay *pay, const char *key, int64_t user_id,
	int64_t reservation_id)
{
	struct shop_answer answer;

	shop_pay_submit(shop, pay, &answer, key, user_id, reservation_id);
	shop_await(shop, &answer);
}

void shop_cancel(
	struct shop *shop, struct store_cancel *cancel, int64_t user_id, int64_t reservation_id)
{
	struct shop_answer answer;

	cancel->user_id = user_id;
	cancel->reservation_id = reservation_id;
	cancel->request_id = "request-1";
	shop_expect(&cancel->op, &answer);
	store_cancel(shop->pg, cancel);
	shop_await(shop, &answer);
}

/* --- the database --- */

void shop_lapse(struct shop *shop, int64_t reservation_id)
{
	char id[24];
	const char *params[] = {id};

	snprintf(id, sizeof id, "%lld", (long long)reservation_id);
	PQclear(database_query(shop->db,
		"WITH lapsed AS (UPDATE reservations"
		"  SET hold_expires_at = clock_timestamp() - interval '1 millisecond'"
		"  WHERE id = $1::bigint RETURNING id, hold_expires_at)"
		" UPDATE seats s SET hold_expires_at = l.hold_expires_at FROM lapsed l"
		" WHERE s.reservation_id = l.id",
		1, params));
}

int64_t shop_number(struct shop *shop, const char *sql)
{
	PGresult *result = database_query(shop->db, sql, 0, NULL);

	cr_assert(PQntuples(result) == 1 && PQnfields(result) == 1, "not one value: %s", sql);
	const char *text = PQgetvalue(result, 0, 0);
	int64_t number = text[0] == 't' ? 1 : strtoll(text, NULL, 10);
	PQclear(result);
	return number;
}

int64_t shop_blocked(struct shop *shop)
{
	return shop_number(shop,
		"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
		" AND pg_backend_pid() = ANY (pg_blocking_pids(pid))");
}

void shop_sound(struct shop *shop)
{
	PGresult *result = database_query(shop->db, "SELECT what, id FROM violations", 0, NULL);

	for (int row = 0; row < PQntuples(result); row++)
		cr_expect(false, "%s: %s", PQgetvalue(result, row, 0), PQgetvalue(result, row, 1));
	PQclear(result);
}
