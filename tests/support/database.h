/* PostgreSQL for tests: a database of one's own, and plain blocking statements. The test fails where a
 * statement does. */
#ifndef ONSALE_TESTS_SUPPORT_DATABASE_H
#define ONSALE_TESTS_SUPPORT_DATABASE_H

#include <libpq-fe.h>
#include <stdint.h>

enum { DATABASE_URL_SIZE = 1024, DATABASE_NAME_SIZE = 64 };

/* Makes an empty database beside the one that ONSALE_TEST_DATABASE_URL names, and gives its url. */
void database_create(char name[DATABASE_NAME_SIZE], char url[DATABASE_URL_SIZE]);
void database_drop(const char *name);

PGconn *database_connect(const char *url);

/* Runs one or more statements without parameters. */
void database_run(PGconn *connection, const char *sql);

/* One statement with parameters as text; the caller clears the result. */
PGresult *database_query(PGconn *connection, const char *sql, int count, const char *const *params);

/* The one integer that the statement gives. */
int64_t database_i64(PGconn *connection, const char *sql, int count, const char *const *params);

#endif
