/* People of an outside identity provider: users from their first request on, one each, whoever asks first; and
 * the tokens that are refused. The provider is the tests' own: tests/support/idp.c signs. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "tests/support/crowd.h"
#include "tests/support/idp.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 15000, IN_FORCE_LIMIT_MS = 2000, CROWD_LIMIT_MS = 20000 };

#define ISSUER "https://id.test/"
#define RS256 "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"one\"}"
#define RS256_TWO "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"two\"}"
#define ES256 "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"one\"}"

static const char issuer_flag[] = "--auth.idp_issuer=" ISSUER;

TestSuite(identity, .timeout = 90);

/* --- the provider --- */

static const char *key_path(struct world *world, const char *kid)
{
	return textf(world, "%s/keys/%s.pem", world->folder, kid);
}

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file, "%s", path);
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void put_key(struct world *world, const char *kid, enum idp_signer signer)
{
	char *pem = idp_public_pem(signer);

	put_file(key_path(world, kid), pem);
	free(pem);
}

static void put_flag(struct world *world, const char *flag)
{
	for (unsigned i = 0; i < world->options.instances; i++) {
		const char **flags = world->instances[i].flags;
		size_t count = 0;

		while (flags[count] != NULL)
			count++;
		cr_assert(count < INSTANCE_FLAGS_MAX - 1);
		flags[count] = flag;
	}
}

/* A world whose instances know the provider, by one key. */
static struct world *open_world(const struct world_options *like, enum idp_signer signer)
{
	struct world_options options = like != NULL ? *like : (struct world_options){0};

	options.unmigrated = true;
	struct world *world = world_open(&options);
	cr_assert(mkdir(textf(world, "%s/keys", world->folder), 0755) == 0);
	put_key(world, "one", signer);
	put_flag(world, issuer_flag);
	put_flag(world, "--auth.idp_audience=shop");
	put_flag(world,
		signer == IDP_EC ? "--auth.idp_algorithm=ES256" : "--auth.idp_algorithm=RS256");
	put_flag(world, textf(world, "--auth.idp_keys=%s/keys", world->folder));
	world_migrate(world);
	world_start(world);
	return world;
}

/* more: further claims, each starting with a comma. */
static const char *claims_of(struct world *world, const char *subject, const char *more)
{
	return textf(world,
		"{\"iss\":\"" ISSUER "\",\"aud\":\"shop\",\"sub\":\"%s\",\"exp\":%lld%s}", subject,
		(long long)time(NULL) + 600, more);
}

static const char *keep(struct world *world, char *text)
{
	const char *kept = textf(world, "%s", text);

	free(text);
	return kept;
}

static const char *token_of(struct world *world, const char *subject, const char *more)
{
	return keep(world, idp_sign(IDP_RSA, RS256, claims_of(world, subject, more)));
}

/* --- calls --- */

static struct call me_call(const char *jwt)
{
	return (struct call){.method = "GET", .path = "/v1/me", .jwt = jwt};
}

static struct answer *me(struct world *world, const char *jwt)
{
	struct call call = me_call(jwt);

	return expect(world, &call, 200, NULL);
}

static void refused(struct world *world, const char *jwt)
{
	struct call call = me_call(jwt);
	struct answer *answer = expect(world, &call, 401, "unauthorized");

	cr_assert(answer_header_is(answer, "www-authenticate", "Bearer"));
}

static int64_t count(struct world *world, const char *sql)
{
	return database_i64(world->db, sql, 0, NULL);
}

static bool has_no_email(struct answer *answer)
{
	return json_is_null(json_object_get(answer_json(answer), "email"));
}

/* --- who they are --- */

Test(identity, the_first_request_makes_a_buyer)
{
	static const enum idp_signer signers[] = {IDP_RSA, IDP_EC};

	for (size_t i = 0; i < ARRAY_LEN(signers); i++) {
		struct world *world = open_world(NULL, signers[i]);
		const char *header = signers[i] == IDP_RSA ? RS256 : ES256;
		const char *jwt = keep(world,
			idp_sign(signers[i], header,
				claims_of(world, "ann",
					",\"email\":\"Ann@b.test\",\"name\":\"Ann \\u2603\",\"role\":\"admin\"")));
		struct answer *answer = me(world, jwt);
		int64_t id = answer_int(answer, "id");
		cr_assert(answer_is(answer, "email", "Ann@b.test") &&
			  answer_is(answer, "name", "Ann \u2603") &&
			  answer_is(answer, "role", "buyer") && answer_int(answer, "balance") == 0);
		cr_assert(answer_int(me(world, jwt), "id") == id);
		jwt = keep(world, idp_sign(signers[i], header,
					  claims_of(world, "ann",
						  ",\"email\":\"other@b.test\",\"jti\":\"2\"")));
		answer = me(world, jwt);
		cr_assert(
			answer_int(answer, "id") == id && answer_is(answer, "email", "Ann@b.test"));
		expect(world,
			&(struct call){.method = "GET", .path = "/v1/admin/audit", .jwt = jwt}, 403,
			"forbidden");
		expect(world, &(struct call){.method = "GET", .path = "/v1/me"}, 401,
			"unauthorized");
		cr_assert(answer_int(me(world, world->admins.list[0].jwt), "id") != id);
		cr_assert(count(world, "SELECT count(*) FROM identities") == 1);
		world_close(world);
	}
}

/* The first request may be any: one with a body, a refused one, one behind which another one waits. */
Test(identity, any_request_may_be_the_first)
{
	struct world *world = open_world(NULL, IDP_RSA);
	struct call charge = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = token_of(world, "ann", ""),
		.key = "first",
		.body = "{\"amount\":1500}"};

	world_fill(world, 0, 0, &(struct sale_options){0});
	struct answer *answer = expect(world, &charge, 201, NULL);
	cr_assert(answer_int(answer, "balance") == 1500);
	answer = expect(world, &charge, 201, NULL);
	cr_assert(answer_header_is(answer, "idempotent-replayed", "true"));
	struct call hold = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = charge.jwt,
		.key = "hold",
		.body = hold_body(world, &world->sale, world->sale.seat_ids, 1)};
	int64_t id = answer_int(expect(world, &hold, 201, NULL), "id");
	struct call pay = {.method = "POST",
		.jwt = charge.jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};
	expect(world, &pay, 201, NULL);
	pay.jwt = token_of(world, "bob", "");
	expect(world, &pay, 404, "reservation_not_found");
	charge.jwt = token_of(world, "cid", "");
	charge.body = "{\"amount\":0}";
	expect(world, &charge, 422, "validation_failed");
	struct call admin = {.method = "GET",
		.path = "/v1/admin/audit",
		.jwt = token_of(world, "dan", ",\"role\":\"admin\"")};
	expect(world, &admin, 403, "forbidden");
	cr_assert(count(world, "SELECT count(*) FROM identities") == 4);
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

Test(identity, pipelined_requests_are_answered_in_order)
{
	struct world *world = open_world(NULL, IDP_RSA);
	struct wire wire;
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	int64_t first = 0;

	for (int i = 0; i < 6; i++) {
		struct call call = me_call(
			token_of(world, i % 2 == 0 ? "ann" : "bob", i < 2 ? "" : ",\"x\":1"));
		call_write(&call, &bytes);
	}
	wire_open(&wire, world_port(world, 0), 0);
	cr_assert(wire_send(&wire, bytes.data, bytes.len));
	for (int i = 0; i < 6; i++) {
		struct answer answer = {0};
		cr_assert(wire_answer(&wire, &answer, false, WIRE_LIMIT_MS) == WIRE_ANSWER);
		cr_assert(answer.status == 200);
		first = i == 0 ? answer_int(&answer, "id") : first;
		cr_assert((answer_int(&answer, "id") == first) == (i % 2 == 0));
		answer_clear(&answer);
	}
	wire_close(&wire);
	buf_free(&bytes);
	world_close(world);
}

static struct answer *post(
	struct world *world, const char *path, const char *body, int status, const char *code)
{
	return expect(
		world, &(struct call){.method = "POST", .path = path, .body = body}, status, code);
}

/* Whoever says an e-mail address that has an account does not get that account, nor the address. */
Test(identity, an_address_links_to_nobody)
{
	static const char password[] =
		"{\"email\":\"ann@b.test\",\"password\":\"a good password\"}";
	struct world *world = open_world(NULL, IDP_RSA);

	int64_t ann = answer_int(post(world, "/v1/users", password, 201, NULL), "id");
	struct answer *answer = me(
		world, token_of(world, "ann", ",\"email\":\"ANN@b.test\",\"name\":\"Eve\""));
	cr_assert(answer_int(answer, "id") != ann && has_no_email(answer) &&
		  answer_is(answer, "name", "Eve"));
	post(world, "/v1/sessions", password, 201, NULL);
	answer = me(world, token_of(world, "bob", ",\"email\":\"bob@b.test\""));
	cr_assert(answer_is(answer, "email", "bob@b.test"));
	cr_assert(has_no_email(me(world, token_of(world, "eve", ",\"email\":\"Bob@b.test\""))));
	cr_assert(has_no_email(me(world, token_of(world, "cid", ""))));
	cr_assert(has_no_email(me(world, token_of(world, "dan", ",\"email\":\"not one\""))));
	cr_assert(has_no_email(me(world,
		token_of(world, "fay", ",\"email\":\"fay@b.test\",\"email_verified\":false"))));
	static const char bob[] = "{\"email\":\"bob@b.test\",\"password\":\"a good password\"}";
	post(world, "/v1/users", bob, 409, "email_taken");
	post(world, "/v1/sessions", bob, 401, "invalid_credentials");
	cr_assert(count(world, "SELECT count(*) FROM users u LEFT JOIN accounts a ON"
			       " a.user_id = u.id WHERE a.user_id IS NULL") == 0);
	world_close(world);
}

/* Thirty people, ten first requests of each, at once on two instances; they share two addresses. */
Test(identity, first_requests_at_once_make_one_user)
{
	enum { PEOPLE = 30, EACH = 10, TOKENS_AN_INSTANCE = PEOPLE * EACH / 2 };
	struct world *world = open_world(&(struct world_options){.instances = 2}, IDP_RSA);
	struct crowd *crowd = crowd_new();

	for (unsigned i = 0; i < PEOPLE * EACH; i++) {
		unsigned person = i % PEOPLE;
		struct call call = me_call(token_of(world, textf(world, "p%u", person),
			textf(world, ",\"email\":\"%s%u@b.test\",\"jti\":\"%u\"",
				i % 3 == 0 ? "all" : "ALL", person % 2, i)));
		crowd_add(crowd, &world->instances[i / PEOPLE % 2], &call);
	}
	crowd_run(crowd, CROWD_LIMIT_MS);
	cr_assert(crowd_count(crowd, 200, NULL) == PEOPLE * EACH);
	for (unsigned i = PEOPLE; i < PEOPLE * EACH; i++)
		cr_assert(answer_int(crowd_answer(crowd, i), "id") ==
			  answer_int(crowd_answer(crowd, i % PEOPLE), "id"));
	cr_assert(count(world, "SELECT count(DISTINCT user_id) FROM identities") == PEOPLE);
	cr_assert(count(world, "SELECT count(*) FROM identities i JOIN users u ON u.id = i.user_id"
			       " JOIN accounts a ON a.user_id = u.id") == PEOPLE);
	cr_assert(count(world, "SELECT count(*) FROM users WHERE role = 'buyer'") == PEOPLE);
	cr_assert(count(world, "SELECT count(email) FROM users WHERE role = 'buyer'") == 2);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(
			instance_metric(&world->instances[i], "onsale_known_identities") == PEOPLE);
		cr_assert(instance_metric(&world->instances[i], "onsale_known_tokens") ==
			  TOKENS_AN_INSTANCE);
	}
	crowd_free(crowd);
	world_close(world);
}

/* --- who they are not --- */

Test(identity, refused_tokens)
{
	struct world *world = open_world(NULL, IDP_RSA);
	const char *good = claims_of(world, "ann", ""), *header = RS256;
	long long now = (long long)time(NULL);
	char *pem = idp_public_pem(IDP_RSA);
	const char *claims[] = {
		textf(world, "{\"iss\":\"%s\",\"aud\":\"shop\",\"sub\":\"ann\",\"exp\":%lld}",
			ISSUER "x", now + 600),
		textf(world, "{\"iss\":\"onsale\",\"aud\":\"onsale\",\"sub\":\"1\",\"exp\":%lld}",
			now + 600),
		textf(world, "{\"iss\":\"%s\",\"aud\":\"onsale\",\"sub\":\"ann\",\"exp\":%lld}",
			ISSUER, now + 600),
		textf(world, "{\"iss\":\"%s\",\"aud\":[\"x\",[]],\"sub\":\"ann\",\"exp\":%lld}",
			ISSUER, now + 600),
		textf(world, "{\"iss\":\"%s\",\"sub\":\"ann\",\"exp\":%lld}", ISSUER, now + 600),
		textf(world, "{\"iss\":\"%s\",\"aud\":\"shop\",\"sub\":\"ann\",\"exp\":%lld}",
			ISSUER, now),
		textf(world, "{\"iss\":\"%s\",\"aud\":\"shop\",\"sub\":\"ann\"}", ISSUER),
		textf(world, "{\"iss\":\"%s\",\"aud\":\"shop\",\"exp\":%lld}", ISSUER, now + 600),
		textf(world, "{\"iss\":\"%s\",\"aud\":\"shop\",\"sub\":\"%0256d\",\"exp\":%lld}",
			ISSUER, 1, now + 600),
		claims_of(world, "ann", textf(world, ",\"nbf\":%lld", now + 300)),
		claims_of(world, "ann", textf(world, ",\"iat\":%lld", now + 300)),
	};
	const char *tokens[] = {
		keep(world, idp_sign_with_secret(NULL, "{\"alg\":\"none\"}", good)),
		keep(world, idp_sign_with_secret(pem, "{\"alg\":\"HS256\",\"kid\":\"one\"}", good)),
		keep(world, idp_sign_with_secret(pem, header, good)),
		keep(world, idp_sign(IDP_EC, ES256, good)),
		keep(world, idp_sign(IDP_EC, header, good)),
		keep(world, idp_sign(IDP_RSA_OTHER, header, good)),
		keep(world, idp_sign(IDP_RSA, RS256_TWO, good)),
		keep(world, idp_sign(IDP_RSA, "{\"alg\":\"RS512\",\"kid\":\"one\"}", good)),
		textf(world, "%s.", token_of(world, "ann", "")),
		textf(world, "%sA", token_of(world, "ann", "")),
		textf(world, "%.*s", (int)strlen(token_of(world, "ann", "")) - 4,
			token_of(world, "ann", "")),
	};

	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		refused(world, keep(world, idp_sign(IDP_RSA, header, claims[i])));
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		refused(world, tokens[i]);
	cr_assert(count(world, "SELECT count(*) FROM identities") == 0);
	me(world, keep(world, idp_sign(IDP_RSA, "{\"alg\":\"RS256\"}", good)));
	me(world,
		keep(world,
			idp_sign(IDP_RSA, header,
				textf(world,
					"{\"iss\":\"%s\",\"aud\":[\"x\",\"shop\"],\"sub\":\"ann\",\"exp\":%lld}",
					ISSUER, now + 600))));
	cr_assert(count(world, "SELECT count(*) FROM identities") == 1);
	free(pem);
	world_close(world);
}

/* A token that has come once is remembered; its end is not forgotten with that. */
struct attempt {
	struct world *world;
	const char *jwt;
	int status;
};

static bool has_status(void *context)
{
	const struct attempt *attempt = context;
	struct call call = me_call(attempt->jwt);

	return world_call(attempt->world, &call)->status == attempt->status;
}

Test(identity, a_remembered_token_expires)
{
	struct world *world = open_world(NULL, IDP_RSA);
	const char *claims = textf(world,
		"{\"iss\":\"%s\",\"aud\":\"shop\",\"sub\":\"ann\",\"exp\":%lld}", ISSUER,
		(long long)time(NULL) + 4);
	struct attempt attempt = {world, keep(world, idp_sign(IDP_RSA, RS256, claims)), 401};

	me(world, attempt.jwt);
	cr_assert(wait_until(has_status, &attempt, LIMIT_MS));
	refused(world, attempt.jwt);
	world_close(world);
}

/* --- keys --- */

static void hang_up(struct world *world)
{
	cr_assert(kill(world->instances[0].pid, SIGHUP) == 0);
}

static bool keys_were_refused(void *context)
{
	return instance_logged(context, "the keys read before stay in force");
}

Test(identity, keys_are_read_again)
{
	struct world *world = open_world(NULL, IDP_RSA);
	const char *claims = claims_of(world, "ann", "");
	struct attempt one = {world, keep(world, idp_sign(IDP_RSA, RS256, claims)), 200},
		       two = {world, keep(world, idp_sign(IDP_RSA_OTHER, RS256_TWO, claims)), 200},
		       unnamed = {world,
			       keep(world, idp_sign(IDP_RSA, "{\"alg\":\"RS256\"}", claims)), 200};

	me(world, unnamed.jwt);
	refused(world, two.jwt);
	put_key(world, "two", IDP_RSA_OTHER);
	hang_up(world);
	cr_assert(wait_until(has_status, &two, LIMIT_MS));
	me(world, one.jwt);
	refused(world, unnamed.jwt); /* of two keys one must be named */

	put_file(key_path(world, "three"), "nothing that were a key");
	cr_assert(unlink(key_path(world, "one")) == 0);
	hang_up(world);
	cr_assert(wait_until(keys_were_refused, &world->instances[0], LIMIT_MS));
	me(world, one.jwt);
	cr_assert(unlink(key_path(world, "three")) == 0);
	hang_up(world);
	one.status = 401;
	cr_assert(wait_until(has_status, &one, LIMIT_MS)); /* though it was remembered */
	me(world, two.jwt);
	world_close(world);
}

static void must_not_start(struct world *world, const char *said)
{
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "serve", "--http.port=0", issuer_flag,
		"--auth.idp_audience=shop", textf(world, "--auth.idp_keys=%s/keys", world->folder),
		NULL};
	const char *path = textf(world, "%s/refused.log", world->folder);
	FILE *log = fopen(path, "w+");
	char text[2048] = "";
	int status = 0;

	cr_assert_not_null(log);
	struct process_options options = {argv, world->env, -1, -1, fileno(log)};
	pid_t pid = process_start(&options);
	cr_assert(process_wait(pid, LIMIT_MS, &status), "it runs: %s", said);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	rewind(log);
	cr_assert(fread(text, 1, sizeof text - 1, log) > 0);
	cr_assert_not_null(strstr(text, said), "%s", text);
	fclose(log);
}

Test(identity, wrong_keys_stop_the_start)
{
	struct world *world = open_world(NULL, IDP_RSA);

	put_key(world, "two", IDP_EC);
	must_not_start(world, "two.pem: it is not a public key for RS256");
	put_file(key_path(world, "two"), "");
	must_not_start(world, "two.pem: it is not a public key");
	cr_assert(unlink(key_path(world, "two")) == 0 && unlink(key_path(world, "one")) == 0);
	must_not_start(world, "there is no KID.pem in it");
	cr_assert(rmdir(textf(world, "%s/keys", world->folder)) == 0);
	must_not_start(world, "No such file");
	world_close(world);
}

/* --- log-out, limits --- */

struct logged_out {
	struct world *world;
	const char *jwt;
};

static bool is_refused_everywhere(void *context)
{
	const struct logged_out *logged_out = context;
	struct call call = me_call(logged_out->jwt);

	return world_call_at(logged_out->world, 0, &call)->status == 401 &&
	       world_call_at(logged_out->world, 1, &call)->status == 401;
}

Test(identity, log_out_is_in_force_on_every_instance)
{
	struct world *world = open_world(&(struct world_options){.instances = 2}, IDP_RSA);
	struct logged_out logged_out = {world, token_of(world, "ann", "")};
	struct call call = me_call(logged_out.jwt), out = {.method = "DELETE",
							    .path = "/v1/sessions/current",
							    .jwt = logged_out.jwt};

	expect_at(world, 0, &call, 200, NULL);
	expect_at(world, 1, &call, 200, NULL);
	expect(world, &out, 204, NULL);
	refused(world, logged_out.jwt);
	cr_assert(wait_until(is_refused_everywhere, &logged_out, IN_FORCE_LIMIT_MS));
	me(world, token_of(world, "ann", ",\"jti\":\"another\""));
	world_close(world);
}

/* Of one person by two tokens from three addresses: the first of them waited for PostgreSQL. */
Test(identity, limits_are_the_persons)
{
	struct world *world = open_world(
		&(struct world_options){
			.flags = {"--limit.join_per_minute=2", "--http.trusted_proxies=127.0.0.1"}},
		IDP_RSA);

	world_fill(world, 0, 0, &(struct sale_options){.queue = true});
	struct call join = {.method = "POST",
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id),
		.headers = "X-Forwarded-For: 198.51.100.1\r\n",
		.jwt = token_of(world, "ann", "")};
	struct answer *answer = expect(world, &join, 201, NULL);
	cr_assert(answer_header_is(answer, "ratelimit-policy", "\"join\";q=2;w=60"));
	join.headers = "X-Forwarded-For: 198.51.100.2\r\n";
	join.jwt = token_of(world, "ann", ",\"jti\":\"2\"");
	expect(world, &join, 200, NULL);
	join.headers = "X-Forwarded-For: 198.51.100.3\r\n";
	expect(world, &join, 429, "rate_limited");
	join.jwt = token_of(world, "bob", "");
	expect(world, &join, 201, NULL);
	world_close(world);
}

/* --- when something is away --- */

static bool postgresql_is_missed(void *context)
{
	struct call call = {.method = "GET", .path = "/readyz"};

	return world_call(context, &call)->status == 503;
}

/* Who is known goes on; who is not comes again, as does the reply. */
Test(identity, postgresql_away)
{
	struct world *world = open_world(NULL, IDP_RSA);

	world_fill(world, 0, 0, &(struct sale_options){.queue = true});
	struct call join = {.method = "POST",
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id),
		.jwt = token_of(world, "ann", "")};
	expect(world, &join, 201, NULL);
	world_set_database(world, false);
	cr_assert(wait_until(postgresql_is_missed, world, LIMIT_MS));
	expect(world, &join, 200, NULL);
	join.jwt = token_of(world, "ann", ",\"jti\":\"not seen before\"");
	expect(world, &join, 200, NULL);
	join.jwt = token_of(world, "bob", "");
	expect(world, &join, 503, "unavailable");
	world_set_database(world, true);
	instance_wait_ready(&world->instances[0]);
	expect(world, &join, 201, NULL);
	cr_assert(count(world, "SELECT count(*) FROM identities") == 2);
	world_close(world);
}

struct gauge {
	const struct instance *instance;
	const char *name;
	double at_least, at_most;
};

static bool is_within(void *context)
{
	const struct gauge *gauge = context;
	double value = instance_metric(gauge->instance, gauge->name);

	return value >= gauge->at_least && value <= gauge->at_most;
}

static const struct world_options patient = {
	.flags = {"--db.deadline_ms=60000", "--db.lock_timeout_ms=60000",
		"--db.statement_timeout_ms=60000", "--db.batch_lock_timeout_ms=10000",
		"--lock.locking_ms=120000"}};

/* Clients that go away while their person is looked for: the person is made, and nothing else happens. */
Test(identity, a_client_that_goes_away)
{
	enum { CLIENTS = 20 };
	struct world *world = open_world(&patient, IDP_RSA);
	const struct instance *instance = &world->instances[0];
	struct gauge parked = {instance, "onsale_in_flight", CLIENTS, 1e9};
	struct gauge gone = {instance, "onsale_clients_gone_total", CLIENTS, 1e9};
	struct gauge ended = {instance, "onsale_in_flight", 0, 1};

	PGconn *locker = database_connect(world->database_url);
	database_run(locker, "BEGIN; LOCK TABLE identities IN ACCESS EXCLUSIVE MODE");
	struct wire wires[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct call call = {.method = "POST",
			.path = "/v1/me/balance/charges",
			.jwt = token_of(world, textf(world, "p%u", i), ""),
			.key = "charge",
			.body = "{\"amount\":7}"};
		struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
		call_write(&call, &bytes);
		wire_open(&wires[i], world_port(world, 0), 0);
		cr_assert(wire_send(&wires[i], bytes.data, bytes.len));
		buf_free(&bytes);
	}
	cr_assert(wait_until(is_within, &parked, LIMIT_MS));
	for (unsigned i = 0; i < CLIENTS; i++)
		wire_reset(&wires[i]);
	cr_assert(wait_until(is_within, &gone, LIMIT_MS));
	database_run(locker, "COMMIT");
	PQfinish(locker);
	cr_assert(wait_until(is_within, &ended, LIMIT_MS));
	cr_assert(count(world, "SELECT count(*) FROM identities") == CLIENTS);
	cr_assert(count(world, "SELECT count(*) FROM ledger WHERE kind = 'charge'") == 0);
	cr_assert(answer_int(me(world, token_of(world, "p0", "")), "balance") == 0);
	world_close(world);
}
