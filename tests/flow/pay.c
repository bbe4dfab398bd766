/* Paying: a lost, a refused and a repeated commit. */
#include <criterion/criterion.h>
#include <string.h>
#include "server/flows.h"
#include "tests/flow/fakes.h"

static struct conn *post(struct stage *stage)
{
	return stage_post(stage, pay_start, "/v1/reservations/9/payment", 9, "k", NULL, "");
}

static void answer(struct stage *stage, enum db_result result, enum store_outcome outcome,
	int status, bool replayed)
{
	struct store_pay *pay = CONTAINER_OF(stage_take_op(stage), struct store_pay, op);

	cr_expect_eq(pay->reservation_id, 9);
	if (result == DB_OK) {
		pay->outcome = outcome;
		pay->paid = outcome == STORE_REPLY && status == 201;
		pay->performance_id = 5;
		pay->pass_nonce = 99;
		pay->reply = (struct store_reply){status, replayed, must_strdup("{}"), 2};
	}
	pay->op.done(&pay->op, result);
}

static const struct row {
	enum db_result result;
	enum store_outcome outcome;
	int stored_status;
	bool replayed;
	int status;
	const char *said;
} rows[] = {
	{DB_OK, STORE_REPLY, 201, false, 201, "drop;sold;end_pass;"},
	{DB_OK, STORE_REPLY, 201, true, 201,
		"drop;end_pass;"}, /* whoever paid may not have come so far */
	{DB_OK, STORE_REPLY, 402, false, 402, ""},
	{DB_OK, STORE_REPLY, 410, false, 410, ""},
	{DB_OK, STORE_NOT_FOUND, 0, false, 404, ""},
	{DB_OK, STORE_KEY_REUSED, 0, false, 422, ""},
	{DB_UNKNOWN, STORE_REPLY, 0, false, 503, ""},
	{DB_UNAVAILABLE, STORE_REPLY, 0, false, 503, ""},
};

Test(pay, every_answer_ends_in_one_reply_with_and_without_the_client)
{
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i / 2];
		bool leaves = i % 2 == 1;
		struct stage *stage = stage_open();
		struct conn *conn = post(stage);

		if (leaves)
			stage_leave(conn);
		answer(stage, row->result, row->outcome, row->stored_status, row->replayed);
		cr_expect_eq(conn->replies, leaves ? 0 : 1);
		cr_expect_eq(
			conn->status, leaves ? 0 : row->status, "row %zu: %d", i / 2, conn->status);
		cr_expect_str_eq(stage->said, row->said, "row %zu: %s", i / 2, stage->said);
		stage_close(stage);
	}
}

Test(pay, an_unknown_commit_is_asked_again_by_the_repeat_that_waits)
{
	struct stage *stage = stage_open();
	struct conn *first = post(stage), *second = post(stage);

	cr_expect_eq(stage->op_count, 1, "only the first goes on");
	answer(stage, DB_UNKNOWN, STORE_REPLY, 0, false);
	cr_expect_eq(first->status, 503);
	cr_expect_not_null(strstr(first->body, "outcome_unknown"));
	answer(stage, DB_OK, STORE_REPLY, 201, true);
	cr_expect_eq(second->status, 201);
	cr_expect(second->replayed);
	stage_close(stage);
}
