/* db/migrate.c, into schemas of the tests' own. */
#include "db/migrate.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "db/pg_session.h"

TestSuite(migrate, .timeout = 120);

static const char *schema(void)
{
	static char name[32];
	snprintf(name, sizeof name, "migrate_%d", (int)getpid());
	return name;
}

static struct pg_session *open_session(void)
{
	char why[256];
	const char *url = getenv("ONSALE_TEST_DATABASE_URL");
	cr_assert(url, "ONSALE_TEST_DATABASE_URL names no database");
	struct pg_session *session = pg_session_open(url, why, sizeof why);
	cr_assert(session, "%s", why);
	return session;
}

static void run(struct pg_session *session, const char *sql)
{
	char why[256];
	cr_assert(pg_session_run(session, sql, why, sizeof why), "%s", why);
}

/* A session in an empty schema; later sessions of this test find the same one. */
static struct pg_session *open_schema(void)
{
	char text[64];
	snprintf(text, sizeof text, "-c search_path=%s", schema());
	setenv("PGOPTIONS", text, 1);
	struct pg_session *session = open_session();
	snprintf(text, sizeof text, "create schema %s", schema());
	run(session, text);
	return session;
}

static void close_schema(struct pg_session *session)
{
	char text[64];
	snprintf(text, sizeof text, "drop schema %s cascade", schema());
	run(session, text);
	pg_session_close(session);
}

static void number_row(void *context, const char *const *columns)
{
	*(long *)context = strtol(columns[0], NULL, 10);
}

static long number(struct pg_session *session, const char *sql)
{
	char why[256];
	long value = -1;
	cr_assert(pg_session_query(session, sql, NULL, 0, number_row, &value, why, sizeof why),
		"%s", why);
	return value;
}

static unsigned migrated(struct pg_session *session)
{
	char why[1024];
	unsigned applied = 0;
	cr_assert(migrate(session, &applied, why, sizeof why), "%s", why);
	return applied;
}

Test(migrate, is_applied_once)
{
	struct pg_session *session = open_schema();
	unsigned applied = migrated(session);
	cr_assert_gt(applied, 1);
	cr_assert_eq(number(session, "select count(*) from onsale_migrations"), applied);
	cr_assert_eq(migrated(session), 0);
	close_schema(session);
}

struct beside {
	pthread_t thread;
	bool good;
	unsigned applied;
	char why[1024];
};

/* Asserts nothing: a failed assertion must end the test, on its own thread. */
static void *migrate_beside(void *arg)
{
	struct beside *beside = arg;
	struct pg_session *session = pg_session_open(
		getenv("ONSALE_TEST_DATABASE_URL"), beside->why, sizeof beside->why);
	beside->good = session &&
		       migrate(session, &beside->applied, beside->why, sizeof beside->why);
	pg_session_close(session);
	return NULL;
}

Test(migrate, several_at_once_apply_it_once)
{
	struct pg_session *session = open_schema();
	struct beside besides[4];
	unsigned sum = 0, idle = 0;
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(
			pthread_create(&besides[i].thread, NULL, migrate_beside, &besides[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(besides[i].thread, NULL), 0);
		cr_assert(besides[i].good, "%s", besides[i].why);
		sum += besides[i].applied;
		idle += besides[i].applied == 0;
	}
	cr_assert_eq(idle, 3);
	cr_assert_eq(number(session, "select count(*) from onsale_migrations"), sum);
	close_schema(session);
}

Test(migrate, a_changed_migration_is_an_error_that_names_it)
{
	struct pg_session *session = open_schema();
	char why[1024];
	unsigned applied = 1;
	migrated(session);
	run(session, "update onsale_migrations set digest = 'another' where name in "
		     "('migrations/0001_schema', 'functions/hold')");
	cr_assert_not(migrate(session, &applied, why, sizeof why));
	cr_assert(strstr(why, "db/migrations/0001_schema.sql has changed"), "%s", why);
	cr_assert_eq(applied, 0);
	cr_assert_eq(
		number(session, "select count(*) from onsale_migrations where digest = 'another'"),
		2, "nothing has changed");
	close_schema(session);
}

Test(migrate, a_changed_function_is_put_in_again)
{
	struct pg_session *session = open_schema();
	migrated(session);
	run(session,
		"update onsale_migrations set digest = 'another' where name = 'functions/hold'");
	cr_assert_eq(migrated(session), 1);
	cr_assert_eq(migrated(session), 0);
	close_schema(session);
}

Test(migrate, an_error_leaves_nothing_behind)
{
	struct pg_session *session = open_schema();
	char why[1024];
	unsigned applied;
	run(session, "create table outbox ()");
	cr_assert_not(migrate(session, &applied, why, sizeof why));
	cr_assert(strstr(why, "db/migrations/0001_schema.sql: 42P07"), "%s", why);
	cr_assert_eq(number(session, "select count(*) from pg_class where relkind = 'r' and "
				     "relnamespace = current_schema()::regnamespace"),
		1);
	run(session, "drop table outbox");
	cr_assert_gt(migrated(session), 1);
	close_schema(session);
}
