/* Migrations and functions, embedded by the lists db/migrations/list.def and db/functions/list.def, are
 * put into the database in the lists' order, all in one transaction. What is in is kept in the table
 * onsale_migrations, by name and digest of the text: a migration never changes once it was applied, a
 * function is put in again whenever it did. */
#include "db/migrate.h"

#include <stdio.h>
#include <string.h>
#include "db/pg_session.h"
#include "proto/base/embed.h"
#include "proto/digest.h"

EMBED(migrations_begin_sql, "db/statements/migrations_begin.sql");
EMBED(migrations_find_sql, "db/statements/migrations_find.sql");
EMBED(migrations_put_sql, "db/statements/migrations_put.sql");

#define MIGRATION(name) EMBED(migration_##name, "db/migrations/" #name ".sql");
#include "db/migrations/list.def"
#undef MIGRATION

#define FUNCTION(name) EMBED(function_##name, "db/functions/" #name ".sql");
#include "db/functions/list.def"
#undef FUNCTION

struct source {
	const char *name, *sql;
	bool once; /* a migration */
};

static const struct source sources[] = {
#define MIGRATION(name) {"migrations/" #name, migration_##name, true},
#include "db/migrations/list.def"
#undef MIGRATION
#define FUNCTION(name) {"functions/" #name, function_##name, false},
#include "db/functions/list.def"
#undef FUNCTION
};

struct migration_run {
	struct pg_session *session;
	char *why;
	size_t why_size;
	unsigned applied;
};

struct found {
	bool any;
	char digest[DIGEST_HEX_SIZE];
};

static void found_row(void *context, const char *const *columns)
{
	struct found *found = context;
	found->any = true;
	snprintf(found->digest, sizeof found->digest, "%s", columns[0]);
}

static bool put(struct migration_run *run, const struct source *source, const char *digest)
{
	char reason[1024];
	const char *const params[] = {source->name, digest};
	if (pg_session_run(run->session, source->sql, reason, sizeof reason) &&
		pg_session_query(run->session, migrations_put_sql, params, 2, NULL, NULL, reason,
			sizeof reason)) {
		run->applied++;
		return true;
	}
	snprintf(run->why, run->why_size, "db/%s.sql: %s", source->name, reason);
	return false;
}

static bool put_where_missing(struct migration_run *run, const struct source *source)
{
	const struct digest_part part = {source->sql, strlen(source->sql)};
	const struct digest digest = digest_of(&part, 1);
	char hex[DIGEST_HEX_SIZE];
	digest_hex(&digest, hex);
	struct found found = {false, ""};
	if (!pg_session_query(run->session, migrations_find_sql, &source->name, 1, found_row,
		    &found, run->why, run->why_size))
		return false;
	if (found.any && !strcmp(found.digest, hex))
		return true;
	if (found.any && source->once) {
		snprintf(run->why, run->why_size,
			"db/%s.sql has changed since it was applied: a change needs a migration of "
			"its own",
			source->name);
		return false;
	}
	return put(run, source, hex);
}

static bool put_all(struct migration_run *run)
{
	if (!pg_session_run(run->session, migrations_begin_sql, run->why, run->why_size))
		return false;
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
		if (!put_where_missing(run, &sources[i]))
			return false;
	return pg_session_run(run->session, "commit", run->why, run->why_size);
}

bool migrate(struct pg_session *session, unsigned *applied, char *why, size_t why_size)
{
	struct migration_run run = {session, why, why_size, 0};
	bool good = put_all(&run);
	if (!good) {
		char ignored[256]; /* the reason is the one that came before */
		(void)pg_session_run(session, "rollback", ignored, sizeof ignored);
	}
	*applied = good ? run.applied : 0;
	return good;
}
