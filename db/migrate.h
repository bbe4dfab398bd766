/* Migrations: db/migrations/NNNN_name.sql, each applied once, in order, in one transaction, under an
 * advisory lock, so that two instances may run them at once. The functions in db/functions/ are put in
 * again whenever their text has changed. */
#ifndef ONSALE_DB_MIGRATE_H
#define ONSALE_DB_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

struct pg_session;

/* *applied: how many migrations and functions were put in. False with the reason in `why`; then nothing
 * has changed. */
bool migrate(struct pg_session *session, unsigned *applied, char *why, size_t why_size);

#endif
