/* The parameters of one call, in PostgreSQL's binary format, as pg.c hands them to libpq. Stores fill
 * them through the pg_param_ and pg_array_ functions of db/pg.h.
 *
 *   bytes    | first parameter | second | …      one buffer, which may move while it grows
 *            ^offsets[0]       ^offsets[1]       so pointers into it are made last, by pg_params_list */
#ifndef ONSALE_DB_PG_PARAMS_H
#define ONSALE_DB_PG_PARAMS_H

#include "db/pg.h"
#include "proto/base/buf.h"

enum { PG_PARAMS_MAX = 64, PG_PARAMS_BYTES_MAX = 16 * 1024 * 1024 };

struct pg_params {
	struct buf bytes;
	unsigned count;
	size_t offsets[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX];
	bool nulls[PG_PARAMS_MAX];
	int formats[PG_PARAMS_MAX]; /* libpq's word for binary, 1, for each */
	/* the array that is being written; element 0: none */
	pg_oid element;
	unsigned elements;
	bool has_null;
};

void pg_params_init(struct pg_params *params);
void pg_params_free(struct pg_params *params);

/* No parameters; keeps the memory. */
void pg_params_clear(struct pg_params *params);

/* Points values[i] at each parameter (NULL: null); valid until the next change. False where they did
 * not fit into PG_PARAMS_BYTES_MAX. */
bool pg_params_list(const struct pg_params *params, const char *values[PG_PARAMS_MAX]);

#endif
