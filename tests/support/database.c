/* Names of databases are made of digits and letters here, so they need no quoting. */
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "tests/support/process.h"

/* The url with another database, as keywords, which both libpq and the server take. */
static void url_of(const char *name, char url[DATABASE_URL_SIZE])
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(need_env("ONSALE_TEST_DATABASE_URL"), &why);
	size_t len = 0;

	cr_assert(options != NULL, "ONSALE_TEST_DATABASE_URL: %s", why);
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
		if (option->val != NULL && strcmp(option->keyword, "dbname") != 0)
			len += (size_t)snprintf(url + len, DATABASE_URL_SIZE - len, "%s='%s' ",
				option->keyword, option->val);
	len += (size_t)snprintf(url + len, DATABASE_URL_SIZE - len, "dbname='%s'", name);
	PQconninfoFree(options);
	cr_assert(len < DATABASE_URL_SIZE);
}

void database_create(char name[DATABASE_NAME_SIZE], char url[DATABASE_URL_SIZE])
{
	PGconn *connection = database_connect(need_env("ONSALE_TEST_DATABASE_URL"));
	char sql[DATABASE_NAME_SIZE + 64];
	uint32_t random = 0;

	cr_assert(getrandom(&random, sizeof random, 0) == sizeof random);
	snprintf(name, DATABASE_NAME_SIZE, "live_%d_%08x", (int)getpid(), random);
	snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", name);
	database_run(connection, sql);
	PQfinish(connection);
	url_of(name, url);
}

void database_drop(const char *name)
{
	PGconn *connection = database_connect(need_env("ONSALE_TEST_DATABASE_URL"));
	char sql[DATABASE_NAME_SIZE + 64];

	snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", name);
	database_run(connection, sql);
	PQfinish(connection);
}

static void drop_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

PGconn *database_connect(const char *url)
{
	PGconn *connection = PQconnectdb(url);

	cr_assert(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
	PQsetNoticeReceiver(connection, drop_notice, NULL);
	return connection;
}

static void check_result(PGconn *connection, const PGresult *result, const char *sql)
{
	ExecStatusType status = PQresultStatus(result);

	cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
			  status == PGRES_EMPTY_QUERY,
		"%s: %s", sql, PQerrorMessage(connection));
}

void database_run(PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);

	check_result(connection, result, sql);
	PQclear(result);
}

PGresult *database_query(PGconn *connection, const char *sql, int count, const char *const *params)
{
	PGresult *result = PQexecParams(connection, sql, count, NULL, params, NULL, NULL, 0);

	check_result(connection, result, sql);
	return result;
}

int64_t database_i64(PGconn *connection, const char *sql, int count, const char *const *params)
{
	PGresult *result = database_query(connection, sql, count, params);

	cr_assert(PQntuples(result) == 1 && PQnfields(result) == 1 && !PQgetisnull(result, 0, 0),
		"not one value: %s", sql);
	int64_t value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return value;
}
