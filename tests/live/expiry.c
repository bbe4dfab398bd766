/* A hold ends while its payment waits for the seat's row, which the test's own session has locked: expiry is
 * judged after the lock is had, by PostgreSQL's clock. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { BALANCE = 50000, LIMIT_MS = 10000 };

/* No sweeper comes in between. */
static const struct world_options options = {
	.flags = {"--seat.hold_ttl_ms=1500", "--seat.sweep_ms=60000"}};

/* Holds that do not end before the test does, however busy the machine is. */
static const struct world_options unhurried = {
	.flags = {"--seat.hold_ttl_ms=60000", "--seat.sweep_ms=60000"}};

TestSuite(expiry, .timeout = 60);

static bool somebody_waits(void *context)
{
	struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		       "AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
		       0, NULL) > 0;
}

static bool hold_is_over(void *context)
{
	struct world *world = context;

	return database_i64(world->db,
		       "SELECT (max(hold_expires_at) < clock_timestamp())::integer FROM reservations",
		       0, NULL) == 1;
}

/* Locks the seat, sends the payment, and waits until it stands in front of the lock. */
static void pay_behind_lock(struct world *world, PGconn *locker, const struct person *person,
	int64_t reservation_id, struct wire *wire)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct call call = {.method = "POST",
		.jwt = person->jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)reservation_id)};

	database_run(locker, "BEGIN; SELECT FROM seats FOR UPDATE");
	wire_open(wire, world_port(world, 0), 0);
	call_write(&call, &bytes);
	cr_assert(wire_send(wire, bytes.data, bytes.len));
	cr_assert(wait_until(somebody_waits, world, LIMIT_MS),
		"the payment does not wait for the seat");
	buf_free(&bytes);
}

/* Pays while the seat is locked, until the hold is over or not. */
static void pay_late(bool lapse, int status, const char *code, int64_t balance)
{
	struct world *world = world_open(lapse ? &options : &unhurried);
	struct wire wire;
	struct answer answer = {0};
	PGconn *locker = database_connect(world->database_url);

	world_fill(world, 1, BALANCE, &(struct sale_options){.seats_per_row = 1, .price = 1000});
	int64_t id = hold_seat(
		world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	pay_behind_lock(world, locker, &world->people.list[0], id, &wire);
	if (lapse)
		cr_assert(wait_until(hold_is_over, world, LIMIT_MS));
	database_run(locker, "COMMIT");
	cr_assert(wire_answer(&wire, &answer, false, LIMIT_MS) == WIRE_ANSWER);
	cr_assert(answer.status == status, "%d %s", answer.status, answer.body);
	if (code != NULL)
		check_problem(&answer, status, code);
	struct call ask = {
		.method = "GET", .path = "/v1/me/balance", .jwt = world->people.list[0].jwt};
	cr_assert(answer_int(expect(world, &ask, 200, NULL), "balance") == balance);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM payments", 0, NULL) ==
		  (lapse ? 0 : 1));
	invariants_hold(&(struct invariants_input){.db = world->db});
	answer_clear(&answer);
	wire_close(&wire);
	PQfinish(locker);
	world_close(world);
}

Test(expiry, lapses_while_the_payment_waits)
{
	pay_late(true, 410, "hold_expired", BALANCE);
}

/* The control: a payment that waits and comes through in time is paid. */
Test(expiry, waiting_alone_does_no_harm)
{
	pay_late(false, 201, NULL, BALANCE - 1000);
}

static bool swept(void *context)
{
	struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM reservations r JOIN outbox o ON o.reservation_id = r.id "
		       "WHERE r.status = 'expired' AND o.kind = 'reservation.expired'",
		       0, NULL) == 1;
}

/* The next buyer gets a lapsed seat at once, sweeper or not; the one before cannot pay any more. */
Test(expiry, a_lapsed_seat_is_free_to_the_next)
{
	struct world *world = world_open(&options);

	world_fill(world, 2, BALANCE, &(struct sale_options){.seats_per_row = 1});
	int64_t first = hold_seat(
		world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "first");
	cr_assert(wait_until(hold_is_over, world, LIMIT_MS));
	struct call ask = {.method = "GET",
		.jwt = world->people.list[0].jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)first)};
	cr_assert(answer_is(expect(world, &ask, 200, NULL), "status", "expired"));
	hold_seat(world, &world->sale, &world->people.list[1], world->sale.seat_ids[0], "second");
	struct call pay = {.method = "POST",
		.key = "late",
		.jwt = world->people.list[0].jwt,
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)first)};
	expect(world, &pay, 410, "hold_expired");
	cr_assert(swept(world), "the hold that was taken over is expired, with its event");
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(expiry, a_lapsed_hold_is_swept)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--seat.hold_ttl_ms=300", "--seat.sweep_ms=100"}});

	world_fill(world, 1, BALANCE, &(struct sale_options){.seats_per_row = 1});
	hold_seat(world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	cr_assert(wait_until(swept, world, LIMIT_MS));
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}
