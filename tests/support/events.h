/* A client of server-sent events, as strict as a test needs: the reply's head, its chunks, the events in them. */
#ifndef ONSALE_TESTS_SUPPORT_EVENTS_H
#define ONSALE_TESTS_SUPPORT_EVENTS_H

#include "tests/support/wire.h"

enum { EVENTS_LIMIT_MS = 20000 };

struct events {
	struct wire wire;
	struct answer head; /* the status and the header lines; a refusal whole */
	bool chunked, ended; /* ended: in good order, by the last chunk or the connection's end */
	struct buf text; /* of the body, not read as events yet */
	int64_t retry_ms; /* the newest that was said; 0: none */
	unsigned comments;
};

enum events_result {
	EVENTS_EVENT,
	EVENTS_END, /* in good order */
	EVENTS_CUT, /* the connection ended in the middle */
	EVENTS_SILENT /* nothing whole came in time */
};

/* Asks, and reads the head; the test fails where that is not 200 and text/event-stream. receive_bytes: as for
 * wire_open. */
void events_open(struct events *events, int port, const struct call *call, int receive_bytes);
/* … for the same, told by its bytes. */
void events_open_raw(struct events *events, int port, const char *request, int receive_bytes);
void events_close(struct events *events);
void events_reset(struct events *events); /* as a client does that dies */

/* The next event: its data as the answer's body (cleared by the caller), its name ("message" for a plain one); the
 * test fails where it is not written as the standard has it. Comments are counted on the way. */
enum events_result events_next(
	struct events *events, struct answer *event, const char **name, unsigned limit_ms);

/* The next one, which must be a plain event. */
struct answer events_expect(struct events *events);

/* Reads on until an event has this text member; that one. */
struct answer events_until(struct events *events, const char *member, const char *value);

/* The next one must be the end: an event of that name with this problem code, and nothing after it. */
void events_expect_end(struct events *events, const char *code);

#endif
