/* Each is one statement, and so one transaction. */
#include "db/setup.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include "db/pg_session.h"
#include "proto/base/check.h"
#include "proto/base/embed.h"

EMBED(setup_users_sql, "db/statements/setup_users.sql");
EMBED(setup_person_sql, "db/statements/setup_person.sql");
EMBED(setup_demo_sql, "db/statements/setup_demo.sql");

struct made {
	void (*made)(void *context, int64_t id);
	void *context;
};

static void user_made(void *context, const char *const *columns)
{
	const struct made *made = context;

	made->made(made->context, strtoll(columns[0], NULL, 10));
}

bool setup_users(struct pg_session *session, int64_t count, int64_t balance, bool admin,
	void (*made)(void *context, int64_t id), void *context, char *why, size_t why_size)
{
	struct made row = {made, context};
	unsigned char random[8];
	char run[2 * sizeof random + 1], count_text[24], balance_text[24];
	const char *params[] = {run, count_text, balance_text, admin ? "admin" : "buyer"};

	randombytes_buf(random, sizeof random);
	sodium_bin2hex(run, sizeof run, random, sizeof random);
	snprintf(count_text, sizeof count_text, "%lld", (long long)count);
	snprintf(balance_text, sizeof balance_text, "%lld", (long long)balance);
	return pg_session_query(session, setup_users_sql, params, ARRAY_LEN(params), user_made,
		&row, why, why_size);
}

bool setup_person(
	struct pg_session *session, const struct setup_person *person, char *why, size_t why_size)
{
	char balance[24];
	const char *params[] = {person->email, person->name, person->admin ? "admin" : "buyer",
		person->password_hash, balance};

	snprintf(balance, sizeof balance, "%lld", (long long)person->balance);
	return pg_session_query(
		session, setup_person_sql, params, ARRAY_LEN(params), NULL, NULL, why, why_size);
}

bool setup_demo(struct pg_session *session, char *why, size_t why_size)
{
	return pg_session_run(session, setup_demo_sql, why, why_size);
}
