/* Slow and half-gone clients: limits of time count from a request's first byte and are absolute, whatever
 * trickles in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

enum { LATE_MS = 10000, TURN_MS = 100, TRICKLE_MS = 50, SEATS_BIG = 20000, MAPS = 8 };

TestSuite(wire_slow, .timeout = 60);

static const char some_head[] =
	"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	"Content-Length: 1000\r\n\r\n";

/* Sends `before` at once and then a byte now and then, until the server has had enough: that must be at the
 * limit. The server counts from the turn in which it has seen the first byte, which began a moment before, perhaps. */
static void trickle(struct world *world, const char *before, unsigned limit_ms)
{
	struct wire wire = wiring_connect(world);
	struct timespec pause = {.tv_nsec = TRICKLE_MS * 1000000};
	uint64_t begun_ms = now_ms();

	cr_assert(wire_send_text(&wire, before));
	while (!wire_ends(&wire, 1)) {
		cr_assert(now_ms() - begun_ms < limit_ms + LATE_MS, "a slow request is not cut");
		wire_send_text(&wire, "x");
		nanosleep(&pause, NULL);
	}
	cr_assert(now_ms() - begun_ms >= limit_ms - TURN_MS, "cut after %d ms",
		(int)(now_ms() - begun_ms));
	wire_close(&wire);
}

Test(wire_slow, head)
{
	struct world *world = wiring_open();

	trickle(world, "GET /", HEAD_LIMIT_MS);
	trickle(world, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ", HEAD_LIMIT_MS);
	world_close(world);
}

Test(wire_slow, body)
{
	struct world *world = wiring_open();

	trickle(world, some_head, BODY_LIMIT_MS);
	world_close(world);
}

Test(wire_slow, idle)
{
	struct world *world = wiring_open();
	struct wire unused = wiring_connect(world), used = wiring_connect(world);

	uint64_t begun_ms = now_ms();

	cr_assert(wire_send_text(&used, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
	wiring_expect_only(&used, 200);
	wiring_expect_end(&used);
	uint64_t waited_ms = now_ms() - begun_ms;
	cr_assert(waited_ms + TURN_MS >= IDLE_LIMIT_MS && waited_ms < IDLE_LIMIT_MS + LATE_MS,
		"an idle connection ended after %d ms", (int)waited_ms);
	wiring_expect_end(&unused);
	wire_close(&used);
	wire_close(&unused);
	world_close(world);
}

/* Eight seat maps of two megabytes, asked for over a small window: more than the kernel holds for us. */
static struct wire ask_for_much(struct world *world, int receive_bytes)
{
	struct wire wire;

	world_fill(world, 0, 0,
		&(struct sale_options){.rows = SEATS_BIG / 1000, .seats_per_row = 1000});
	wire_open(&wire, world_port(world, 0), receive_bytes);
	const char *request = textf(world,
		"GET /v1/performances/%lld/seats HTTP/1.1\r\nHost: a\r\n\r\n",
		(long long)world->sale.performance_id);
	for (int i = 0; i < MAPS; i++)
		cr_assert(wire_send_text(&wire, request));
	return wire;
}

/* Whoever reads on gets all of them, though the server has to wait for him again and again. A busy machine may keep
 * him from it for longer than wiring_open's server waits. */
Test(wire_slow, reading_in_small_bites)
{
	struct world *world = world_open(&(struct world_options){
		.no_redis = true, .flags = {"--http.write_timeout_ms=30000"}});
	struct wire wire = ask_for_much(world, 64 * 1024);

	for (int i = 0; i < MAPS; i++) {
		struct answer answer = wiring_expect(&wire, 200);
		cr_assert(answer.body_len > 50 * SEATS_BIG);
		cr_assert_str_eq(answer.body + answer.body_len - 3, "}]}");
		answer_clear(&answer);
	}
	wire_close(&wire);
	world_close(world);
}

static bool is_alone(void *context)
{
	const struct world *world = context;

	return instance_metric(&world->instances[0], "onsale_connections") <= 1;
}

/* The reply is waited for no longer than write_timeout_ms; then the connection is gone and its memory free. */
Test(wire_slow, never_reading)
{
	struct world *world = wiring_open();
	struct wire wire = ask_for_much(world, 4096);
	struct answer answer = {0};
	enum wire_result result = WIRE_ANSWER;
	int whole = -1;

	cr_assert(wait_until(is_alone, world, WRITE_LIMIT_MS + LATE_MS), "still there");
	for (; result == WIRE_ANSWER; whole++) {
		result = wire_answer(&wire, &answer, false, WIRE_LIMIT_MS);
		answer_clear(&answer);
	}
	cr_assert(
		result == WIRE_CLOSED && whole < MAPS, "%d of %d replies came whole", whole, MAPS);
	wire_close(&wire);
	world_close(world);
}

/* Who has said all still hears the replies, each of them. */
Test(wire_slow, half_closed)
{
	struct world *world = wiring_open();
	struct wire wire = wiring_connect(world);

	cr_assert(wire_send_text(&wire, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
					"GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n"));
	wire_shut(&wire);
	wiring_expect_only(&wire, 200);
	wiring_expect_only(&wire, 200);
	wiring_expect_end(&wire);
	wire_close(&wire);
	world_close(world);
}

Test(wire_slow, half_closed_in_the_middle)
{
	struct world *world = wiring_open();
	static const char *const rows[] = {"GET /liv", some_head, ""};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire wire = wiring_connect(world);
		cr_assert(wire_send_text(&wire, rows[i]));
		wire_shut(&wire);
		wiring_expect_end(&wire);
		wire_close(&wire);
	}
	world_close(world);
}
