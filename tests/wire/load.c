/* The limits on connections and on requests in work, what becomes of the work of a client that has gone, and
 * the end of the server while a request is in work. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

enum { LIMIT = 16, LIMIT_MS = 10000 };

TestSuite(wire_load, .timeout = 60);

static const char live[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";

Test(wire_load, connections)
{
	struct world *world = world_open(
		&(struct world_options){.no_redis = true, .flags = {"--http.connections_max=16"}});
	struct wire wires[LIMIT + 1];
	struct answer answer = {0};

	for (unsigned i = 0; i < LIMIT; i++) {
		wires[i] = wiring_connect(world);
		cr_assert(wire_send_text(&wires[i], live));
		wiring_expect_only(&wires[i], 200);
	}
	wires[LIMIT] = wiring_connect(world); /* the kernel takes it, the server does not */
	cr_assert(wire_send_text(&wires[LIMIT], live));
	cr_assert(wire_answer(&wires[LIMIT], &answer, false, 300) == WIRE_SILENT);
	wire_close(&wires[0]);
	wiring_expect_only(&wires[LIMIT], 200);
	for (unsigned i = 1; i <= LIMIT; i++)
		wire_close(&wires[i]);
	world_close(world);
}

/* The server's own sockets and files need some of what the system lets it open. */
Test(wire_load, open_files)
{
	enum { FILES = 200, LANES = 4, KEPT = 128, ROOM = FILES - LANES - KEPT };
	struct rlimit limit = {FILES, FILES};
	struct wire wires[ROOM + 1];
	struct answer answer = {0};

	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	struct world *world = wiring_open();
	cr_assert(instance_logged(&world->instances[0], "http.connections_max: 68"));
	for (unsigned i = 0; i < ROOM; i++) {
		wires[i] = wiring_connect(world);
		cr_assert(wire_send_text(&wires[i], live));
		wiring_expect_only(&wires[i], 200);
	}
	wires[ROOM] = wiring_connect(world);
	cr_assert(wire_send_text(&wires[ROOM], live));
	cr_assert(wire_answer(&wires[ROOM], &answer, false, 300) == WIRE_SILENT);
	wire_close(&wires[0]);
	wiring_expect_only(&wires[ROOM], 200);
	cr_assert(!instance_logged(&world->instances[0], "accept:"));
	for (unsigned i = 1; i <= ROOM; i++)
		wire_close(&wires[i]);
	world_close(world);
}

/* Charges of one person, each on its own connection, which all wait for his account's row. */
static void send_charge(struct world *world, struct wire *wire, unsigned number)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[0].jwt,
		.key = textf(world, "%u", number),
		.body = "{\"amount\":1}"};

	*wire = wiring_connect(world);
	call_write(&call, &bytes);
	cr_assert(wire_send(wire, bytes.data, bytes.len));
	buf_free(&bytes);
}

/* Who waits for the row waits as long as the test takes, and nobody is refused for that. */
#define PATIENT \
	"--db.lock_timeout_ms=60000", "--db.statement_timeout_ms=60000", "--db.deadline_ms=60000", \
		"--lock.locking_ms=120000", "--db.backlog_max_ms=60000"

static PGconn *lock_accounts(struct world *world)
{
	PGconn *locker = database_connect(world->database_url);

	database_run(locker, "BEGIN; SELECT FROM accounts FOR UPDATE");
	return locker;
}

/* The question is itself a request in work. */
static bool all_in_work(void *context)
{
	const struct world *world = context;
	struct call call = {.method = "GET", .path = "/livez"};
	struct answer answer = {0};
	bool busy = wire_call(world_port(world, 0), &call, &answer) && answer.status == 503;

	answer_clear(&answer);
	return busy;
}

Test(wire_load, in_flight)
{
	struct world *world = world_open(&(struct world_options){
		.no_redis = true, .flags = {"--http.in_flight_max=16", PATIENT}});
	struct wire wires[LIMIT];

	world_people(world, &world->people, 1, 0);
	PGconn *locker = lock_accounts(world);
	for (unsigned i = 0; i < LIMIT; i++)
		send_charge(world, &wires[i], i);
	cr_assert(wait_until(all_in_work, world, LIMIT_MS));
	struct call call = {.method = "GET", .path = "/v1/events"};
	expect(world, &call, 503, "busy");
	database_run(locker, "COMMIT");
	for (unsigned i = 0; i < LIMIT; i++) {
		wiring_expect_only(&wires[i], 201);
		wire_close(&wires[i]);
	}
	expect(world, &call, 200, NULL);
	PQfinish(locker);
	world_close(world);
}

static bool in_work(void *context)
{
	const struct world *world = context;

	return instance_metric(&world->instances[0], "onsale_in_flight") >=
	       (double)world->people.count;
}

/* With more in work, first joins and accounts are refused, then polls, then holds, and payments last. */
Test(wire_load, priorities)
{
	static const struct {
		unsigned in_work;
		int account, poll, hold;
	} rows[] = {{49, 200, 200, 422}, {50, 503, 200, 422}, {74, 503, 200, 422},
		{75, 503, 503, 422}, {89, 503, 503, 422}, {90, 503, 503, 503}, {99, 503, 503, 503}};
	struct world *world = world_open(&(struct world_options){
		.no_redis = true, .flags = {"--http.in_flight_max=100", PATIENT}});
	struct wire wires[100];
	unsigned sent = 0;

	world_people(world, &world->people, 1, 0);
	const char *jwt = world->people.list[0].jwt;
	struct call account = {.method = "GET", .path = "/v1/me", .jwt = jwt};
	struct call poll = {.method = "GET", .path = "/v1/events"};
	struct call hold = {
		.method = "POST", .path = "/v1/reservations", .jwt = jwt, .key = "k", .body = "{}"};
	PGconn *locker = lock_accounts(world);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		while (sent < rows[i].in_work) {
			send_charge(world, &wires[sent], sent);
			sent++;
		}
		world->people.count = sent + 1; /* the question itself is one in work */
		cr_assert(wait_until(in_work, world, LIMIT_MS));
		world->people.count = 1;
		expect(world, &account, rows[i].account, rows[i].account == 503 ? "busy" : NULL);
		expect(world, &poll, rows[i].poll, rows[i].poll == 503 ? "busy" : NULL);
		expect(world, &hold, rows[i].hold,
			rows[i].hold == 503 ? "busy" : "validation_failed");
	}
	database_run(locker, "COMMIT");
	for (unsigned i = 0; i < sent; i++) {
		wiring_expect_only(&wires[i], 201);
		wire_close(&wires[i]);
	}
	PQfinish(locker);
	world_close(world);
}

static bool is_charged(void *context)
{
	const struct world *world = context;

	return database_i64(world->db, "SELECT count(*) FROM ledger WHERE kind = 'charge'", 0,
		       NULL) == 1;
}

static bool somebody_waits(void *context)
{
	const struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		       "AND wait_event_type = 'Lock'",
		       0, NULL) > 0;
}

/* The client goes; what it asked for is finished, and its key finds the reply. */
Test(wire_load, client_goes_away)
{
	struct world *world = wiring_open();
	struct wire wire;

	world_people(world, &world->people, 1, 0);
	PGconn *locker = lock_accounts(world);
	send_charge(world, &wire, 1);
	cr_assert(wait_until(somebody_waits, world, LIMIT_MS));
	wire_reset(&wire);
	database_run(locker, "COMMIT");
	cr_assert(wait_until(is_charged, world, LIMIT_MS));
	send_charge(world, &wire, 1);
	struct answer answer = wiring_expect(&wire, 201);
	cr_assert(answer_header_is(&answer, "idempotent-replayed", "true"));
	cr_assert(is_charged(world));
	answer_clear(&answer);
	wire_close(&wire);
	PQfinish(locker);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* SIGTERM: no one new, but the request in work gets its reply, and the server ends well. */
Test(wire_load, drain)
{
	struct world *world = wiring_open();
	struct instance *instance = &world->instances[0];
	struct wire wire, idle;
	int status = 0;

	world_people(world, &world->people, 1, 0);
	PGconn *locker = lock_accounts(world);
	idle = wiring_connect(world);
	cr_assert(wire_send_text(&idle, live));
	wiring_expect_only(&idle, 200);
	send_charge(world, &wire, 1);
	cr_assert(wait_until(somebody_waits, world, LIMIT_MS));
	kill(instance->pid, SIGTERM);
	wiring_expect_end(&idle);
	database_run(locker, "COMMIT");
	struct answer answer = wiring_expect(&wire, 201);
	cr_assert(answer_header_is(&answer, "connection", "close"));
	wiring_expect_end(&wire);
	cr_assert(process_wait(instance->pid, LIMIT_MS, &status) && WIFEXITED(status) &&
		  WEXITSTATUS(status) == 0);
	instance->pid = 0;
	answer_clear(&answer);
	wire_close(&wire);
	wire_close(&idle);
	PQfinish(locker);
	world_close(world);
}
