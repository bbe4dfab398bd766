/* The contract's rows on people: sign-up, log-in, log-out, who they are, balance, ledger, charges. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/proof.h"
#include "tests/support/crowd.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { BALANCE = 5000, LIMIT_MS = 20000, IN_FORCE_LIMIT_MS = 2000 };

static const struct world_options two_instances = {.instances = 2};

TestSuite(contract_people, .timeout = 60);

static struct answer *log_in(
	struct world *world, const char *email, const char *password, int status, const char *code)
{
	struct call call = {.method = "POST",
		.path = "/v1/sessions",
		.body = textf(world, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password)};

	return expect(world, &call, status, code);
}

static void make_operator(struct world *world, const char *email, const char *password)
{
	const char *argv[] = {need_env("ONSALE_TEST_SERVER"), "admin", "--email", email, NULL};

	cr_assert(process_run(argv, world->env, textf(world, "%s\n", password), NULL) == 0);
}

Test(contract_people, log_in)
{
	struct world *world = world_open(NULL);

	make_operator(world, "Op@onsale.test", "correct horse battery");
	struct answer *answer = log_in(world, "op@ONSALE.test", "correct horse battery", 201, NULL);
	cr_assert(answer_is(answer, "token_type", "Bearer") &&
		  answer_int(answer, "expires_in") == 3600);
	struct call call = {.method = "POST",
		.path = "/v1/admin/events",
		.jwt = answer_text(answer, "access_token"),
		.body = "{\"title\":\"By log-in\",\"venue\":\"Here\"}"};
	expect(world, &call, 201, NULL);
	log_in(world, "op@onsale.test", "correct horse batterz", 401, "invalid_credentials");
	log_in(world, "nobody@onsale.test", "correct horse battery", 401, "invalid_credentials");
	world_close(world);
}

/* Those of `onsale users` have no password and cannot log in with any. */
Test(contract_people, no_password_no_log_in)
{
	struct world *world = world_open(NULL);
	PGresult *row = database_query(world->db, "SELECT email FROM users", 0, NULL);

	cr_assert(PQntuples(row) == 1);
	log_in(world, PQgetvalue(row, 0, 0), "x", 401, "invalid_credentials");
	PQclear(row);
	world_close(world);
}

static struct answer *post(struct world *world, const struct call *like, const char *body,
	int status, const char *code)
{
	struct call call = *like;

	call.body = body;
	return expect(world, &call, status, code);
}

Test(contract_people, log_in_with_bad_fields)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "POST", .path = "/v1/sessions"};

	post(world, &call, "{\"email\":\"a@b.test\"}", 422, "validation_failed");
	post(world, &call, "{\"email\":7,\"password\":\"x\"}", 422, "validation_failed");
	post(world, &call, "{\"email\":\"\",\"password\":\"x\"}", 422, "validation_failed");
	post(world, &call, "[]", 422, "validation_failed");
	post(world, &call, "{", 400, "malformed_json");
	world_close(world);
}

Test(contract_people, balance)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "GET", .path = "/v1/me/balance"};

	world_people(world, &world->people, 1, BALANCE);
	expect(world, &call, 401, "unauthorized");
	call.jwt = "not.a.token";
	expect(world, &call, 401, "unauthorized");
	call.jwt = world->people.list[0].jwt;
	struct answer *answer = expect(world, &call, 200, NULL);
	cr_assert(answer_int(answer, "balance") == BALANCE && answer_int(answer, "points") == 0 &&
		  answer_is(answer, "currency", "KRW"));
	cr_assert(json_object_size(answer_json(answer)) == 3);
	world_close(world);
}

/* A token of ours, with one letter of each of its parts changed. */
Test(contract_people, tampered_token)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "GET", .path = "/v1/me/balance"};

	world_people(world, &world->people, 1, BALANCE);
	for (size_t part = 0; part < 3; part++) {
		char jwt[1024];
		char *at = jwt;
		cr_assert(strlen(world->people.list[0].jwt) < sizeof jwt);
		strcpy(jwt, world->people.list[0].jwt);
		for (size_t i = 0; i < part; i++)
			at = strchr(at, '.') + 1;
		at[5] = at[5] == 'A' ? 'B' : 'A';
		call.jwt = jwt;
		struct answer *answer = expect(world, &call, 401, "unauthorized");
		cr_assert(answer_header_is(answer, "www-authenticate", "Bearer"));
	}
	world_close(world);
}

Test(contract_people, charge)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "POST", .path = "/v1/me/balance/charges", .key = "first"};

	world_people(world, &world->people, 1, BALANCE);
	post(world, &call, "{\"amount\":700}", 401, "unauthorized");
	call.jwt = world->people.list[0].jwt;
	struct answer *answer = post(world, &call, "{\"amount\":700,\"unknown\":[]}", 201, NULL);
	cr_assert(answer_int(answer, "id") > 0 && answer_int(answer, "amount") == 700 &&
		  answer_int(answer, "balance") == BALANCE + 700);
	static const char *const wrong[] = {"{}", "{\"amount\":0}", "{\"amount\":-1}",
		"{\"amount\":1.0}", "{\"amount\":\"700\"}", "{\"amount\":true}",
		"{\"amount\":100000001}", "{\"amount\":9223372036854775808}"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		call.key = textf(world, "wrong-%zu", i);
		answer = post(world, &call, wrong[i], 422, "validation_failed");
		const json_t *error = json_array_get(
			json_object_get(answer_json(answer), "errors"), 0);
		const char *field = json_string_value(json_object_get(error, "field"));
		cr_assert(field != NULL && strcmp(field, "amount") == 0 &&
				  json_is_string(json_object_get(error, "message")),
			"%s", answer->body);
	}
	cr_assert(database_i64(world->db, "SELECT count(*) FROM ledger WHERE kind = 'charge'", 0,
			  NULL) == 1);
	world_close(world);
}

/* --- sign-up --- */

static struct answer *sign_up(struct world *world, const char *body, int status, const char *code)
{
	return post(
		world, &(struct call){.method = "POST", .path = "/v1/users"}, body, status, code);
}

static int64_t count(struct world *world, const char *sql)
{
	return database_i64(world->db, sql, 0, NULL);
}

Test(contract_people, sign_up)
{
	struct world *world = world_open(NULL);
	struct answer *answer = sign_up(world,
		"{\"email\":\"Ann\\u00e9@B.test\",\"password\":\"12345678\",\"name\":\"Ann \\\"A\\\" "
		"\\u2603\"}",
		201, NULL);
	int64_t id = answer_int(answer, "id");

	cr_assert(id > 0 && answer_is(answer, "email", "Ann\u00e9@B.test") &&
		  answer_is(answer, "name", "Ann \"A\" \u2603"));
	cr_assert(json_object_size(answer_json(answer)) == 3);
	struct call me = {.method = "GET",
		.path = "/v1/me",
		.jwt = answer_text(
			log_in(world, "Ann\u00e9@b.TEST", "12345678", 201, NULL), "access_token")};
	answer = expect(world, &me, 200, NULL);
	cr_assert(answer_int(answer, "id") == id &&
		  answer_is(answer, "email", "Ann\u00e9@B.test") &&
		  answer_is(answer, "name", "Ann \"A\" \u2603") &&
		  answer_is(answer, "role", "buyer") && answer_int(answer, "balance") == 0 &&
		  answer_int(answer, "points") == 0 && answer_is(answer, "currency", "KRW"));
	cr_assert(json_object_size(answer_json(answer)) == 7);
	log_in(world, "Ann\u00e9@b.test", "12345679", 401, "invalid_credentials");
	sign_up(world, "{\"email\":\"aNN\\u00e9@b.test\",\"password\":\"another one\"}", 409,
		"email_taken");
	log_in(world, "Ann\u00e9@b.test", "12345678", 201, NULL);
	answer = sign_up(
		world, "{\"email\":\"c@d\",\"password\":\"12345678\",\"name\":null}", 201, NULL);
	cr_assert(answer_is(answer, "name", ""));
	cr_assert(count(world, "SELECT count(*) FROM accounts WHERE balance = 0") == 3);
	world_close(world);
}

static const char *repeated(struct world *world, const char *text, size_t times)
{
	struct buf all = BUF_INIT(4096);

	for (size_t i = 0; i < times; i++)
		buf_append_text(&all, text);
	const char *kept = textf(world, "%s", all.data);
	buf_free(&all);
	return kept;
}

static void expect_wrong(struct world *world, const char *field, const char *body)
{
	struct answer *answer = sign_up(world, body, 422, "validation_failed");
	const json_t *errors = json_object_get(answer_json(answer), "errors");
	const json_t *error = json_array_get(errors, 0);

	cr_assert(json_array_size(errors) == 1, "%s: %s", body, answer->body);
	cr_assert_str_eq(json_string_value(json_object_get(error, "field")), field, "%s", body);
	cr_assert(json_is_string(json_object_get(error, "message")));
}

Test(contract_people, sign_up_with_bad_fields)
{
	struct world *world = world_open(NULL);
	static const char *const emails[] = {"null", "7", "\"\"", "\"@\"", "\"a\"", "\"a@\"",
		"\"@b\"", "\"a@b@c\"", "\"a b@c\"", "\" a@b\"", "\"a@b \"", "\"a\\u00a0b@c\"",
		"\"a@b\\n\"", "\"a\\u0000@b\"", "\"a@b\\u3000\"", "[\"a@b\"]"};
	static const char *const passwords[] = {"null", "12345678", "\"\"", "\"1234567\"",
		"\"\\u26031\\u26031\\u26031\\u2603\"", "true"};

	for (size_t i = 0; i < ARRAY_LEN(emails); i++)
		expect_wrong(world, "email",
			textf(world, "{\"email\":%s,\"password\":\"12345678\"}", emails[i]));
	expect_wrong(world, "email", "{\"password\":\"12345678\"}");
	expect_wrong(world, "email",
		textf(world, "{\"email\":\"%s@b\",\"password\":\"12345678\"}",
			repeated(world, "a", 253)));
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++)
		expect_wrong(world, "password",
			textf(world, "{\"email\":\"a@b\",\"password\":%s}", passwords[i]));
	expect_wrong(world, "password", "{\"email\":\"a@b\"}");
	expect_wrong(world, "password",
		textf(world, "{\"email\":\"a@b\",\"password\":\"%s\"}", repeated(world, "p", 257)));
	expect_wrong(world, "name",
		textf(world, "{\"email\":\"a@b\",\"password\":\"12345678\",\"name\":\"%s\"}",
			repeated(world, "n", 101)));
	expect_wrong(
		world, "name", "{\"email\":\"a@b\",\"password\":\"12345678\",\"name\":\"a\\tb\"}");
	sign_up(world, "[]", 422, "validation_failed");
	sign_up(world, "{", 400, "malformed_json");
	cr_assert(count(world, "SELECT count(*) FROM users WHERE password_hash IS NOT NULL") == 0);

	/* As long as they may be, in letters of three bytes. */
	const char *email = textf(world, "%s@b", repeated(world, "\u2603", 252));
	const char *password = repeated(world, "\u2603", 256);
	sign_up(world,
		textf(world, "{\"email\":\"%s\",\"password\":\"%s\",\"name\":\"%s\"}", email,
			password, repeated(world, "\u2603", 100)),
		201, NULL);
	log_in(world, email, password, 201, NULL);
	world_close(world);
}

/* One e-mail address, fifty sign-ups at once, two instances: the unique index decides. */
Test(contract_people, one_address_signed_up_at_once)
{
	struct world *world = world_open(&two_instances);
	struct crowd *crowd = crowd_new();

	for (unsigned i = 0; i < 50; i++)
		crowd_add(crowd, &world->instances[i % 2],
			&(struct call){.method = "POST",
				.path = "/v1/users",
				.body = textf(world,
					"{\"email\":\"%s@b.test\",\"password\":\"password %u\"}",
					i % 3 == 0 ? "one" : "ONE", i)});
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 201, NULL) == 1);
	cr_assert(crowd_count(crowd, 409, "email_taken") == 49);
	cr_assert(
		count(world, "SELECT count(*) FROM users WHERE lower(email) = 'one@b.test'") == 1);
	cr_assert(count(world, "SELECT count(*) FROM users u LEFT JOIN accounts a ON"
			       " a.user_id = u.id WHERE a.user_id IS NULL") == 0);
	for (unsigned i = 0; i < 50; i++)
		if (crowd_answer(crowd, i)->status ==
			201) /* it is this one's password that holds */
			log_in(world, "one@b.test", textf(world, "password %u", i), 201, NULL);
	crowd_free(crowd);
	world_close(world);
}

/* More than may wait for the worker: what is refused has not happened. */
Test(contract_people, too_many_sign_ups)
{
	struct world *world = world_open(NULL);
	struct crowd *crowd = crowd_new();

	for (unsigned i = 0; i < 80; i++)
		crowd_add(crowd, &world->instances[0],
			&(struct call){.method = "POST",
				.path = "/v1/users",
				.body = textf(world,
					"{\"email\":\"%u@b\",\"password\":\"12345678\"}", i)});
	crowd_run(crowd, LIMIT_MS);
	size_t made = crowd_count(crowd, 201, NULL), busy = crowd_count(crowd, 503, "busy");
	cr_assert(made >= 32 && busy > 0 && made + busy == 80, "%zu made, %zu busy", made, busy);
	for (size_t i = 0; i < 80; i++)
		if (crowd_answer(crowd, i)->status == 503)
			check_problem(crowd_answer(crowd, i), 503, "busy");
	cr_assert(count(world, "SELECT count(*) FROM users WHERE password_hash IS NOT NULL") ==
		  (int64_t)made);
	crowd_free(crowd);
	world_close(world);
}

/* --- sign-up with a proof of work --- */

enum { PROOF_BITS = 8 };

static struct answer *challenge_of(struct world *world, unsigned instance)
{
	struct call call = {.method = "GET", .path = "/v1/users/challenge"};

	return expect_at(world, instance, &call, 200, NULL);
}

/* A nonce that answers, or with bits 0 one that does not. */
static const char *nonce_for(
	struct world *world, const char *challenge, const char *email, unsigned bits)
{
	for (unsigned i = 0;; i++) {
		const char *nonce = textf(world, "%u", i);
		if (proof_holds(challenge, email, nonce, PROOF_BITS) == (bits > 0))
			return nonce;
	}
}

static const char *proven_body(struct world *world, const char *email, const char *proof)
{
	return textf(
		world, "{\"email\":\"%s\",\"password\":\"12345678\",\"proof\":%s}", email, proof);
}

static const char *proof_of(struct world *world, const char *challenge, const char *nonce)
{
	return textf(world, "{\"challenge\":\"%s\",\"nonce\":\"%s\"}", challenge, nonce);
}

Test(contract_people, no_proof_unless_set)
{
	struct world *world = world_open(NULL);
	struct answer *answer = challenge_of(world, 0);

	cr_assert(answer_int(answer, "bits") == 0 && answer_int(answer, "expires_in") == 600 &&
		  answer_is(answer, "algorithm", "sha256") &&
		  answer_text(answer, "challenge")[0] != '\0');
	cr_assert(answer_header_is(answer, "cache-control", "no-store"));
	sign_up(world, proven_body(world, "a@b", "7"), 201, NULL);
	sign_up(world, proven_body(world, "c@b", "null"), 201, NULL);
	world_close(world);
}

/* An address that the nonce is not for: of 256 it would fit one. */
static const char *stranger_to(struct world *world, const char *challenge, const char *nonce)
{
	for (unsigned i = 0;; i++) {
		const char *email = textf(world, "eve%u@b.test", i);
		if (!proof_holds(challenge, email, nonce, PROOF_BITS))
			return email;
	}
}

Test(contract_people, sign_up_with_a_proof)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--signup.proof_bits=8"}});
	struct answer *answer = challenge_of(world, 0);
	const char *challenge = answer_text(answer, "challenge");

	cr_assert(answer_int(answer, "bits") == PROOF_BITS);
	const char *other = answer_text(challenge_of(world, 0), "challenge");
	cr_assert_str_neq(challenge, other);
	const char *nonce = nonce_for(world, challenge, "ann@b.test", PROOF_BITS);
	const char *proof = proof_of(world, challenge, nonce);
	sign_up(world, "{\"email\":\"ann@b.test\",\"password\":\"12345678\"}", 403,
		"proof_required");
	sign_up(world, proven_body(world, "ann@b.test", "null"), 403, "proof_required");
	const char *const refused[] = {
		proof_of(world, challenge, nonce_for(world, challenge, "ann@b.test", 0)),
		proof_of(world, "forged", nonce_for(world, "forged", "ann@b.test", PROOF_BITS)),
		proof_of(world, textf(world, "%sA", challenge), nonce),
		proof_of(world, textf(world, "B%s", challenge + 1),
			nonce_for(world, textf(world, "B%s", challenge + 1), "ann@b.test",
				PROOF_BITS)),
	};
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		sign_up(world, proven_body(world, "ann@b.test", refused[i]), 403, "proof_invalid");
	sign_up(world, proven_body(world, stranger_to(world, challenge, nonce), proof), 403,
		"proof_invalid");
	cr_assert(count(world, "SELECT count(*) FROM users WHERE password_hash IS NOT NULL") == 0);
	sign_up(world, proven_body(world, "Ann@B.test", proof), 201, NULL);
	sign_up(world, proven_body(world, "ann@b.test", proof), 409, "email_taken");
	proof = proof_of(world, challenge, nonce_for(world, challenge, "bob@b.test", PROOF_BITS));
	sign_up(world, proven_body(world, "bob@b.test", proof), 201, NULL);
	world_close(world);
}

Test(contract_people, sign_up_with_bad_fields_of_a_proof)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--signup.proof_bits=8"}});
	const char *challenge = answer_text(challenge_of(world, 0), "challenge");
	const struct {
		const char *field, *proof;
	} wrong[] = {
		{"proof", "7"},
		{"proof", "[]"},
		{"proof", "\"x\""},
		{"proof.challenge", "{\"nonce\":\"1\"}"},
		{"proof.challenge", "{\"challenge\":7,\"nonce\":\"1\"}"},
		{"proof.challenge", "{\"challenge\":\"\",\"nonce\":\"1\"}"},
		{"proof.challenge", textf(world, "{\"challenge\":\"%s%s\",\"nonce\":\"1\"}",
					    challenge, repeated(world, "A", 64))},
		{"proof.nonce", textf(world, "{\"challenge\":\"%s\"}", challenge)},
		{"proof.nonce", textf(world, "{\"challenge\":\"%s\",\"nonce\":1}", challenge)},
		{"proof.nonce", proof_of(world, challenge, "")},
		{"proof.nonce", proof_of(world, challenge, "a\\u0000")},
		{"proof.nonce", proof_of(world, challenge, repeated(world, "1", 65))},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_wrong(world, wrong[i].field, proven_body(world, "a@b", wrong[i].proof));
	expect_wrong(world, "email", proven_body(world, "nobody", "7"));
	world_close(world);
}

struct late {
	struct world *world;
	const char *body;
};

static bool is_too_late(void *context)
{
	const struct late *late = context;
	struct call call = {.method = "POST", .path = "/v1/users", .body = late->body};

	return answer_is(world_call_at(late->world, 1, &call), "code", "proof_expired");
}

/* The second instance asks for more than the first, the third gives less time. */
Test(contract_people, challenges_are_as_good_as_their_bits_and_time)
{
	struct world *world = world_open(
		&(struct world_options){.instances = 3, .unmigrated = true});

	world->instances[0].flags[0] = "--signup.proof_bits=7";
	world->instances[1].flags[0] = "--signup.proof_bits=8";
	world->instances[2].flags[0] = "--signup.proof_bits=8";
	world->instances[2].flags[1] = "--signup.proof_ttl_seconds=1";
	world_migrate(world);
	world_start(world);
	struct call call = {.method = "POST", .path = "/v1/users"};
	for (unsigned i = 0; i < 3; i += 2) {
		const char *challenge = answer_text(challenge_of(world, i), "challenge");
		call.body = proven_body(world, "a@b",
			proof_of(world, challenge, nonce_for(world, challenge, "a@b", PROOF_BITS)));
		if (i == 0)
			expect_at(world, 1, &call, 403, "proof_invalid");
	}
	struct late late = {world, call.body};
	cr_assert(wait_until(is_too_late, &late, LIMIT_MS));
	expect_at(world, 1, &call, 403, "proof_expired");
	world_close(world);
}

/* More than may wait for the worker that hashes passwords: none comes that far. */
Test(contract_people, a_crowd_without_a_proof_hashes_nothing)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--signup.proof_bits=8"}});
	struct crowd *crowd = crowd_new();
	const char *challenge = answer_text(challenge_of(world, 0), "challenge");

	for (unsigned i = 0; i < 200; i++) {
		const char *email = textf(world, "p%u@b", i);
		const char *proof = proof_of(
			world, challenge, nonce_for(world, challenge, email, 0));
		crowd_add(crowd, &world->instances[0],
			&(struct call){.method = "POST",
				.path = "/v1/users",
				.body = proven_body(world, email, i % 2 == 0 ? proof : "null")});
	}
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 403, "proof_invalid") == 100 &&
		  crowd_count(crowd, 403, "proof_required") == 100);
	crowd_free(crowd);
	world_close(world);
}

/* --- a secret that changes --- */

static void restart(struct world *world)
{
	instance_stop(&world->instances[0]);
	instance_start(&world->instances[0]);
}

/* As an operator does it: nobody is logged out, until the old secret is taken away. */
Test(contract_people, a_changed_secret_logs_nobody_out)
{
	static const char next[] = "the-next-secret-that-only-the-tests-sign-with";
	struct world *world = world_open(NULL);
	const char *before = world->env[2], *path = textf(world, "%s/secret", world->folder);

	world_people(world, &world->people, 1, 0);
	struct call old = {.method = "GET", .path = "/v1/me", .jwt = world->people.list[0].jwt};
	sign_up(world, "{\"email\":\"a@b\",\"password\":\"12345678\"}", 201, NULL);
	FILE *file = fopen(path, "w");
	cr_assert(file != NULL && fputs(strchr(before, '=') + 1, file) > 0 && fclose(file) == 0);
	world->env[2] = textf(world, "ONSALE_AUTH_JWT_SECRET=%s", next);
	world->env[4] = "ONSALE_AUTH_JWT_KEY_ID=2026-11";
	world->env[5] = textf(world, "ONSALE_AUTH_JWT_PREVIOUS_SECRET_FILE=%s", path);
	world->env[6] = "ONSALE_AUTH_JWT_PREVIOUS_KEY_ID=1";
	world->env[7] = NULL;
	restart(world);
	expect(world, &old, 200, NULL);
	struct call new = old;
	new.jwt = answer_text(log_in(world, "a@b", "12345678", 201, NULL), "access_token");
	expect(world, &new, 200, NULL);
	world->env[5] = NULL;
	restart(world);
	expect(world, &old, 401, "unauthorized");
	expect(world, &new, 200, NULL);
	world_close(world);
}

/* --- log-in takes its time --- */

static int compare_times(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

Test(contract_people, an_unknown_address_takes_as_long_as_a_wrong_password)
{
	enum { TRIES = 15 };
	struct world *world = world_open(NULL);
	uint64_t known_ms[TRIES], unknown_ms[TRIES];

	sign_up(world, "{\"email\":\"a@b.test\",\"password\":\"the right one\"}", 201, NULL);
	for (size_t i = 0; i < TRIES; i++) {
		uint64_t begin_ms = now_ms();
		log_in(world, "a@b.test", "the wrong one", 401, "invalid_credentials");
		known_ms[i] = now_ms() - begin_ms;
		begin_ms = now_ms();
		log_in(world, "nobody@b.test", "the wrong one", 401, "invalid_credentials");
		unknown_ms[i] = now_ms() - begin_ms;
	}
	qsort(known_ms, TRIES, sizeof *known_ms, compare_times);
	qsort(unknown_ms, TRIES, sizeof *unknown_ms, compare_times);
	size_t middle = TRIES / 2;
	double ratio = (double)unknown_ms[middle] / (double)known_ms[middle];
	cr_assert(ratio > 0.5 && ratio < 2, "%llu and %llu ms",
		(unsigned long long)unknown_ms[TRIES / 2], (unsigned long long)known_ms[TRIES / 2]);
	world_close(world);
}

/* --- log-out --- */

static struct call log_out_call(const char *jwt)
{
	return (struct call){.method = "DELETE", .path = "/v1/sessions/current", .jwt = jwt};
}

static void log_out(struct world *world, const char *jwt)
{
	struct call call = log_out_call(jwt);

	cr_assert(expect(world, &call, 204, NULL)->body_len == 0);
}

Test(contract_people, log_out)
{
	struct world *world = world_open(NULL);

	expect(world, &(struct call){.method = "DELETE", .path = "/v1/sessions/current"}, 401,
		"unauthorized");
	sign_up(world, "{\"email\":\"a@b\",\"password\":\"12345678\"}", 201, NULL);
	const char *jwt = answer_text(log_in(world, "a@b", "12345678", 201, NULL), "access_token");
	const char *other = answer_text(
		log_in(world, "a@b", "12345678", 201, NULL), "access_token");
	world_fill(world, 0, 0, &(struct sale_options){.queue = true});
	struct call join = {.method = "POST",
		.jwt = jwt,
		.path = textf(world, "/v1/events/%lld/queue", (long long)world->sale.event_id)};
	const char *place = answer_text(expect(world, &join, 201, NULL), "token");

	log_out(world, jwt);
	struct call again = log_out_call(jwt), me = {.method = "GET", .path = "/v1/me", .jwt = jwt};
	struct answer *answer = expect(world, &again, 401, "unauthorized");
	cr_assert(answer_header_is(answer, "www-authenticate", "Bearer"));
	expect(world, &me, 401, "unauthorized");
	expect(world, &join, 401, "unauthorized");
	me.jwt = other; /* another session of the same person */
	expect(world, &me, 200, NULL);
	struct call poll = {.method = "GET", .path = "/v1/queue", .queue_token = place};
	expect(world, &poll, 200, NULL);
	join.jwt = other;
	expect(world, &join, 200, NULL); /* the place that was there */
	log_in(world, "a@b", "12345678", 201, NULL);
	world_close(world);
}

struct logged_out {
	struct world *world;
	const struct people *people;
};

static bool is_refused_everywhere(void *context)
{
	const struct logged_out *logged_out = context;
	struct world *world = logged_out->world;

	for (unsigned i = 0; i < world->options.instances; i++)
		for (size_t j = 0; j < logged_out->people->count; j++) {
			struct call me = {.method = "GET",
				.path = "/v1/me",
				.jwt = logged_out->people->list[j].jwt};
			if (world_call_at(world, i, &me)->status != 401)
				return false;
		}
	return true;
}

Test(contract_people, log_out_is_in_force_on_every_instance)
{
	struct world *world = world_open(&two_instances);
	struct logged_out logged_out = {world, &world->people};

	world_people(world, &world->people, 1, 0);
	struct call me = {.method = "GET", .path = "/v1/me", .jwt = world->people.list[0].jwt};
	expect_at(world, 0, &me, 200, NULL);
	expect_at(world, 1, &me, 200, NULL);
	log_out(world, me.jwt);
	cr_assert(wait_until(is_refused_everywhere, &logged_out, IN_FORCE_LIMIT_MS));
	world_close(world);
}

/* Forty people on two instances, each twice: none is overlooked, whatever commits first. */
Test(contract_people, many_log_out_at_once)
{
	struct world *world = world_open(&two_instances);
	struct logged_out logged_out = {world, &world->people};
	struct crowd *crowd = crowd_new();

	world_people(world, &world->people, 40, 0);
	for (unsigned i = 0; i < 80; i++) {
		struct call call = log_out_call(world->people.list[i / 2].jwt);
		crowd_add(crowd, &world->instances[i % 2], &call);
	}
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 204, NULL) >= 40 &&
		  crowd_count(crowd, 204, NULL) + crowd_count(crowd, 401, "unauthorized") == 80);
	cr_assert(wait_until(is_refused_everywhere, &logged_out, IN_FORCE_LIMIT_MS));
	cr_assert(count(world, "SELECT count(*) FROM revocations") == 40);
	crowd_free(crowd);
	world_close(world);
}

static void lose_redis(struct world *world)
{
	redisContext *redis = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(redis, "FLUSHALL");

	cr_assert(reply != NULL && reply->type == REDIS_REPLY_STATUS);
	freeReplyObject(reply);
	redisFree(redis);
	redis_process_stop(&world->redis);
	redis_process_start(&world->redis);
}

Test(contract_people, log_out_outlives_redis_and_the_server)
{
	struct world *world = world_open(NULL);

	world_people(world, &world->people, 2, 0);
	struct call me = {.method = "GET", .path = "/v1/me", .jwt = world->people.list[0].jwt};
	log_out(world, me.jwt);
	lose_redis(world);
	expect(world, &me, 401, "unauthorized");
	instance_wait_ready(&world->instances[0]);
	expect(world, &me, 401, "unauthorized");

	instance_kill(&world->instances[0]);
	instance_launch(&world->instances[0]);
	struct answer *first = world_call(world, &me); /* it may not know yet: then it says so */
	cr_assert(first->status == 401 || first->status == 503, "%d", first->status);
	instance_wait_ready(&world->instances[0]);
	expect(world, &me, 401, "unauthorized");
	me.jwt = world->people.list[1].jwt;
	expect(world, &me, 200, NULL);
	world_close(world);
}

struct gauge {
	struct world *world;
	double value;
};

static bool revocations_are(void *context)
{
	const struct gauge *gauge = context;

	return instance_metric(&gauge->world->instances[0], "onsale_revocations") == gauge->value;
}

/* More than are read at a time, and more than are examined at a time. */
Test(contract_people, log_outs_are_all_read_and_forgotten_with_their_tokens)
{
	struct world *world = world_open(NULL);
	struct gauge gauge = {world, 2500};

	database_run(world->db,
		"INSERT INTO revocations (token, user_id, expires_at)"
		" SELECT decode(md5(n::text), 'hex'), 1, clock_timestamp() + interval '9 seconds'"
		" FROM generate_series(1, 2500) AS n");
	cr_assert(wait_until(revocations_are, &gauge, LIMIT_MS));
	gauge.value = 0;
	cr_assert(wait_until(revocations_are, &gauge, LIMIT_MS + 9000));
	world_close(world);
}

/* --- who one is, and what one's money did --- */

/* Tokens of ours for somebody who is not there. */
Test(contract_people, a_person_that_is_gone)
{
	struct world *world = world_open(NULL);

	world_people(world, &world->people, 1, 0);
	database_run(world->db,
		textf(world,
			"DELETE FROM accounts WHERE user_id = %lld; DELETE FROM users WHERE id = %lld",
			(long long)world->people.list[0].id, (long long)world->people.list[0].id));
	struct call call = {.method = "GET", .path = "/v1/me", .jwt = world->people.list[0].jwt};
	expect(world, &call, 401, "unauthorized");
	call.path = "/v1/me/ledger";
	expect(world, &call, 401, "unauthorized");
	world_close(world);
}

Test(contract_people, me)
{
	struct world *world = world_open(NULL);
	struct call call = {.method = "GET", .path = "/v1/me"};

	expect(world, &call, 401, "unauthorized");
	world_people(world, &world->people, 1, BALANCE);
	call.jwt = world->people.list[0].jwt;
	struct answer *answer = expect(world, &call, 200, NULL);
	cr_assert(answer_int(answer, "id") == world->people.list[0].id &&
		  answer_int(answer, "balance") == BALANCE && answer_is(answer, "role", "buyer"));
	cr_assert(answer_header_is(answer, "cache-control", "no-store"));
	call.jwt = world->admins.list[0].jwt;
	cr_assert(answer_is(expect(world, &call, 200, NULL), "role", "admin"));
	world_close(world);
}

static struct answer *ledger(struct world *world, const char *query, int status, const char *code)
{
	struct call call = {.method = "GET",
		.path = textf(world, "/v1/me/ledger%s", query),
		.jwt = world->people.list[0].jwt};

	return expect(world, &call, status, code);
}

static const json_t *item(struct answer *answer, size_t i)
{
	return json_array_get(json_object_get(answer_json(answer), "items"), i);
}

static int64_t item_int(struct answer *answer, size_t i, const char *member)
{
	const json_t *value = json_object_get(item(answer, i), member);

	cr_assert(json_is_integer(value), "%s: %s", member, answer->body);
	return json_integer_value(value);
}

static bool item_is(struct answer *answer, size_t i, const char *member, const char *value)
{
	const char *text = json_string_value(json_object_get(item(answer, i), member));

	return text != NULL && strcmp(text, value) == 0;
}

Test(contract_people, ledger)
{
	struct world *world = world_open(NULL);

	expect(world, &(struct call){.method = "GET", .path = "/v1/me/ledger"}, 401,
		"unauthorized");
	world_fill(world, 2, BALANCE, &(struct sale_options){0});
	int64_t id = hold_seat(
		world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	struct call pay = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};
	expect(world, &pay, 201, NULL);
	struct answer *answer = ledger(world, "", 200, NULL);
	cr_assert(json_array_size(json_object_get(answer_json(answer), "items")) == 3 &&
		  json_is_null(json_object_get(answer_json(answer), "next")));
	cr_assert(item_is(answer, 0, "kind", "opening") && item_is(answer, 0, "unit", "money") &&
		  item_int(answer, 0, "amount") == BALANCE &&
		  item_int(answer, 0, "balance_after") == BALANCE &&
		  json_is_null(json_object_get(item(answer, 0), "reservation_id")));
	cr_assert(item_is(answer, 1, "kind", "payment") &&
		  item_int(answer, 1, "amount") == -world->sale.price &&
		  item_int(answer, 1, "balance_after") == BALANCE - world->sale.price &&
		  item_int(answer, 1, "reservation_id") == id);
	cr_assert(item_is(answer, 2, "kind", "reward") && item_is(answer, 2, "unit", "points"));
	const char *at = json_string_value(json_object_get(item(answer, 0), "created_at"));
	cr_assert(at != NULL && strlen(at) == strlen("2026-11-21T10:00:00.000Z"), "%s", at);
	cr_assert(json_object_size(item(answer, 0)) == 7);
	world_close(world);
}

/* Every entry once, in order, whatever the size of the page; and nobody else's. */
Test(contract_people, ledger_pages)
{
	struct world *world = world_open(NULL);
	struct call charge = {
		.method = "POST", .path = "/v1/me/balance/charges", .body = "{\"amount\":1}"};
	struct answer *answer;

	world_people(world, &world->people, 2, BALANCE);
	for (int i = 0; i < 12; i++) {
		charge.jwt = world->people.list[i % 2].jwt;
		charge.key = textf(world, "%d", i);
		expect(world, &charge, 201, NULL);
	}
	int64_t after = 0, entries = 0;
	do {
		answer = ledger(
			world, textf(world, "?limit=3&after=%lld", (long long)after), 200, NULL);
		size_t size = json_array_size(json_object_get(answer_json(answer), "items"));
		for (size_t i = 0; i < size; i++) {
			cr_assert(item_int(answer, i, "id") > after);
			cr_assert(item_int(answer, i, "balance_after") == BALANCE + entries++);
			after = item_int(answer, i, "id");
		}
		cr_assert(size == 3 || json_is_null(json_object_get(answer_json(answer), "next")));
	} while (!json_is_null(json_object_get(answer_json(answer), "next")) &&
		 answer_int(answer, "next") == after);
	cr_assert(entries == 7);
	answer = ledger(world, "?limit=7", 200, NULL); /* all, and so no next page */
	cr_assert(json_is_null(json_object_get(answer_json(answer), "next")));
	answer = ledger(world, textf(world, "?after=%lld", (long long)after), 200, NULL);
	cr_assert_str_eq(answer->body, "{\"items\":[],\"next\":null}");
	static const char *const wrong[] = {"?limit=0", "?limit=201", "?limit=-1",
		"?limit=", "?limit=x", "?limit=1x", "?limit=+1", "?limit=%zz", "?after=-1",
		"?after=x", "?after=1.5", "?after=9223372036854775807",
		"?after=99999999999999999999999999999999999999"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		answer = ledger(world, wrong[i], 422, "validation_failed");
		const json_t *error = json_array_get(
			json_object_get(answer_json(answer), "errors"), 0);
		cr_assert_str_eq(json_string_value(json_object_get(error, "field")),
			wrong[i][1] == 'l' ? "limit" : "after");
	}
	ledger(world, "?limit=200&after=9223372036854775806", 200, NULL);
	world_close(world);
}
