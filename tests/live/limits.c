/* Rate limits: 429 past them, by client address and by person, and who is believed about addresses. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/wait.h"
#include "tests/support/world.h"

TestSuite(limits, .timeout = 60);

static const char wrong_login[] = "{\"email\":\"nobody@onsale.test\",\"password\":\"wrong\"}";

/* RateLimit's r, or -1 where the reply says nothing of limits. */
static long remaining(const struct answer *answer)
{
	char value[64];

	if (!answer_header(answer, "ratelimit", value, sizeof value))
		return -1;
	const char *r = strstr(value, ";r=");
	cr_assert(r != NULL && strstr(r, ";t=") != NULL, "%s", value);
	return strtol(r + 3, NULL, 10);
}

static struct answer *log_in(struct world *world, const char *forwarded, const char *email)
{
	struct call call = {.method = "POST",
		.path = "/v1/sessions",
		.headers = forwarded != NULL ? textf(world, "X-Forwarded-For: %s\r\n", forwarded)
					     : NULL,
		.body = textf(world, "{\"email\":\"%s\",\"password\":\"wrong\"}", email)};

	return world_call(world, &call);
}

static void check_refused(struct answer *answer, const char *policy)
{
	check_problem(answer, 429, "rate_limited");
	cr_assert(answer->status == 429 && answer_header_is(answer, "ratelimit-policy", policy));
	cr_assert(remaining(answer) == 0);
}

Test(limits, none_unless_set)
{
	struct world *world = world_open(NULL);

	for (int i = 0; i < 20; i++) {
		struct call call = {.method = "POST", .path = "/v1/sessions", .body = wrong_login};
		cr_assert(remaining(expect(world, &call, 401, "invalid_credentials")) == -1);
	}
	world_close(world);
}

/* Loopback is a client like any other; X-Forwarded-For is nobody's word here. */
Test(limits, log_ins_from_an_address)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--limit.login_per_minute=5"}});

	for (int i = 0; i < 5; i++) {
		struct answer *answer = log_in(world, textf(world, "198.51.100.%d", i),
			textf(world, "p%d@onsale.test", i));
		cr_assert(answer->status == 401 && remaining(answer) == 4 - i);
	}
	check_refused(log_in(world, "198.51.100.9", "p9@onsale.test"), "\"login\";q=5;w=60");
	cr_assert(instance_metric(&world->instances[0], "onsale_requests_limited_total") == 1);
	expect(world, &(struct call){.method = "GET", .path = "/v1/events"}, 200, NULL);
	world_close(world);
}

Test(limits, log_ins_of_one_person)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--limit.login_per_minute=3", "--http.trusted_proxies=127.0.0.0/8"}});

	for (int i = 0; i < 3; i++)
		cr_assert(log_in(world, textf(world, "198.51.100.%d", i), "One@onsale.test")
				  ->status == 401);
	check_refused(log_in(world, "198.51.100.9", "one@onsale.test"), "\"login\";q=3;w=60");
	cr_assert(log_in(world, "198.51.100.9", "two@onsale.test")->status == 401);
	world_close(world);
}

/* Behind a proxy that is trusted each client has a bucket of its own; what a client writes itself stands before
 * what the proxy appends, and counts for nothing. */
Test(limits, behind_a_proxy)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--limit.login_per_minute=2",
						"--http.trusted_proxies=127.0.0.1, 10.0.0.0/8"}});
	static const char *const same[] = {
		"198.51.100.1", "203.0.113.7, 198.51.100.1", "203.0.113.8, 198.51.100.1, 10.1.1.1"};

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		struct answer *answer = log_in(world, same[i], textf(world, "p%zu@onsale.test", i));
		cr_assert(answer->status == (i < 2 ? 401 : 429), "%s: %d", same[i], answer->status);
	}
	cr_assert(log_in(world, "198.51.100.2", "q@onsale.test")->status == 401);
	cr_assert(log_in(world, "2001:db8::1", "r@onsale.test")->status == 401);
	cr_assert(log_in(world, "2001:db8::2", "s@onsale.test")->status == 401);
	cr_assert(log_in(world, "2001:db8::3", "t@onsale.test")->status == 429);
	world_close(world);
}

static struct call join_call(struct world *world, size_t person)
{
	return (struct call){.method = "POST",
		.jwt = world->people.list[person].jwt,
		.headers = textf(world, "X-Forwarded-For: 198.51.100.%zu\r\n", person),
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
}

Test(limits, joins)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--limit.join_per_minute=2", "--http.trusted_proxies=127.0.0.1"}});

	world_fill(world, 2, 0, &(struct sale_options){.queue = true});
	struct call call = join_call(world, 0);
	cr_assert(remaining(expect(world, &call, 201, NULL)) == 1);
	cr_assert(remaining(expect(world, &call, 200, NULL)) == 0);
	check_refused(expect(world, &call, 429, "rate_limited"), "\"join\";q=2;w=60");
	call.headers = "X-Forwarded-For: 198.51.100.77\r\n"; /* the same person from elsewhere */
	expect(world, &call, 429, "rate_limited");
	call = join_call(world, 1);
	expect(world, &call, 201, NULL);
	call.jwt = NULL; /* who is nobody takes nothing */
	expect(world, &call, 401, "unauthorized");
	world_close(world);
}

static struct call hold_call(struct world *world, size_t person, size_t seat)
{
	return (struct call){.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.key = textf(world, "hold-%zu", seat),
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};
}

/* One address, two people; a refusal is not kept under its key. */
Test(limits, holds)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--limit.hold_per_minute=30", "--seat.per_user_max=0"}});
	size_t held = 0;

	world_fill(world, 2, 0, &(struct sale_options){.seats_per_row = 40});
	struct call call;
	struct answer *answer;
	do {
		call = hold_call(world, held % 2, held);
		answer = world_call(world, &call);
		held += answer->status == 201;
	} while (answer->status == 201 && held < world->sale.seat_count);
	cr_assert(held >= 30 && held < 35, "%zu held", held);
	check_refused(answer, "\"hold\";q=30;w=60");
	char wait_s[16];
	cr_assert(answer_header(answer, "retry-after", wait_s, sizeof wait_s));
	cr_assert(strtol(wait_s, NULL, 10) <= 2, "%s", wait_s);
	uint64_t give_up_ms = now_ms() + 10000;
	while (answer->status == 429 && now_ms() < give_up_ms)
		answer = world_call(world, &call);
	cr_assert(answer->status == 201);
	world_close(world);
}
