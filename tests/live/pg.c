/* db/pg.c when all goes well, and when statements fail: batches, their answers, members that run alone. */
#include "db/pg_session.h"
#include "tests/live/lanes.h"

#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"

TestSuite(pg, .timeout = 60);

static unsigned count_of(const struct doubled *ops, unsigned count, enum db_result result)
{
	unsigned found = 0;
	for (unsigned i = 0; i < count; i++)
		found += ops[i].answered && ops[i].result == result;
	return found;
}

Test(pg, operations_of_a_turn_share_batches_and_are_answered_in_order)
{
	struct lanes lanes;
	struct doubled ops[200];
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 200, &lanes_double, 1000);
	cr_assert_eq(pg_pending(lanes.pg), 200);
	RUN_UNTIL(&lanes, lanes.answered == 200);
	for (unsigned i = 0; i < 200; i++) {
		cr_assert_eq(ops[i].result, DB_OK);
		cr_assert_eq(ops[i].out, 2 * (1000 + i));
		cr_assert_eq(ops[i].answered, i + 1);
	}
	cr_assert_eq(pg_stats(lanes.pg)->batches, 4); /* 64 + 64 + 64 + 8 */
	cr_assert_eq(pg_stats(lanes.pg)->batch_most, 64);
	cr_assert_eq(pg_stats(lanes.pg)->operations, 200);
	cr_assert_eq(pg_stats(lanes.pg)->ok, 200);
	cr_assert_eq(pg_pending(lanes.pg), 0);
	lanes_close(&lanes);
}

Test(pg, a_batch_is_one_transaction)
{
	struct lanes lanes;
	struct doubled ops[50];
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 50, &lanes_insert, 1);
	RUN_UNTIL(&lanes, lanes.answered == 50);
	cr_assert_eq(count_of(ops, 50, DB_OK), 50);
	cr_assert_eq(lanes_number(&lanes, "select count(distinct xmin::text) from item"), 1);
	lanes_close(&lanes);
}

Test(pg, ten_thousand_operations_over_four_lanes)
{
	enum { COUNT = 10000 };
	struct lanes lanes;
	struct doubled *ops = must_calloc(COUNT, sizeof *ops);
	lanes_open(&lanes);
	lanes.settings.lanes = 4;
	lanes_start_up(&lanes);
	for (unsigned i = 0; i < COUNT; i++) {
		const struct pg_statement *kinds[] = {&lanes_double, &lanes_single, &lanes_insert};
		lanes_submit(&lanes, &ops[i], kinds[i % 3], i);
		if (i % 100 == 99)
			lanes_turn(&lanes);
	}
	RUN_UNTIL(&lanes, lanes.answered == COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		cr_assert_eq(ops[i].result, DB_OK);
		cr_assert_eq(ops[i].out, 2 * i);
	}
	cr_assert_eq(lanes_number(&lanes, "select count(*) from item"), COUNT / 3);
	lanes_close(&lanes);
	free(ops);
}

Test(pg, single_calls_share_a_round_trip)
{
	struct lanes lanes;
	struct doubled ops[20];
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 20, &lanes_single, 1);
	RUN_UNTIL(&lanes, lanes.answered == 20);
	for (unsigned i = 0; i < 20; i++)
		cr_assert(ops[i].result == DB_OK && ops[i].out == 2 * (i + 1));
	cr_assert_eq(pg_stats(lanes.pg)->batches, 20);
	cr_assert_eq(pg_stats(lanes.pg)->batch_most, 1);
	lanes_close(&lanes);
}

Test(pg, the_longest_waiting_statement_goes_first)
{
	struct lanes lanes;
	struct doubled many[1000], one;
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, many, 100, &lanes_double, 1);
	lanes_submit(&lanes, &one, &lanes_insert, 1);
	lanes_submit_many(&lanes, many + 100, 900, &lanes_double, 1);
	RUN_UNTIL(&lanes, lanes.answered == 1001);
	cr_assert_leq(one.answered, 64 + 64 + 1, "it waited for %u others", one.answered - 1);
	lanes_close(&lanes);
}

Test(pg, one_member_s_error_is_its_own)
{
	struct lanes lanes;
	struct doubled ops[10];
	lanes_open(&lanes);
	lanes_sql(&lanes, "insert into item values (7)");
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 10, &lanes_insert, 1);
	RUN_UNTIL(&lanes, lanes.answered == 10);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(ops[i].result, ops[i].in == 7 ? DB_FAILED : DB_OK);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from item"), 10);
	cr_assert_eq(pg_stats(lanes.pg)->alone, 10);
	cr_assert_eq(pg_stats(lanes.pg)->batches, 11);
	lanes_close(&lanes);
}

Test(pg, an_error_at_the_commit_is_not_a_success)
{
	struct lanes lanes;
	struct doubled ops[10];
	lanes_open(&lanes);
	lanes_sql(&lanes, "insert into late_item values (3)");
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 10, &lanes_late, 1);
	RUN_UNTIL(&lanes, lanes.answered == 10);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(ops[i].result, ops[i].in == 3 ? DB_FAILED : DB_OK);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from late_item"), 10);
	cr_assert_eq(pg_stats(lanes.pg)->reconnects, 0);
	lanes_close(&lanes);
}

Test(pg, a_lone_operation_s_error_is_not_tried_again)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes_sql(&lanes, "insert into item values (7)");
	lanes_start_up(&lanes);
	lanes_submit(&lanes, &op, &lanes_insert, 7);
	RUN_UNTIL(&lanes, lanes.answered == 1);
	cr_assert_eq(op.result, DB_FAILED);
	cr_assert_eq(pg_stats(lanes.pg)->batches, 1);
	lanes_close(&lanes);
}

Test(pg, a_locked_row_holds_up_its_own_operation_alone)
{
	struct lanes lanes;
	struct doubled ops[8];
	lanes_open(&lanes);
	lanes.settings.lanes = 2;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id in (5, 6) for update");
	lanes_submit_many(&lanes, ops, 8, &lanes_pass, 1);
	RUN_UNTIL(&lanes, lanes.answered == 4 && lanes_blocked(&lanes) >= 1);
	cr_assert_eq(pg_stats(lanes.pg)->lock_timeouts, 1, "the batch gave up");
	cr_assert_eq(pg_stats(lanes.pg)->alone, 8);
	/* the runs alone have one of the two lanes; the other one is free for what else comes */
	struct doubled other;
	lanes_submit(&lanes, &other, &lanes_double, 21);
	RUN_UNTIL(&lanes, other.answered);
	cr_assert_eq(other.out, 42);
	cr_assert(!ops[4].answered && !ops[5].answered);
	lanes_sql(&lanes, "commit");
	RUN_UNTIL(&lanes, lanes.answered == 9);
	cr_assert_eq(count_of(ops, 8, DB_OK), 8);
	cr_assert_eq(ops[4].out, 10);
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 8);
	lanes_close(&lanes);
}

Test(pg, a_lock_not_had_in_time_is_busy)
{
	struct lanes lanes;
	struct doubled ops[3];
	lanes_open(&lanes);
	lanes.settings.batch_lock_timeout_ms = 50;
	lanes.settings.lock_timeout_ms = 300;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	uint64_t started_ms = lanes_now_ms();
	lanes_submit_many(&lanes, ops, 3, &lanes_pass_once, 1);
	RUN_UNTIL(&lanes, lanes.answered == 3);
	cr_assert_geq(lanes_now_ms() - started_ms, 350);
	cr_assert(ops[0].result == DB_OK && ops[1].result == DB_BUSY && ops[2].result == DB_OK);
	cr_assert_eq(pg_stats(lanes.pg)->lock_timeouts, 2);
	lanes_sql(&lanes, "commit");
	cr_assert_eq(lanes_number(&lanes, "select count(*) from passed"), 2);
	lanes_close(&lanes);
}

/* A run alone gives up its lock before its deadline, so that the answer is certain. */
Test(pg, a_lock_wait_ends_before_the_deadline)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes.settings.deadline_ms = 800;
	lanes_start_up(&lanes);
	lanes_sql(&lanes, "begin; select from gate where id = 2 for update");
	lanes_submit(&lanes, &op, &lanes_pass_once, 2);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert_eq(op.result, DB_BUSY);
	lanes_sql(&lanes, "commit");
	lanes_close(&lanes);
}

Test(pg, conflicts_are_run_again)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit(&lanes, &op, &lanes_conflict_twice, 4);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert(op.result == DB_OK && op.out == 8);
	cr_assert_eq(pg_stats(lanes.pg)->batches, 3);
	lanes_submit(&lanes, &op, &lanes_conflict_always, 4);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert_eq(op.result, DB_BUSY);
	cr_assert_eq(pg_stats(lanes.pg)->batches, 3 + 1 + 4);
	lanes_close(&lanes);
}

Test(pg, a_server_short_of_resources_is_unavailable)
{
	struct lanes lanes;
	struct doubled ops[5];
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 5, &lanes_short, 1);
	RUN_UNTIL(&lanes, lanes.answered == 5);
	cr_assert_eq(count_of(ops, 5, DB_UNAVAILABLE), 5);
	cr_assert_eq(pg_stats(lanes.pg)->batches, 1);
	lanes_close(&lanes);
}

Test(pg, rows_of_another_shape_leave_the_outcome_unknown)
{
	struct lanes lanes;
	struct doubled op;
	lanes_open(&lanes);
	lanes_start_up(&lanes);
	lanes_submit(&lanes, &op, &lanes_odd_rows, 4);
	RUN_UNTIL(&lanes, op.answered);
	cr_assert_eq(op.result, DB_UNKNOWN);
	lanes_close(&lanes);
}

Test(pg, a_full_queue_refuses)
{
	struct lanes lanes;
	struct doubled ops[20];
	lanes_open(&lanes);
	lanes.settings.waiting_max = 16;
	lanes_start_up(&lanes);
	lanes_submit_many(&lanes, ops, 20, &lanes_double, 1);
	RUN_UNTIL(&lanes, lanes.answered == 20);
	cr_assert_eq(count_of(ops, 16, DB_OK), 16);
	cr_assert_eq(count_of(ops + 16, 4, DB_BUSY), 4);
	cr_assert_eq(pg_stats(lanes.pg)->queue_full, 4);
	lanes_close(&lanes);
}

/* --- `done` that submits again and frees --- */

struct chained {
	struct pg_op op;
	struct lanes *lanes;
	int64_t left;
};

static void chained_encode(
	struct pg_params *params, struct pg_op *const *ops, UNUSED unsigned count)
{
	pg_param_i64(params, CONTAINER_OF(ops[0], struct chained, op)->left);
}

static bool chained_decode(
	const struct pg_rows *rows, struct pg_op *const *ops, UNUSED unsigned count)
{
	CONTAINER_OF(ops[0], struct chained, op)->left = pg_row_i64(rows, 0, 0);
	return true;
}

static const struct pg_statement chained_statement = {
	"chained", "select $1::bigint - 1", false, true, chained_encode, chained_decode};

static void chained_done(struct pg_op *op, enum db_result result)
{
	struct chained *chained = CONTAINER_OF(op, struct chained, op);
	struct lanes *lanes = chained->lanes;
	int64_t left = chained->left;
	cr_assert_eq(result, DB_OK);
	memset(chained, 0xAA, sizeof *chained);
	free(chained);
	lanes->answered++;
	if (!left)
		return;
	struct chained *next = must_calloc(1, sizeof *next);
	next->op.done = chained_done;
	next->lanes = lanes;
	next->left = left;
	pg_submit(lanes->pg, &next->op, &chained_statement);
}

Test(pg, an_answer_may_submit_and_free)
{
	static const struct pg_statement *const statements[] = {&chained_statement, NULL};
	struct lanes lanes;
	char why[256];
	lanes_open(&lanes);
	lanes.settings.url = lanes.url;
	lanes.pg = pg_new(lanes.base, &lanes.settings, statements, why, sizeof why);
	cr_assert(lanes.pg, "%s", why);
	for (unsigned i = 0; i < 20; i++) {
		struct chained *first = must_calloc(1, sizeof *first);
		first->op.done = chained_done;
		first->lanes = &lanes;
		first->left = 50;
		pg_submit(lanes.pg, &first->op, &chained_statement);
	}
	RUN_UNTIL(&lanes, lanes.answered == 20 * 50);
	cr_assert_eq(pg_pending(lanes.pg), 0);
	lanes_close(&lanes);
}

/* --- parameters and columns of all types --- */

struct echo {
	struct pg_op op;
	bool answered;
	enum db_result result;
};

static void echo_encode(
	struct pg_params *params, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	pg_param_i64(params, -5000000000);
	pg_param_bool(params, true);
	pg_param_text(params, "caf\xc3\xa9");
	pg_param_text(params, NULL);
	pg_param_text(params, "");
	pg_param_bytes(params, "\0\1\xff", 3);
	pg_array_begin(params, PG_INT8);
	pg_array_i64(params, 3);
	pg_array_i64(params, -4);
	pg_array_end(params);
	pg_array_begin(params, PG_INT8);
	pg_array_end(params);
	pg_array_begin(params, PG_TEXT);
	pg_array_text(params, "a");
	pg_array_text(params, NULL);
	pg_array_text(params, "");
	pg_array_end(params);
	pg_array_begin(params, PG_BOOL);
	pg_array_bool(params, true);
	pg_array_bool(params, false);
	pg_array_end(params);
	pg_array_begin(params, PG_BYTEA);
	pg_array_bytes(params, "\0\1", 2);
	pg_array_bytes(params, NULL, 0);
	pg_array_end(params);
	pg_param_null(params);
}

static void assert_text(
	const struct pg_rows *rows, unsigned column, const char *text, size_t text_len)
{
	size_t len;
	const char *value = pg_row_text(rows, 0, column, &len);
	cr_assert_eq(len, text_len, "column %u: %zu bytes", column, len);
	cr_assert_arr_eq(value, text, text_len + 1, "column %u: %s", column, value);
}

static bool echo_decode(
	const struct pg_rows *rows, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	int64_t ids[3] = {0, 0, 77};
	cr_assert_eq(pg_row_count(rows), 1);
	cr_assert_eq(pg_row_i64(rows, 0, 0), -5000000000);
	cr_assert(pg_row_bool(rows, 0, 1));
	assert_text(rows, 2, "caf\xc3\xa9", 5);
	cr_assert(pg_row_null(rows, 0, 3) && !pg_row_null(rows, 0, 4));
	assert_text(rows, 3, "", 0);
	assert_text(rows, 4, "", 0);
	assert_text(rows, 5, "\0\1\xff", 3);
	cr_assert_eq(pg_row_ids(rows, 0, 6, ids, 3), 2);
	cr_assert(ids[0] == 3 && ids[1] == -4 && ids[2] == 77);
	cr_assert_eq(pg_row_ids(rows, 0, 6, ids, 1), 1);
	cr_assert_eq(pg_row_ids(rows, 0, 7, ids, 3), 0);
	assert_text(rows, 8, "a|-|", 4);
	cr_assert(pg_row_bool(rows, 0, 9));
	cr_assert(pg_row_bool(rows, 0, 10));
	cr_assert(pg_row_null(rows, 0, 11) && pg_row_i64(rows, 0, 11) == 0);
	cr_assert_eq(pg_row_i64(rows, 0, 12), -7);
	return true;
}

static const struct pg_statement echo_statement = {"echo",
	"select $1::bigint, $2::boolean, $3::text, $4::text, $5::text, $6::bytea, $7::bigint[], "
	"$8::bigint[], array_to_string($9::text[], '|', '-'), $10::boolean[] = '{t,f}', "
	"$11::bytea[] = array['\\x0001', '']::bytea[], $12::bigint, -7::integer",
	false, true, echo_encode, echo_decode};

static void echo_done(struct pg_op *op, enum db_result result)
{
	struct echo *echo = CONTAINER_OF(op, struct echo, op);
	echo->answered = true;
	echo->result = result;
}

Test(pg, values_of_all_types_go_there_and_back)
{
	static const struct pg_statement *const statements[] = {&echo_statement, NULL};
	struct lanes lanes;
	struct echo echo = {.op.done = echo_done};
	char why[256];
	lanes_open(&lanes);
	lanes.settings.url = lanes.url;
	lanes.pg = pg_new(lanes.base, &lanes.settings, statements, why, sizeof why);
	cr_assert(lanes.pg, "%s", why);
	pg_submit(lanes.pg, &echo.op, &echo_statement);
	RUN_UNTIL(&lanes, echo.answered);
	cr_assert_eq(echo.result, DB_OK);
	lanes_close(&lanes);
}

/* More than any socket's buffers take at once, there and back. */
enum { LARGE = 12 * 1024 * 1024 };

static char large_byte(size_t at)
{
	return (char)(at * 7 + at / 4096);
}

static void large_encode(
	struct pg_params *params, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	char *bytes = must_malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = large_byte(i);
	pg_param_bytes(params, bytes, LARGE);
	free(bytes);
}

static bool large_decode(
	const struct pg_rows *rows, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	size_t len, i = 0;
	const char *bytes = pg_row_text(rows, 0, 0, &len);
	while (i < len && bytes[i] == large_byte(i))
		i++;
	return len == LARGE && i == LARGE;
}

static const struct pg_statement large_statement = {
	"large", "select $1::bytea", false, true, large_encode, large_decode};

Test(pg, large_values_go_there_and_back)
{
	static const struct pg_statement *const statements[] = {&large_statement, NULL};
	struct lanes lanes;
	struct echo echo[3];
	char why[256];
	lanes_open(&lanes);
	lanes.settings.url = lanes.url;
	lanes.pg = pg_new(lanes.base, &lanes.settings, statements, why, sizeof why);
	cr_assert(lanes.pg, "%s", why);
	for (unsigned i = 0; i < 3; i++) {
		echo[i] = (struct echo){.op.done = echo_done};
		pg_submit(lanes.pg, &echo[i].op, &large_statement);
	}
	RUN_UNTIL(&lanes, echo[0].answered && echo[1].answered && echo[2].answered);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(echo[i].result, DB_OK);
	lanes_close(&lanes);
}

static void huge_encode(
	struct pg_params *params, UNUSED struct pg_op *const *ops, UNUSED unsigned count)
{
	size_t len = 17 * 1024 * 1024;
	char *bytes = must_calloc(1, len);
	pg_param_bytes(params, bytes, len);
	free(bytes);
}

static const struct pg_statement huge_statement = {
	"huge", "select $1::bytea", false, true, huge_encode, echo_decode};

Test(pg, parameters_have_a_limit)
{
	static const struct pg_statement *const statements[] = {
		&huge_statement, &echo_statement, NULL};
	struct lanes lanes;
	struct echo huge = {.op.done = echo_done}, echo = {.op.done = echo_done};
	char why[256];
	lanes_open(&lanes);
	lanes.settings.url = lanes.url;
	lanes.pg = pg_new(lanes.base, &lanes.settings, statements, why, sizeof why);
	cr_assert(lanes.pg, "%s", why);
	pg_submit(lanes.pg, &huge.op, &huge_statement);
	pg_submit(lanes.pg, &echo.op, &echo_statement);
	RUN_UNTIL(&lanes, huge.answered && echo.answered);
	cr_assert_eq(huge.result, DB_FAILED);
	cr_assert_eq(echo.result, DB_OK);
	lanes_close(&lanes);
}

/* --- sessions --- */

Test(pg, a_session_runs_and_asks)
{
	struct lanes lanes;
	char why[256];
	lanes_open(&lanes);
	cr_assert(pg_session_run(
		lanes.session, "insert into item(id) values (1), (2), (3)", why, sizeof why));
	cr_assert_eq(lanes_number(&lanes, "select sum(id) from item"), 6);
	cr_assert_not(pg_session_run(
		lanes.session, "insert into item(id) values (4), (1)", why, sizeof why));
	cr_assert(strstr(why, "23505"), "%s", why);
	cr_assert_eq(lanes_number(&lanes, "select sum(id) from item"), 6);
	cr_assert_not(pg_session_run(lanes.session, "select 1;\nselect\nnowhere", why, sizeof why));
	cr_assert_str_eq(why, "42703 column \"nowhere\" does not exist (line 3)");
	lanes_close(&lanes);
}
