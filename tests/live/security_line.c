/* Queue tokens and passes that somebody made, changed, took from another, or used up. What one person may do with
 * a good one is in contract_line.c and contract_reservations.c. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "proto/token.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { BALANCE = 5000, LIMIT_MS = 20000 };
enum { BUYER, OTHER, PEOPLE };

/* As world.c gives it to the server. */
static const char queue_secret[] = "only-the-tests-sign-places-with-this-secret";
static const char foreign_secret[] = "nobody-signs-places-with-this-other-secret";

TestSuite(security_line, .timeout = 90);

/* What was seen of a place while it was admitted. */
struct place {
	struct world *world;
	const struct sale *sale;
	unsigned person;
	const char *token, *pass;
};

static bool is_admitted(void *context)
{
	struct place *place = context;
	struct call call = {.method = "POST",
		.jwt = place->world->people.list[place->person].jwt,
		.path = textf(
			place->world, "/v1/events/%lld/queue", (long long)place->sale->event_id)};
	struct answer *answer = world_call(place->world, &call);

	if (answer->status / 100 != 2 || !answer_is(answer, "status", "admitted"))
		return false;
	place->token = answer_text(answer, "token");
	place->pass = answer_text(answer, "pass");
	return true;
}

static struct place admitted(struct world *world, unsigned person, const struct sale *sale)
{
	struct place place = {world, sale, person, NULL, NULL};

	cr_assert(wait_until(is_admitted, &place, LIMIT_MS));
	return place;
}

static struct world *open_world(void)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--queue.poll_min_ms=50",
						"--queue.poll_max_ms=300", "--queue.tick_ms=20"}});

	world_fill(world, PEOPLE, BALANCE, &(struct sale_options){.queue = true});
	return world;
}

static void check_poll(struct world *world, const char *token, int status, const char *code)
{
	struct call call = {.method = "GET", .path = "/v1/queue", .queue_token = token};

	expect(world, &call, status, code);
	if (status != 401)
		return;
	call.method = "DELETE";
	expect(world, &call, status, code);
}

/* A hold of the sale's first seat; each try has a key of its own. */
static struct answer *hold(
	struct world *world, unsigned person, const char *pass, int status, const char *code)
{
	static unsigned tries;
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[person].jwt,
		.key = textf(world, "try-%u", tries++),
		.pass = pass,
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};

	return expect(world, &call, status, code);
}

/* Signed by us, but by another secret, or for what nobody has. */
static void check_signed(struct world *world)
{
	struct token_key *ours = token_key_new(queue_secret, strlen(queue_secret));
	struct token_key *theirs = token_key_new(foreign_secret, strlen(foreign_secret));
	struct queue_token token = {.event_id = world->sale.event_id,
		.user_id = world->people.list[BUYER].id,
		.number = 1,
		.seen_unix_ms = 1};
	struct queue_pass pass = {.event_id = world->sale.event_id,
		.user_id = world->people.list[BUYER].id,
		.nonce = 1,
		.expires_unix_ms = INT64_MAX};
	char text[TOKEN_TEXT_SIZE];

	queue_token_sign(theirs, &token, text);
	check_poll(world, text, 401, "invalid_queue_token");
	queue_pass_sign(theirs, &pass, text);
	hold(world, BUYER, text, 403, "queue_pass_invalid");
	queue_pass_sign(ours, &pass, text); /* a nonce that was never given */
	hold(world, BUYER, text, 403, "queue_pass_invalid");
	pass.expires_unix_ms = 1;
	queue_pass_sign(ours, &pass, text);
	hold(world, BUYER, text, 403, "queue_pass_expired");
	token_key_free(ours);
	token_key_free(theirs);
}

Test(security_line, forged)
{
	struct world *world = open_world();
	struct place place = admitted(world, BUYER, &world->sale);

	check_signed(world);
	check_poll(world, place.pass, 401, "invalid_queue_token");
	check_poll(world, world->people.list[BUYER].jwt, 401, "invalid_queue_token");
	hold(world, BUYER, place.token, 403, "queue_pass_invalid");
	hold(world, BUYER, world->people.list[BUYER].jwt, 403, "queue_pass_invalid");
	check_poll(world, place.token, 200, NULL);
	hold(world, BUYER, place.pass, 201, NULL);
	world_close(world);
}

/* A control character is refused before anyone reads the header. */
static bool can_be_sent(char byte)
{
	return (unsigned char)byte > ' ' && byte != 0x7f;
}

/* One bit of any letter, a letter fewer, or one more. */
Test(security_line, changed)
{
	struct world *world = open_world();
	struct place place = admitted(world, BUYER, &world->sale);
	size_t len = strlen(place.token);

	cr_assert(len == strlen(place.pass));
	for (size_t at = 0; at < len; at += 2) {
		static const int bits[] = {1, 2, 0x20, 0x80};
		int bit = bits[at / 2 % ARRAY_LEN(bits)];
		char *token = (char *)textf(world, "%s", place.token);
		char *pass = (char *)textf(world, "%s", place.pass);
		token[at] = (char)(token[at] ^ bit);
		pass[at] = (char)(pass[at] ^ bit);
		if (!can_be_sent(token[at]) || !can_be_sent(pass[at]))
			continue;
		check_poll(world, token, 401, "invalid_queue_token");
		hold(world, BUYER, pass, 403, "queue_pass_invalid");
	}
	check_poll(
		world, textf(world, "%.*s", (int)len - 1, place.token), 401, "invalid_queue_token");
	check_poll(world, textf(world, "%sA", place.token), 401, "invalid_queue_token");
	hold(world, BUYER, textf(world, "%.*s", (int)len - 1, place.pass), 403,
		"queue_pass_invalid");
	hold(world, BUYER, textf(world, "%s%s", place.pass, place.pass), 403, "queue_pass_invalid");
	hold(world, BUYER, place.pass, 201, NULL);
	world_close(world);
}

/* Another's, another event's, and those of a place that was given up, also once there is a new one. */
Test(security_line, replayed)
{
	struct world *world = open_world();
	struct sale other;

	sale_open(world, &other, &(struct sale_options){.queue = true});
	struct place mine = admitted(world, BUYER, &world->sale);
	struct place his = admitted(world, OTHER, &world->sale);
	struct place elsewhere = admitted(world, BUYER, &other);
	hold(world, BUYER, his.pass, 403, "queue_pass_invalid");
	hold(world, BUYER, elsewhere.pass, 403, "queue_pass_invalid");
	struct call leave = {.method = "DELETE", .path = "/v1/queue", .queue_token = mine.token};
	expect(world, &leave, 204, NULL);
	hold(world, BUYER, mine.pass, 403, "queue_pass_invalid");
	check_poll(world, mine.token, 410, "place_expired");
	struct place again = admitted(world, BUYER, &world->sale);
	hold(world, BUYER, mine.pass, 403, "queue_pass_invalid");
	hold(world, BUYER, again.pass, 201, NULL);
	sale_close(&other);
	world_close(world);
}
