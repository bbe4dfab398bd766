/* The invariants that must hold after whatever happened, judged from PostgreSQL, the clients' history, the
 * admission script's stream and the outbox's. */
#ifndef ONSALE_TESTS_SUPPORT_INVARIANTS_H
#define ONSALE_TESTS_SUPPORT_INVARIANTS_H

#include <libpq-fe.h>
#include "tests/support/admissions.h"
#include "tests/support/deliveries.h"
#include "tests/support/history.h"

struct invariants_input {
	PGconn *db;
	struct history *history; /* NULL: 2, 9 and the replies of 4 are not judged */
	const struct admissions *admissions; /* NULL: 7 is not judged */
	int64_t capacity, admit_per_second; /* of the line, for 7 */
	const struct deliveries *deliveries; /* NULL: 8 is not judged */
};

enum { INVARIANTS = 9 };

/* What was violated, by the invariant's number. */
struct violations {
	unsigned count;
	unsigned of[INVARIANTS + 1];
	char text[8192]; /* "invariant 3: …", a line each; the first ones */
};

void invariants_check(const struct invariants_input *input, struct violations *violations);

/* Fails the test, saying which and what, where any invariant is violated. */
void invariants_hold(const struct invariants_input *input);

#endif
