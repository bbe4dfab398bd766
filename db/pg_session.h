/* PostgreSQL outside of the loop: what the commands migrate, users, admin and demo need. These block. */
#ifndef ONSALE_DB_PG_SESSION_H
#define ONSALE_DB_PG_SESSION_H

#include <stdbool.h>
#include <stddef.h>

struct pg_session;
struct pg_session *pg_session_open(const char *url, char *why, size_t why_size);
void pg_session_close(struct pg_session *session);
/* Runs one or more statements without parameters; false with the server's message in `why`. */
bool pg_session_run(struct pg_session *session, const char *sql, char *why, size_t why_size);
/* One statement with text parameters (NULL: null); rows of up to 64 columns are given, in text format
 * (NULL: null), to `row`, which may be NULL. False with the server's message in `why`. */
bool pg_session_query(struct pg_session *session, const char *sql, const char *const *params,
	unsigned count, void (*row)(void *context, const char *const *columns), void *context,
	char *why, size_t why_size);

#endif
