/* A raw connection to a server: bytes out, replies or the end in, each with a limit of time. */
#ifndef ONSALE_TESTS_SUPPORT_WIRE_H
#define ONSALE_TESTS_SUPPORT_WIRE_H

#include "proto/base/buf.h"
#include "tests/support/answer.h"
#include "tests/support/call.h"

enum { WIRE_LIMIT_MS = 20000 };

struct wire {
	int fd;
	struct buf in; /* bytes that came and were not read as a reply yet */
};

enum wire_result {
	WIRE_ANSWER,
	WIRE_CLOSED, /* the server sent its end, or reset the connection, before a whole reply */
	WIRE_BROKEN, /* what came is not HTTP */
	WIRE_SILENT /* nothing whole came in time */
};

/* Connects to 127.0.0.1; the test fails where nobody listens. receive_bytes: the size of the socket's
 * receive buffer, 0 for the system's own. */
void wire_open(struct wire *wire, int port, int receive_bytes);
void wire_close(struct wire *wire);
void wire_reset(struct wire *wire); /* closes it as a client does that dies */

/* False where the server takes no more. */
bool wire_send(struct wire *wire, const void *bytes, size_t len);
bool wire_send_text(struct wire *wire, const char *text);

/* Says that no more is sent. */
void wire_shut(struct wire *wire);

/* The next reply. */
enum wire_result wire_answer(
	struct wire *wire, struct answer *answer, bool to_head, unsigned limit_ms);

/* True where the connection's end comes within limit_ms, and no byte before it. */
bool wire_ends(struct wire *wire, unsigned limit_ms);

/* Sends a request on a connection of its own and reads the reply; false where none came. */
bool wire_call(int port, const struct call *call, struct answer *answer);

#endif
