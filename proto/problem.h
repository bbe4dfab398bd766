/* Every refusal that the API knows, in one table (proto/problem.def), and the documents it turns
 * into: application/problem+json (RFC 9457) with the members type, title, status, detail, code and
 * request_id. Clients tell refusals apart by `code`, which never changes. */
#ifndef ONSALE_PROTO_PROBLEM_H
#define ONSALE_PROTO_PROBLEM_H

#include "proto/base/buf.h"

enum problem {
#define PROBLEM(name, code, status, title, detail) PROBLEM_##name,
#include "proto/problem.def"
#undef PROBLEM
	PROBLEM_COUNT
};

int problem_status(enum problem problem);
const char *problem_code(enum problem problem);

/* Which one a document is of, as problem_write and the database make it; PROBLEM_COUNT where it is none. */
enum problem problem_of(const char *document, size_t len);

/* The document up to and with `"request_id":"`: what follows is a request id, a quote, further
 * members (each starting with a comma) and a brace. The database builds whole documents from it, so
 * that a stored refusal is replayed to the byte. Lives for ever. */
const char *problem_head(enum problem problem);

/* Appends a whole document. detail NULL: the table's. extra NULL, or further members as JSON, each
 * starting with a comma: `,"seat_ids":[1,2]`. */
void problem_write(struct buf *out, enum problem problem, const char *detail,
	const char *request_id, const char *extra);

#endif
