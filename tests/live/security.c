/* Who may do what, and with which tokens: every route for everybody, somebody else's reservation, and access tokens
 * that are forged, foreign, late or not for us. Passes and queue tokens: tests/live/security_line.c. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { BALANCE = 5000, LIMIT_MS = 20000, STREAM_LIMIT_MS = 1000, PART_SIZE = 1024 };

TestSuite(security, .timeout = 90);

/* --- every route for everybody --- */

enum { GUARD_NONE, GUARD_USER, GUARD_ADMIN, GUARDS };

static int guard_of(const char *name)
{
	static const char *const names[] = {"none", "user", "admin"};

	for (int guard = 0; guard < GUARDS; guard++)
		if (strcmp(names[guard], name) == 0)
			return guard;
	cr_assert_fail("a guard that is not known here: %s", name);
	return 0;
}

/* The path with the sale's event for each {…}: what is behind the guard need not be there. */
static void fill_path(const struct world *world, const char *pattern, char *path, size_t size)
{
	size_t len = 0;

	for (; *pattern != '\0' && len + 24 < size; pattern++) {
		if (pattern[0] == '{' && pattern[1] == '}') {
			len += (size_t)snprintf(
				path + len, size - len, "%lld", (long long)world->sale.event_id);
			pattern++;
		} else {
			path[len++] = *pattern;
		}
	}
	path[len] = '\0';
}

/* A whole answer, or the begin of one that has no end. */
static enum wire_result await_begin(struct wire *wire, struct answer *answer)
{
	uint64_t end_ms = now_ms() + LIMIT_MS;
	enum wire_result result;

	do
		result = wire_answer(wire, answer, false, STREAM_LIMIT_MS);
	while (result == WIRE_SILENT && wire->in.len == 0 && now_ms() < end_ms);
	return result;
}

/* Which refusal of a guard came: 401, 403, or 0 where it let in, whatever came of it behind the guard. A stream's
 * reply has no end; that it began says enough. */
static int refused_with(struct world *world, const struct call *call)
{
	struct answer answer = {0};
	struct wire wire;
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	int refused = 0;

	wire_open(&wire, world_port(world, 0), 0);
	call_write(call, &bytes);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	enum wire_result result = await_begin(&wire, &answer);
	if (result == WIRE_ANSWER && answer.status == 401 &&
		answer_is(&answer, "code", "unauthorized")) {
		check_problem(&answer, 401, "unauthorized");
		cr_assert(answer_header_is(&answer, "www-authenticate", "Bearer"));
		refused = 401;
	} else if (result == WIRE_ANSWER && answer.status == 403 &&
		   answer_is(&answer, "code", "forbidden")) {
		check_problem(&answer, 403, "forbidden");
		refused = 403;
	} else if (result != WIRE_ANSWER) {
		cr_assert(result == WIRE_SILENT && wire.in.len > strlen("HTTP/1.1 200") &&
				  memcmp(wire.in.data, "HTTP/1.1 200", strlen("HTTP/1.1 200")) == 0,
			"%s %s: no reply", call->method, call->path);
	}
	answer_clear(&answer);
	buf_free(&bytes);
	wire_close(&wire);
	return refused;
}

static void check_route(struct world *world, const char *method, const char *path, int guard)
{
	const struct {
		const char *who, *jwt;
		int refused[GUARDS];
	} people[] = {
		{"nobody", NULL, {0, 401, 401}},
		{"a forged token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA", {0, 401, 401}},
		{"a buyer", world->people.list[0].jwt, {0, 0, 403}},
		{"an operator", world->admins.list[0].jwt, {0, 0, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(people); i++) {
		struct call call = {.method = method,
			.path = path,
			.jwt = people[i].jwt,
			.key = "k",
			.body = strcmp(method, "GET") == 0 ? NULL : "{}"};
		int refused = refused_with(world, &call);
		cr_assert(refused == people[i].refused[guard], "%s %s for %s: %d", method, path,
			people[i].who, refused);
	}
}

static bool ends_token(const char *path)
{
	return strcmp(path, "/v1/sessions/current") == 0;
}

/* Whom a path must ask for, by its name alone: the listing is the server's own, and a guard that is missing there
 * is missing everywhere. */
static int least_guard(const char *method, const char *path)
{
	static const char *const of_users[] = {
		"/v1/me", "/v1/reservations", "/v1/sessions/current"};
	size_t len = strlen(path);

	if (strncmp(path, "/v1/admin/", 10) == 0)
		return GUARD_ADMIN;
	for (size_t i = 0; i < ARRAY_LEN(of_users); i++)
		if (strncmp(path, of_users[i], strlen(of_users[i])) == 0)
			return GUARD_USER;
	if (strcmp(method, "POST") == 0 && len > 6 && strcmp(path + len - 6, "/queue") == 0)
		return GUARD_USER;
	return GUARD_NONE;
}

/* The log-out comes last: it ends the tokens that the others need. */
static void check_routes(
	struct world *world, const char *listing, bool log_out, unsigned seen[GUARDS])
{
	char *lines = strdup(listing), *rest = NULL;

	for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char method[16], pattern[128], guard_name[16], path[256];
		cr_assert(sscanf(line, "%15s %127s %15s", method, pattern, guard_name) == 3, "%s",
			line);
		if (ends_token(pattern) != log_out)
			continue;
		int guard = guard_of(guard_name);
		seen[guard]++;
		cr_assert(guard == least_guard(method, pattern), "%s is open to: %s", line,
			guard_name);
		fill_path(world, pattern, path, sizeof path);
		check_route(world, method, path, guard);
	}
	free(lines);
}

Test(security, every_route_for_everybody)
{
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "routes", NULL};
	struct world *world = world_open(NULL);
	struct buf listing = BUF_INIT(PROCESS_OUTPUT_MAX);
	unsigned seen[GUARDS] = {0};

	world_fill(world, 1, BALANCE, &(struct sale_options){0});
	cr_assert(process_run(argv, world->env, NULL, &listing) == 0);
	check_routes(world, listing.data, false, seen);
	check_routes(world, listing.data, true, seen);
	cr_assert(seen[GUARD_NONE] >= 15 && seen[GUARD_USER] >= 10 && seen[GUARD_ADMIN] >= 5,
		"%u, %u, %u", seen[GUARD_NONE], seen[GUARD_USER], seen[GUARD_ADMIN]);
	buf_free(&listing);
	world_close(world);
}

/* --- somebody else's reservation --- */

static const char *reservation_path(struct world *world, int64_t id, const char *rest)
{
	return textf(world, "/v1/reservations/%lld%s", (long long)id, rest);
}

/* Not there, whoever else asks: also for an operator, and for one that never was. */
static void check_hidden(struct world *world, int64_t id)
{
	const char *others[] = {world->people.list[1].jwt, world->admins.list[0].jwt};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct call call = {
			.method = "GET", .jwt = others[i], .path = reservation_path(world, id, "")};
		expect(world, &call, 404, "reservation_not_found");
		call.method = "DELETE";
		expect(world, &call, 404, "reservation_not_found");
		call = (struct call){.method = "POST",
			.jwt = others[i],
			.key = textf(world, "%lld-%zu", (long long)id, i),
			.path = reservation_path(world, id, "/payment"),
			.body = "{}"};
		expect(world, &call, 404, "reservation_not_found");
		cr_assert(
			json_array_size(json_object_get(answer_json(expect(world,
								&(struct call){.method = "GET",
									.jwt = others[i],
									.path = "/v1/reservations"},
								200, NULL)),
				"items")) == 0);
	}
}

static void check_status(struct world *world, int64_t id, const char *status)
{
	struct call call = {.method = "GET",
		.jwt = world->people.list[0].jwt,
		.path = reservation_path(world, id, "")};

	cr_assert(answer_is(expect(world, &call, 200, NULL), "status", status));
}

Test(security, reservations_of_others)
{
	struct world *world = world_open(NULL);

	world_fill(world, 2, BALANCE, &(struct sale_options){0});
	const struct person *owner = &world->people.list[0];
	int64_t id = hold_seat(world, &world->sale, owner, world->sale.seat_ids[0], "hold");
	struct call pay = {.method = "POST",
		.jwt = owner->jwt,
		.key = "pay",
		.path = reservation_path(world, id, "/payment")};
	struct call cancel = {
		.method = "DELETE", .jwt = owner->jwt, .path = reservation_path(world, id, "")};

	check_hidden(world, id);
	check_status(world, id, "held");
	expect(world, &pay, 201, NULL);
	check_hidden(world, id);
	check_status(world, id, "paid");
	expect(world, &cancel, 200, NULL);
	check_hidden(world, id);
	check_status(world, id, "cancelled");
	check_hidden(world, 999999999);
	world_close(world);
}

/* --- access tokens --- */

/* As world.c gives it to the server. */
static const char jwt_secret[] = "only-the-tests-sign-tokens-with-this-secret";

static void append_part(struct buf *out, const void *bytes, size_t len)
{
	char text[PART_SIZE];

	sodium_bin2base64(text, sizeof text, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_append_text(out, text);
}

static void append_tag(struct buf *out, const char *secret, bool sha512)
{
	unsigned char tag[crypto_auth_hmacsha512_BYTES];
	crypto_auth_hmacsha512_state long_state;
	crypto_auth_hmacsha256_state state;
	const unsigned char *key = (const unsigned char *)secret;
	const unsigned char *text = (const unsigned char *)out->data;

	if (sha512) {
		crypto_auth_hmacsha512_init(&long_state, key, strlen(secret));
		crypto_auth_hmacsha512_update(&long_state, text, out->len);
		crypto_auth_hmacsha512_final(&long_state, tag);
	} else {
		crypto_auth_hmacsha256_init(&state, key, strlen(secret));
		crypto_auth_hmacsha256_update(&state, text, out->len);
		crypto_auth_hmacsha256_final(&state, tag);
	}
	buf_append_char(out, '.');
	append_part(out, tag, sha512 ? sizeof tag : crypto_auth_hmacsha256_BYTES);
}

/* header.claims.tag; the world's. secret: NULL leaves the tag empty. */
static char *forge(struct world *world, const char *header, const char *claims, const char *secret)
{
	struct buf token = BUF_INIT(4 * PART_SIZE);

	append_part(&token, header, strlen(header));
	buf_append_char(&token, '.');
	append_part(&token, claims, strlen(claims));
	if (secret != NULL)
		append_tag(&token, secret, strstr(header, "512") != NULL);
	else
		buf_append_char(&token, '.');
	char *text = (char *)textf(world, "%s", token.data);
	buf_free(&token);
	return text;
}

static const char *claims(struct world *world, const char *issuer, const char *audience,
	long begins, long ends, const char *further)
{
	long now = time(NULL);

	return textf(world,
		"{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%lld\",\"role\":\"buyer\","
		"\"iat\":%ld,\"exp\":%ld,\"jti\":\"00\"%s}",
		issuer, audience, (long long)world->people.list[0].id, now + begins, now + ends,
		further);
}

static void check_token(struct world *world, const char *jwt, const char *why)
{
	struct call call = {.method = "GET", .path = "/v1/me", .jwt = jwt};
	struct answer *answer = world_call(world, &call);

	cr_assert(answer->status == 401, "%s: %d %s", why, answer->status, answer->body);
	check_problem(answer, 401, "unauthorized");
}

static const char hs256[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

Test(security, tokens_of_other_algorithms)
{
	struct world *world = world_open(NULL);

	world_people(world, &world->people, 1, BALANCE);
	const char *good = claims(world, "onsale", "onsale", 0, 60, "");
	struct call call = {
		.method = "GET", .path = "/v1/me", .jwt = forge(world, hs256, good, jwt_secret)};
	expect(world, &call, 200, NULL); /* what is forged here well is taken */
	static const char *const headers[] = {"{\"alg\":\"none\",\"typ\":\"JWT\"}",
		"{\"alg\":\"None\"}", "{\"alg\":\"NONE\"}", "{\"alg\":\"\"}", "{\"alg\":null}",
		"{}", "{\"alg\":\"HS384\"}", "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
		"{\"alg\":\"RS256\",\"typ\":\"JWT\"}", "{\"alg\":\"ES256\"}", "{\"alg\":\"PS256\"}",
		"[]", "not JSON"};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		check_token(world, forge(world, headers[i], good, jwt_secret), headers[i]);
		check_token(world, forge(world, headers[i], good, NULL), headers[i]);
	}
	check_token(world, forge(world, hs256, good, NULL), "no tag");
	world_close(world);
}

Test(security, tokens_that_say_something_else)
{
	struct world *world = world_open(NULL);

	world_people(world, &world->people, 1, BALANCE);
	const struct {
		const char *why, *claims;
	} rows[] = {
		{"audience", claims(world, "onsale", "another", 0, 60, "")},
		{"issuer", claims(world, "another", "onsale", 0, 60, "")},
		{"expired", claims(world, "onsale", "onsale", -120, -1, "")},
		{"issued in an hour", claims(world, "onsale", "onsale", 3600, 7200, "")},
		{"not yet", claims(world, "onsale", "onsale", 0, 60, ",\"nbf\":4102444800")},
		{"nothing", "{}"},
		{"no object", "\"sub\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_token(world, forge(world, hs256, rows[i].claims, jwt_secret), rows[i].why);
	check_token(world,
		forge(world, hs256, claims(world, "onsale", "onsale", 0, 60, ""),
			"another-secret-of-enough-bytes-to-sign-with"),
		"another secret");
	world_close(world);
}

/* One bit changed anywhere, cut anywhere, or anything behind it. */
Test(security, tokens_that_were_changed)
{
	static const char *const tails[] = {"A", "=", ".", ".A", " x", "\xc3\xa9"};
	struct world *world = world_open(NULL);

	world_people(world, &world->people, 1, BALANCE);
	const char *jwt = world->people.list[0].jwt;
	size_t len = strlen(jwt);
	for (size_t at = 0; at < len; at += 3) {
		char *changed = (char *)textf(world, "%s", jwt);
		changed[at] = (char)(changed[at] ^ 1 << (at / 3 % 6));
		if (changed[at] > ' ' && changed[at] < 0x7f)
			check_token(world, changed, "a bit changed");
		changed = (char *)textf(world, "%s", jwt);
		changed[at] = (char)(changed[at] | 0x80);
		check_token(world, changed, "a byte above 0x7f");
		changed = (char *)textf(world, "%.*s", (int)at, jwt);
		check_token(world, changed, "cut");
	}
	for (size_t i = 0; i < ARRAY_LEN(tails); i++)

		check_token(world, textf(world, "%s%s", jwt, tails[i]), tails[i]);
	expect(world, &(struct call){.method = "GET", .path = "/v1/me", .jwt = jwt}, 200, NULL);
	world_close(world);
}
