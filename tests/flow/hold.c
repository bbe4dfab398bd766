/* Holding: every answer that Redis and PostgreSQL may give, early, late or never, with and without the
 * client; each ends in one reply at most, and leaves a lock only where the outcome is unknown. */
#include <criterion/criterion.h>
#include <string.h>
#include "server/flows.h"
#include "tests/flow/fakes.h"

static const char BODY[] = "{\"performance_id\":5,\"seat_ids\":[11,12]}";
static const char OTHER_BODY[] = "{\"performance_id\":5,\"seat_ids\":[11,13]}";

static const char QUANTITY_BODY[] = "{\"performance_id\":5,\"quantity\":2}";

static struct conn *post(struct stage *stage, const char *key, const char *pass, const char *body)
{
	return stage_post(stage, hold_start, "/v1/reservations", 0, key, pass, body);
}

static void expect_problem(const struct conn *conn, int status, const char *code)
{
	char member[64];

	snprintf(member, sizeof member, "\"code\":\"%s\"", code);
	cr_expect_eq(conn->replies, 1);
	cr_expect_eq(conn->status, status, "%d, not %d: %s", conn->status, status, conn->body);
	cr_expect_not_null(strstr(conn->body, member), "no %s in %s", code, conn->body);
}

/* What each pair of answers must end in. */
struct row {
	const char *what;
	enum seat_lock_result lock;
	bool asks_postgresql;
	enum db_result result;
	enum store_outcome outcome;
	int stored_status;
	int status;
	const char *said;
};

static const struct row rows[] = {
	{"held", SEAT_LOCK_OURS, true, DB_OK, STORE_REPLY, 201, 201, "hold;holding;drop;"},
	{"held with Redis away", SEAT_LOCK_AWAY, true, DB_OK, STORE_REPLY, 201, 201,
		"hold;holding;drop;"},
	{"PostgreSQL refuses", SEAT_LOCK_OURS, true, DB_OK, STORE_REPLY, 409, 409, "release;"},
	{"seat of another performance", SEAT_LOCK_OURS, true, DB_OK, STORE_NOT_FOUND, 0, 404,
		"release;"},
	{"key reused", SEAT_LOCK_KEY_KNOWN, true, DB_OK, STORE_KEY_REUSED, 0, 422, ""},
	{"PostgreSQL away", SEAT_LOCK_OURS, true, DB_UNAVAILABLE, STORE_REPLY, 0, 503, "release;"},
	{"PostgreSQL busy", SEAT_LOCK_OURS, true, DB_BUSY, STORE_REPLY, 0, 503, "release;"},
	{"PostgreSQL fails", SEAT_LOCK_OURS, true, DB_FAILED, STORE_REPLY, 0, 500, "release;"},
	{"the commit's reply is lost", SEAT_LOCK_OURS, true, DB_UNKNOWN, STORE_REPLY, 0, 503, ""},
	{"taken in Redis", SEAT_LOCK_TAKEN, false, DB_OK, STORE_REPLY, 0, 409, ""},
	{"the pass has ended", SEAT_LOCK_NO_PASS, false, DB_OK, STORE_REPLY, 0, 403, ""},
};

/* … where PostgreSQL chooses the seats: there is no lock to give back. */
static const struct row quantity_rows[] = {
	{"held", SEAT_LOCK_OURS, true, DB_OK, STORE_REPLY, 201, 201, "hold;holding;drop;"},
	{"held with Redis away", SEAT_LOCK_AWAY, true, DB_OK, STORE_REPLY, 201, 201,
		"hold;holding;drop;"},
	{"sold out", SEAT_LOCK_OURS, true, DB_OK, STORE_REPLY, 409, 409, ""},
	{"no such section", SEAT_LOCK_OURS, true, DB_OK, STORE_NOT_FOUND, 0, 422, ""},
	{"over the limit", SEAT_LOCK_OURS, true, DB_OK, STORE_REFUSED, 0, 422, ""},
	{"key reused", SEAT_LOCK_KEY_KNOWN, true, DB_OK, STORE_KEY_REUSED, 0, 422, ""},
	{"PostgreSQL busy", SEAT_LOCK_OURS, true, DB_BUSY, STORE_REPLY, 0, 503, ""},
	{"the commit's reply is lost", SEAT_LOCK_AWAY, true, DB_UNKNOWN, STORE_REPLY, 0, 503, ""},
	{"the pass has ended", SEAT_LOCK_NO_PASS, false, DB_OK, STORE_REPLY, 0, 403, ""},
};

static void play(const struct row *row, const char *body, bool client_leaves)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), body);

	if (client_leaves)
		stage_leave(conn);
	stage_answer_lock(stage, row->lock);
	if (row->lock == SEAT_LOCK_NO_PASS)
		stage_answer_place(stage, ADOPT_USED);
	cr_expect_eq(stage->op_count, row->asks_postgresql, "%s", row->what);
	if (row->asks_postgresql)
		stage_answer_hold(
			stage, row->result, row->outcome, row->stored_status, false, "{}");
	cr_expect_eq(
		conn->replies, client_leaves ? 0 : 1, "%s: %d replies", row->what, conn->replies);
	if (!client_leaves)
		cr_expect_eq(conn->status, row->status, "%s: %d", row->what, conn->status);
	cr_expect_str_eq(stage->said, row->said, "%s: '%s'", row->what, stage->said);
	stage_close(stage);
}

Test(hold, every_pair_of_answers_ends_in_one_reply)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		play(&rows[i], BODY, false);
	for (size_t i = 0; i < ARRAY_LEN(quantity_rows); i++)
		play(&quantity_rows[i], QUANTITY_BODY, false);
}

Test(hold, the_work_is_finished_without_the_client)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		play(&rows[i], BODY, true);
	for (size_t i = 0; i < ARRAY_LEN(quantity_rows); i++)
		play(&quantity_rows[i], QUANTITY_BODY, true);
}

static bool asked_to_wait(const struct stage *stage)
{
	cr_assert_eq(stage->op_count, 1);
	return CONTAINER_OF(stage->ops[0], struct store_hold, op)->waits;
}

Test(hold, where_others_are_deciding_it_asks_again_and_waits)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), QUANTITY_BODY);

	cr_expect_eq(stage->locks[0]->seat_count, 0);
	stage_answer_lock(stage, SEAT_LOCK_OURS);
	cr_expect_not(asked_to_wait(stage));
	stage_answer_hold(stage, DB_OK, STORE_UNDECIDED, 0, false, "");
	cr_expect_eq(conn->replies, 0);
	cr_expect(asked_to_wait(stage));
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, false, "{\"id\":1}");
	cr_expect_eq(conn->status, 201);
	cr_expect_str_eq(stage->said, "hold;holding;drop;");
	stage_close(stage);
}

/* Seats that are named and looked at optimistically: lost three times, they are locked before they are judged. */
Test(hold, who_is_too_slow_three_times_locks_first)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), BODY);

	stage->app.optimistic = true;
	stage_answer_lock(stage, SEAT_LOCK_OURS);
	for (int i = 0; i < 3; i++) {
		cr_expect_not(asked_to_wait(stage));
		cr_expect(CONTAINER_OF(stage->ops[0], struct store_hold, op)->optimistic);
		stage_answer_hold(stage, DB_OK, STORE_UNDECIDED, 0, false, "");
		cr_expect_eq(conn->replies, 0);
	}
	cr_expect(asked_to_wait(stage));
	cr_expect_eq(stage->app.counters.seat_conflicts, 3);
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, false, "{\"id\":1}");
	cr_expect_eq(conn->status, 201);
	cr_expect_str_eq(stage->said, "hold;holding;drop;");
	stage_close(stage);
}

Test(hold, it_does_not_ask_again_for_ever)
{
	enum { TRIES = 6 };
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), QUANTITY_BODY);

	stage_answer_lock(stage, SEAT_LOCK_OURS);
	for (int i = 0; i < TRIES; i++) {
		cr_expect_eq(conn->replies, 0);
		stage_answer_hold(stage, DB_OK, STORE_UNDECIDED, 0, false, "");
	}
	expect_problem(conn, 503, "busy");
	stage_close(stage);
}

Test(hold, a_repeat_waits_for_the_first_and_gets_its_reply)
{
	struct stage *stage = stage_open();
	struct conn *first = post(stage, "k", stage_pass(stage), BODY);
	struct conn *second = post(stage, "k", stage_pass(stage), BODY);
	struct conn *other = post(stage, "k", stage_pass(stage), OTHER_BODY);

	cr_expect_eq(stage->lock_count, 1, "only the first goes on");
	stage_answer_lock(stage, SEAT_LOCK_OURS);
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, false, "{\"id\":1}");
	cr_expect_eq(first->status, 201);
	cr_expect(!first->replayed);
	cr_expect_eq(second->status, 201);
	cr_expect(second->replayed);
	cr_expect_str_eq(second->body, "{\"id\":1}");
	expect_problem(other, 422, "idempotency_key_reused");
	stage_close(stage);
}

Test(hold, the_next_under_the_key_goes_on_where_nothing_was_kept)
{
	struct stage *stage = stage_open();
	struct conn *first = post(stage, "k", stage_pass(stage), BODY);
	struct conn *second = post(stage, "k", stage_pass(stage), BODY);

	stage_answer_lock(stage, SEAT_LOCK_OURS);
	stage_answer_hold(stage, DB_UNKNOWN, STORE_REPLY, 0, false, "");
	expect_problem(first, 503, "outcome_unknown");
	cr_expect_eq(second->replies, 0);
	stage_answer_lock(stage, SEAT_LOCK_KEY_KNOWN);
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, true, "{\"id\":1}");
	cr_expect_eq(second->status, 201);
	cr_expect(second->replayed);
	stage_close(stage);
}

Test(hold, the_first_client_may_leave_and_the_repeat_still_gets_the_reply)
{
	struct stage *stage = stage_open();
	struct conn *first = post(stage, "k", stage_pass(stage), BODY);
	struct conn *second = post(stage, "k", stage_pass(stage), BODY);

	stage_leave(first);
	stage_answer_lock(stage, SEAT_LOCK_OURS);
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, false, "{\"id\":1}");
	cr_expect_eq(first->replies, 0);
	cr_expect_eq(second->status, 201);
	stage_close(stage);
}

Test(hold, without_a_pass_only_a_known_key_counts)
{
	static const struct {
		enum store_outcome outcome;
		int status;
	} answers[] = {{STORE_KEY_UNKNOWN, 403}, {STORE_REPLY, 201}};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct stage *stage = stage_open();
		struct conn *conn = post(stage, "k", NULL, BODY);

		cr_expect(stage->locks[0]->pass_bad);
		stage_answer_lock(stage, SEAT_LOCK_AWAY);
		cr_expect(CONTAINER_OF(stage->ops[0], struct store_hold, op)->replay_only);
		stage_answer_hold(stage, DB_OK, answers[i].outcome, 201, true, "{\"id\":1}");
		cr_expect_eq(conn->status, answers[i].status);
		stage_close(stage);
	}
}

Test(hold, a_young_redis_has_the_key_looked_up_first)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), BODY);

	stage_answer_lock(stage, SEAT_LOCK_LOOK_UP);
	stage_answer_hold(stage, DB_OK, STORE_KEY_UNKNOWN, 0, false, "");
	cr_assert_eq(stage->lock_count, 1, "it asks Redis again");
	cr_expect(stage->locks[0]->key_is_new);
	stage->locks[0]->refused_count = 1;
	stage->locks[0]->refused_ids[0] = 11;
	stage_answer_lock(stage, SEAT_LOCK_TAKEN);
	expect_problem(conn, 409, "seat_unavailable");
	cr_expect_not_null(strstr(conn->body, "\"seat_ids\":[11]"));
	stage_close(stage);
}

Test(hold, a_refusal_of_redis_is_replayed_to_the_byte)
{
	struct stage *stage = stage_open();
	struct conn *first = post(stage, "k", stage_pass(stage), BODY);

	stage->locks[0]->refused_count = 1;
	stage->locks[0]->refused_ids[0] = 12;
	stage_answer_lock(stage, SEAT_LOCK_TAKEN);
	struct conn *again = post(stage, "k", stage_pass(stage), BODY);
	struct seat_lock *lock = stage->locks[0];
	lock->refused_count = 1;
	lock->refused_ids[0] = 12;
	lock->refused_body = lock->body;
	strcpy(lock->refused_request_id, "request-1");
	stage_answer_lock(stage, SEAT_LOCK_REPLAY);
	cr_expect_eq(again->status, 409);
	cr_expect(again->replayed && !first->replayed);
	cr_expect_str_eq(again->body, first->body);
	stage_close(stage);
}

/* A pass that Redis does not know, and that is good by its signature, may have been lost with Redis. */
Test(hold, a_pass_that_redis_has_lost_opens_the_door)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), BODY);

	stage_answer_lock(stage, SEAT_LOCK_NO_PASS);
	cr_expect_eq(conn->replies, 0);
	stage_answer_place(stage, ADOPT_PASS_LIVE);
	stage_answer_lock(stage, SEAT_LOCK_OURS);
	stage_answer_hold(stage, DB_OK, STORE_REPLY, 201, false, "{}");
	cr_expect(conn->replies == 1 && conn->status == 201);
	cr_expect_str_eq(stage->said, "hold;holding;drop;");
	stage_close(stage);
}

Test(hold, a_pass_is_asked_about_once)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), BODY);

	stage_answer_lock(stage, SEAT_LOCK_NO_PASS);
	stage_answer_place(stage, ADOPT_PASS_LIVE);
	stage_answer_lock(stage, SEAT_LOCK_NO_PASS); /* it ended just now */
	expect_problem(conn, 403, "queue_pass_invalid");
	cr_expect_eq(stage->place_count, 0);
	stage_close(stage);
}

Test(hold, nobody_is_refused_for_a_pass_while_nobody_can_tell)
{
	struct stage *stage = stage_open();
	struct conn *conn = post(stage, "k", stage_pass(stage), BODY);

	stage_answer_lock(stage, SEAT_LOCK_NO_PASS);
	stage_answer_place(stage, ADOPT_UNKNOWN);
	expect_problem(conn, 503, "unavailable");
	stage_close(stage);
}
