/* A wire test names bytes and what must come back; the rest is here. */
#include "tests/wire/wiring.h"

#include <criterion/criterion.h>
#include "tests/support/wait.h"

enum { END_LIMIT_MS = 10000 };

struct world *wiring_open(void)
{
	return world_open(&(struct world_options){.no_redis = true,
		.flags = {"--http.head_timeout_ms=400", "--http.body_timeout_ms=600",
			"--http.idle_timeout_ms=1000", "--http.write_timeout_ms=500"}});
}

struct wire wiring_connect(struct world *world)
{
	struct wire wire;

	wire_open(&wire, world_port(world, 0), 0);
	return wire;
}

struct answer wiring_expect(struct wire *wire, int status)
{
	struct answer answer = {0};
	enum wire_result result = wire_answer(wire, &answer, false, WIRE_LIMIT_MS);

	cr_assert(result == WIRE_ANSWER, "expected %d, got no reply (%d)", status, (int)result);
	cr_assert(answer.status == status, "expected %d, got %d %s", status, answer.status,
		answer.body);
	return answer;
}

void wiring_expect_only(struct wire *wire, int status)
{
	struct answer answer = wiring_expect(wire, status);

	answer_clear(&answer);
}

void wiring_expect_end(struct wire *wire)
{
	cr_assert(wire_ends(wire, END_LIMIT_MS), "the connection does not end: %zu bytes came",
		wire->in.len);
}
