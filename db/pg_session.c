/* Sessions that block: what the commands use, outside of the loop. */
#include "db/pg_session.h"

#include <stdio.h>
#include <stdlib.h>
#include "db/pg_private.h"
#include "proto/base/check.h"
#include "proto/base/log.h"

enum { COLUMNS_MAX = 64, LINE_SIZE = 512 };

struct pg_session {
	PGconn *conn;
};

static void session_notice(UNUSED void *context, const char *message)
{
	char line[LINE_SIZE];
	pg_one_line(message, line, sizeof line);
	log_debug("PostgreSQL: %s", line);
}

struct pg_session *pg_session_open(const char *url, char *why, size_t why_size)
{
	const char *const keywords[] = {"connect_timeout", "gssencmode", "dbname",
		"client_encoding", "fallback_application_name", NULL};
	const char *const values[] = {"10", "disable", url, "UTF8", "onsale", NULL};
	PGconn *conn = PQconnectdbParams(keywords, values, 1);
	CHECK(conn);
	if (PQstatus(conn) != CONNECTION_OK) {
		pg_one_line(PQerrorMessage(conn), why, why_size);
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeProcessor(conn, session_notice, NULL);
	struct pg_session *session = must_calloc(1, sizeof *session);
	session->conn = conn;
	return session;
}

void pg_session_close(struct pg_session *session)
{
	if (!session)
		return;
	PQfinish(session->conn);
	free(session);
}

/* The line of a statement that an error points at; 0: it points at none. */
static unsigned error_line(const PGresult *result, const char *sql)
{
	const char *text = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	unsigned long position = text ? strtoul(text, NULL, 10) : 0;
	if (!position || !sql)
		return 0;
	unsigned line = 1;
	for (; *sql && position > 1; sql++) {
		line += *sql == '\n';
		position -= (*sql & 0xC0) != 0x80; /* positions count characters of UTF-8 */
	}
	return line;
}

/* "42P01 relation "seats" does not exist (line 7): detail" */
static void session_why(const struct pg_session *session, const PGresult *result, const char *sql,
	char *why, size_t why_size)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	unsigned line = error_line(result, sql);
	char place[32] = "";
	if (!primary) {
		pg_one_line(PQerrorMessage(session->conn), why, why_size);
		return;
	}
	if (line)
		snprintf(place, sizeof place, " (line %u)", line);
	snprintf(why, why_size, "%s %s%s%s%s", sqlstate ? sqlstate : "", primary, place,
		detail ? ": " : "", detail ? detail : "");
}

/* Frees the result. */
static bool session_succeeded(const struct pg_session *session, PGresult *result, const char *sql,
	char *why, size_t why_size)
{
	ExecStatusType status = PQresultStatus(result);
	bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
		    status == PGRES_EMPTY_QUERY;
	if (!good)
		session_why(session, result, sql, why, why_size);
	PQclear(result);
	return good;
}

bool pg_session_run(struct pg_session *session, const char *sql, char *why, size_t why_size)
{
	return session_succeeded(session, PQexec(session->conn, sql), sql, why, why_size);
}

bool pg_session_query(struct pg_session *session, const char *sql, const char *const *params,
	unsigned count, void (*row)(void *context, const char *const *columns), void *context,
	char *why, size_t why_size)
{
	PGresult *result = PQexecParams(
		session->conn, sql, (int)count, NULL, params, NULL, NULL, 0);
	int fields = PQnfields(result);
	CHECK(fields <= COLUMNS_MAX);
	for (int i = 0; row && i < PQntuples(result); i++) {
		const char *columns[COLUMNS_MAX];
		for (int j = 0; j < fields; j++)
			columns[j] = PQgetisnull(result, i, j) ? NULL : PQgetvalue(result, i, j);
		row(context, columns);
	}
	return session_succeeded(session, result, sql, why, why_size);
}
