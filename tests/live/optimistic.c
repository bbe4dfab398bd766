/* An optimistic hold and somebody who changes its seat between the look and the lock: it is judged again by what is
 * there then. What the two may do in any order is in tests/isolation/optimistic_*.spec. */
#include <criterion/criterion.h>
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 15000 };

TestSuite(optimistic, .timeout = 60);

static bool somebody_waits(void *context)
{
	struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
		       " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))",
		       0, NULL) > 0;
}

static void send_hold(struct world *world, struct wire *wire)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[0].jwt,
		.key = "overtaken",
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 2)};

	call_write(&call, &bytes);
	wire_open(wire, world_port(world, 0), 0);
	cr_assert(wire_send(wire, bytes.data, bytes.len));
	buf_free(&bytes);
}

/* A hold of two free seats, one of which somebody else has locked, and ends his transaction so. */
static void overtake(const char *strategy, const char *end_sql, int status, int conflicts)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--lock.mode=none", strategy}});
	struct wire wire;
	struct answer answer = {0};

	world_fill(world, 1, 0, &(struct sale_options){.seats_per_row = 3});
	database_run(world->db, "BEGIN; SELECT FROM seats WHERE number = 2 FOR UPDATE");
	send_hold(world, &wire);
	cr_assert(wait_until(somebody_waits, world, LIMIT_MS));
	database_run(world->db, end_sql);
	cr_assert(wire_answer(&wire, &answer, false, LIMIT_MS) == WIRE_ANSWER);
	cr_assert(answer.status == status, "%d %s", answer.status, answer.body);
	cr_expect(
		instance_metric(&world->instances[0], "onsale_seat_conflicts_total") == conflicts);
	cr_expect(instance_metric(&world->instances[0], "onsale_holds_lost_total") ==
		  (status == 409));
	if (status == 201)
		invariants_hold(&(struct invariants_input){.db = world->db});
	wire_close(&wire);
	answer_clear(&answer);
	world_close(world);
}

#define OPTIMISTIC "--seat.strategy=optimistic"

Test(optimistic, a_seat_that_was_changed_is_judged_again)
{
	overtake(OPTIMISTIC, "UPDATE seats SET version = version + 1 WHERE number = 2; COMMIT", 201,
		1);
}

Test(optimistic, a_seat_that_was_taken_is_refused)
{
	overtake(OPTIMISTIC,
		"UPDATE seats SET status = 'held', reservation_id = 0, version = version + 1,"
		" hold_expires_at = now() + interval '1 hour' WHERE number = 2; COMMIT",
		409, 1);
}

Test(optimistic, a_seat_that_was_only_locked_is_no_conflict)
{
	overtake(OPTIMISTIC, "ROLLBACK", 201, 0);
}

Test(optimistic, under_locks_there_are_no_conflicts)
{
	overtake("--seat.strategy=pessimistic",
		"UPDATE seats SET version = version + 1 WHERE number = 2; COMMIT", 201, 0);
}
