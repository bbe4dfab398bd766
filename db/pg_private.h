/* What the files of PostgreSQL's client share among themselves. They alone include libpq. */
#ifndef ONSALE_DB_PG_PRIVATE_H
#define ONSALE_DB_PG_PRIVATE_H

#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include "db/pg.h"

/* The rows of a batch, in binary format (pg_rows.c reads them). */
struct pg_rows {
	const PGresult *result;
};

/* What a lane connects with: libpq's keywords and their values, each list ending in NULL. Zeroed is empty. */
enum { PG_KEYWORDS_MAX = 64 };
struct pg_keywords {
	char *names[PG_KEYWORDS_MAX + 1], *values[PG_KEYWORDS_MAX + 1];
	unsigned count;
};

/* From the url and the session's parameters; looks host names up, which may block. False with the reason in
 * `why`; pg_keywords_free either way. */
bool pg_keywords_set(struct pg_keywords *keywords, const struct pg_settings *settings, char *why,
	size_t why_size);
void pg_keywords_free(struct pg_keywords *keywords);

/* libpq's messages come in lines, some indented, and end in one: puts them into one line, cut to size. */
void pg_one_line(const char *text, char *line, size_t size);

#endif
