/* db/pg.c when the server or the way to it fails: lanes that are killed, silent, or not there at all, and
 * the deadlines of operations meanwhile. */
#include "tests/live/lanes.h"
#include "tests/live/relay.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pg_lost, .timeout = 60);

static void start_at_relay(struct lanes *lanes, struct relay *relay)
{
	char url[RELAY_URL_SIZE];
	relay_url(relay, url);
	lanes_start(lanes, url);
}

Test(pg_lost, a_killed_lane_s_repeatable_operations_are_run_again)
{
	struct lanes lanes;
	struct doubled ops[3];
	lanes_open(&lanes);
	lanes.settings.batch_lock_timeout_ms = 9000;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	lanes_submit_many(&lanes, ops, 3, &lanes_pass, 1);
	RUN_UNTIL(&lanes, lanes_blocked(&lanes) == 1);
	lanes_kill_blocked(&lanes);
	RUN_UNTIL(&lanes, pg_stats(lanes.pg)->put_back == 3);
	cr_assert_eq(lanes.answered, 0);
	lanes_sql(&lanes, "commit");
	RUN_UNTIL(&lanes, lanes.answered == 3);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(ops[i].result == DB_OK && ops[i].out == 2 * (i + 1) &&
			  ops[i].answered == i + 1);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 3);
	cr_assert_eq(pg_stats(lanes.pg)->reconnects, 1);
	lanes_close(&lanes);
}

Test(pg_lost, a_killed_lane_s_other_operations_are_unknown)
{
	struct lanes lanes;
	struct doubled ops[3], waiting;
	lanes_open(&lanes);
	lanes.settings.batch_lock_timeout_ms = 9000;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	lanes_submit_many(&lanes, ops, 3, &lanes_pass_once, 1);
	RUN_UNTIL(&lanes, lanes_blocked(&lanes) == 1);
	lanes_submit(&lanes, &waiting, &lanes_pass_once, 50);
	lanes_kill_blocked(&lanes);
	RUN_UNTIL(&lanes, lanes.answered == 4);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(ops[i].result, DB_UNKNOWN);
	cr_assert(waiting.result == DB_OK, "it was never sent before");
	lanes_sql(&lanes, "commit");
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 1);
	lanes_close(&lanes);
}

/* The transaction commits and its reply is lost on the way. */
static void lose_commit_reply(struct lanes *lanes, struct relay *relay, struct doubled *op,
	const struct pg_statement *statement, int64_t in)
{
	RUN_UNTIL(lanes, pg_up(lanes->pg));
	int64_t before = lanes_number(lanes, "select count(*) from passed");
	relay_mute(relay, true);
	lanes_submit(lanes, op, statement, in);
	RUN_UNTIL(lanes, lanes_number(lanes, "select count(*) from passed") == before + 1);
	relay_cut(relay);
	relay_mute(relay, false);
	RUN_UNTIL(lanes, op->answered);
}

Test(pg_lost, a_lost_commit_reply_is_unknown_and_a_repeatable_operation_is_run_again)
{
	struct lanes lanes;
	struct doubled once, again;
	lanes_open(&lanes);
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	lose_commit_reply(&lanes, relay, &once, &lanes_pass_once, 201);
	cr_assert_eq(once.result, DB_UNKNOWN);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 1);
	lose_commit_reply(&lanes, relay, &again, &lanes_pass, 202);
	cr_assert(again.result == DB_OK && again.out == 404);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 3, "it ran twice");
	relay_free(relay);
	lanes_close(&lanes);
}

/* It may have happened at the first try: what the second try says of "nothing happened" is not true. */
Test(pg_lost, a_second_try_that_fails_does_not_make_the_first_one_undone)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 3000;
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	relay_mute(relay, true);
	lanes_submit(&lanes, &op, &lanes_pass, 3);
	RUN_UNTIL(&lanes, lanes_number(&lanes, "select count(*) from passed") == 1);
	lanes_sql(&lanes, "begin; select from gate where id = 3 for update");
	relay_cut(relay);
	relay_mute(relay, false);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert_eq(op.result, DB_UNKNOWN);
	cr_assert_eq(pg_stats(lanes.pg)->put_back, 1);
	lanes_sql(&lanes, "commit");
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, a_server_that_comes_later_is_found)
{
	struct lanes lanes;
	struct doubled early, kept, late;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 3000;
	struct relay *relay = relay_new(lanes.base, lanes.url);
	start_at_relay(&lanes, relay);
	cr_assert_not(pg_up(lanes.pg));
	lanes_submit(&lanes, &early, &lanes_double, 1);
	RUN_UNTIL(&lanes, early.answered);
	cr_assert_eq(early.result, DB_UNAVAILABLE);
	cr_assert_not(pg_up(lanes.pg));
	relay_listen(relay);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	lanes_submit(&lanes, &late, &lanes_double, 2);
	RUN_UNTIL(&lanes, late.answered);
	cr_assert(late.result == DB_OK && late.out == 4);
	/* and what is submitted while the server is away for a moment is kept */
	relay_cut(relay);
	RUN_UNTIL(&lanes, !pg_up(lanes.pg));
	lanes_submit(&lanes, &kept, &lanes_insert, 3);
	RUN_UNTIL(&lanes, kept.answered);
	cr_assert_eq(kept.result, DB_OK);
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, a_server_long_away_has_operations_refused_at_once)
{
	struct lanes lanes;
	struct doubled early, late;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 15000;
	struct relay *relay = relay_new(lanes.base, lanes.url);
	start_at_relay(&lanes, relay);
	lanes_submit(&lanes, &early, &lanes_double, 1);
	uint64_t begun_ms = lanes_now_ms();
	RUN_UNTIL(&lanes, lanes_now_ms() > begun_ms + 1500);
	lanes_submit(&lanes, &late, &lanes_double, 2);
	RUN_UNTIL(&lanes, late.answered);
	cr_assert_eq(late.result, DB_UNAVAILABLE);
	cr_assert_eq(pg_stats(lanes.pg)->refused_down, 1);
	cr_assert_not(early.answered, "what came before may still be done");
	relay_listen(relay);
	RUN_UNTIL(&lanes, early.answered);
	cr_assert_eq(early.result, DB_OK);
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, host_names_are_looked_up)
{
	struct lanes lanes;
	struct doubled op;
	char url[RELAY_URL_SIZE];
	lanes_open(&lanes);
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen_tcp(relay);
	relay_tcp_url(relay, url);
	lanes_start(&lanes, url);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	lanes_submit(&lanes, &op, &lanes_double, 21);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert(op.result == DB_OK && op.out == 42);
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, a_wrong_url_is_told_at_once)
{
	static const struct pg_statement *const statements[] = {&lanes_double, NULL};
	static const char *const urls[][2] = {
		{"postgresql://[", "postgresql"},
		{"host=/tmp colour=red", "colour"},
		{"postgresql://no-such-host.invalid/onsale", "no-such-host.invalid"},
		{"host=/tmp,/var port=1,2,3", "3 ports for 2 hosts"},
	};
	struct lanes lanes;
	lanes_open(&lanes);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		char why[256] = "";
		lanes.settings.url = urls[i][0];
		cr_assert_null(pg_new(lanes.base, &lanes.settings, statements, why, sizeof why));
		cr_assert(strstr(why, urls[i][1]), "%s: %s", urls[i][0], why);
	}
	lanes_close(&lanes);
}

Test(pg_lost, a_listener_that_says_nothing_is_given_up)
{
	struct lanes lanes;
	lanes_open(&lanes);
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_mute(relay, true);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	RUN_UNTIL(&lanes, relay_accepted(relay) == 2);
	relay_mute(relay, false);
	relay_cut(relay);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, a_statement_that_cannot_be_prepared_keeps_lanes_down)
{
	struct lanes lanes;
	lanes_open(&lanes);
	lanes_sql(&lanes, "alter table item rename to hidden");
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	RUN_UNTIL(&lanes, relay_accepted(relay) >= 3);
	cr_assert_not(pg_up(lanes.pg));
	lanes_sql(&lanes, "alter table hidden rename to item");
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, a_read_only_server_is_left)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit(&lanes, &op, &lanes_read_only_once, 4);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert(op.result == DB_OK && op.out == 8, "nothing had happened: it was run again");
	cr_assert_eq(pg_stats(lanes.pg)->reconnects, 1);
	lanes_close(&lanes);
}

/* One member's deadline passes in flight; its memory is gone then, and the batch goes on. */
Test(pg_lost, an_overdue_member_leaves_its_batch)
{
	struct lanes lanes;
	struct doubled *first = malloc(sizeof *first), second;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 4000;
	lanes.settings.batch_lock_timeout_ms = 9000;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id in (2, 3) for update");
	struct doubled blocker;
	lanes_submit(&lanes, &blocker, &lanes_pass, 3);
	RUN_UNTIL(&lanes, lanes_blocked(&lanes) == 1);
	/* these two wait for the lane, the second one with more time left */
	lanes_submit(&lanes, first, &lanes_pass_once, 1);
	uint64_t submitted_ms = lanes_now_ms();
	RUN_UNTIL(&lanes, lanes_now_ms() >= submitted_ms + 2000);
	lanes_submit(&lanes, &second, &lanes_pass_once, 2);
	/* the blocker ends, the two are sent together, and wait for gate 2 */
	lanes_sql(&lanes, "commit; begin; select from gate where id = 2 for update");
	RUN_UNTIL(&lanes, blocker.answered && lanes_blocked(&lanes) == 1);
	RUN_UNTIL(&lanes, first->answered);
	cr_assert_eq(first->result, DB_UNKNOWN);
	free(first);
	cr_assert_eq(second.answered, 0);
	lanes_sql(&lanes, "commit");
	RUN_UNTIL(&lanes, second.answered);
	cr_assert(second.result == DB_OK && second.out == 4);
	cr_assert_eq(pg_stats(lanes.pg)->reconnects, 0);
	cr_assert_eq(pg_stats(lanes.pg)->overdue, 1);
	lanes_close(&lanes);
}

Test(pg_lost, waiting_past_the_deadline_is_busy_and_a_silent_lane_is_given_up)
{
	struct lanes lanes;
	struct doubled sent, waiting, later;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 2000;
	lanes.settings.batch_lock_timeout_ms = 60000;
	lanes.settings.statement_timeout_ms = 60000;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	lanes_submit(&lanes, &sent, &lanes_pass, 2);
	RUN_UNTIL(&lanes, lanes_blocked(&lanes) == 1);
	lanes_submit(&lanes, &waiting, &lanes_double, 2);
	RUN_UNTIL(&lanes, sent.answered && waiting.answered);
	cr_assert_eq(sent.result, DB_UNKNOWN);
	cr_assert_eq(waiting.result, DB_BUSY);
	RUN_UNTIL(&lanes, pg_stats(lanes.pg)->reconnects == 1);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	lanes_submit(&lanes, &later, &lanes_double, 2);
	RUN_UNTIL(&lanes, later.answered);
	cr_assert_eq(later.result, DB_OK);
	lanes_sql(&lanes, "commit");
	lanes_close(&lanes);
}

/* A repeatable operation whose lane was lost, and no other came up in time. */
Test(pg_lost, put_back_and_overdue_is_unknown)
{
	struct lanes lanes;
	struct doubled sent, waiting;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 3000;
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	relay_mute(relay, true);
	lanes_submit(&lanes, &sent, &lanes_pass, 2);
	RUN_UNTIL(&lanes, lanes_number(&lanes, "select count(*) from passed") == 1);
	relay_cut(relay);
	lanes_submit(&lanes, &waiting, &lanes_pass, 3);
	RUN_UNTIL(&lanes, lanes.answered == 2);
	cr_assert_eq(sent.result, DB_UNKNOWN);
	cr_assert_eq(waiting.result, DB_UNAVAILABLE);
	relay_free(relay);
	lanes_close(&lanes);
}

Test(pg_lost, closing_answers_everything)
{
	struct lanes lanes;
	struct doubled sent[2], waiting[2];
	lanes_open(&lanes);
	lanes.settings.batch_lock_timeout_ms = 9000;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	lanes_submit_many(&lanes, sent, 2, &lanes_pass, 1);
	RUN_UNTIL(&lanes, lanes_blocked(&lanes) == 1);
	lanes_submit_many(&lanes, waiting, 2, &lanes_pass, 50);
	pg_free(lanes.pg);
	lanes.pg = NULL;
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(sent[i].answered && sent[i].result == DB_UNKNOWN);
		cr_assert(waiting[i].answered && waiting[i].result == DB_UNAVAILABLE);
	}
	lanes_sql(&lanes, "commit");
	lanes_close(&lanes);
}

Test(pg_lost, a_way_that_is_cut_again_and_again_loses_nothing)
{
	enum { COUNT = 4000 };
	struct lanes lanes;
	struct doubled *ops = calloc(COUNT, sizeof *ops);
	lanes_open(&lanes);
	lanes.settings.lanes = 3;
	struct relay *relay = relay_new(lanes.base, lanes.url);
	relay_listen(relay);
	start_at_relay(&lanes, relay);
	RUN_UNTIL(&lanes, pg_up(lanes.pg));
	for (unsigned i = 0; i < COUNT; i++) {
		lanes_submit(&lanes, &ops[i], i % 2 ? &lanes_insert : &lanes_double, i);
		if (i % 20 == 19)
			lanes_turn(&lanes);
		if (i % 1000 == 999)
			relay_cut(relay);
	}
	RUN_UNTIL(&lanes, lanes.answered == COUNT);
	int64_t inserted = 0, unknown = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		bool insert = i % 2;
		cr_assert(ops[i].result == DB_OK || (insert && ops[i].result == DB_UNKNOWN));
		cr_assert(ops[i].result != DB_OK || ops[i].out == 2 * i);
		inserted += insert && ops[i].result == DB_OK;
		unknown += insert && ops[i].result == DB_UNKNOWN;
	}
	int64_t rows = lanes_number(&lanes, "select count(*) from item");
	cr_assert(rows >= inserted && rows <= inserted + unknown);
	cr_assert_geq(pg_stats(lanes.pg)->reconnects, 3);
	relay_free(relay);
	lanes_close(&lanes);
	free(ops);
}
