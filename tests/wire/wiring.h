/* What the wire tests share: a server without Redis, and one raw connection to it. */
#ifndef ONSALE_TESTS_WIRE_WIRING_H
#define ONSALE_TESTS_WIRE_WIRING_H

#include "tests/support/wire.h"
#include "tests/support/world.h"

/* Limits that are short enough to be waited for. */
enum { HEAD_LIMIT_MS = 400, BODY_LIMIT_MS = 600, IDLE_LIMIT_MS = 1000, WRITE_LIMIT_MS = 500 };

/* A server with these limits. */
struct world *wiring_open(void);

/* Opens a connection to it. */
struct wire wiring_connect(struct world *world);

/* The next reply has this status. The answer is cleared by the caller. */
struct answer wiring_expect(struct wire *wire, int status);

/* … and its body is not wanted. */
void wiring_expect_only(struct wire *wire, int status);

/* The connection's end comes now, with nothing before it. */
void wiring_expect_end(struct wire *wire);

#endif
