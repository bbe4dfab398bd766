/* The contract's rows on people: log-in, balance, charges. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/process.h"
#include "tests/support/world.h"

enum { BALANCE = 5000 };

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
	post(world, &call, "[]", 400, "malformed_json");
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
		bool overflows = strstr(wrong[i], "9223372036854775808") != NULL;
		answer = post(world, &call, wrong[i], overflows ? 400 : 422,
			overflows ? "malformed_json" : "validation_failed");
		const json_t *error = json_array_get(
			json_object_get(answer_json(answer), "errors"), 0);
		const char *field = json_string_value(json_object_get(error, "field"));
		cr_assert(overflows || (field != NULL && strcmp(field, "amount") == 0 &&
					       json_is_string(json_object_get(error, "message"))),
			"%s", answer->body);
	}
	cr_assert(database_i64(world->db, "SELECT count(*) FROM ledger WHERE kind = 'charge'", 0,
			  NULL) == 1);
	world_close(world);
}
