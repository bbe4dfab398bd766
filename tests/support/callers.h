/* Clients on one thread: each has a connection of its own to one of the world's instances, at most one request in
 * flight on it, and hears of it once: that it was answered, or that it was lost. */
#ifndef ONSALE_TESTS_SUPPORT_CALLERS_H
#define ONSALE_TESTS_SUPPORT_CALLERS_H

#include "tests/support/call.h"
#include "tests/support/world.h"

struct caller {
	void *owner; /* the caller's own, as is `instance`, which counts at the next connection */
	unsigned instance;

	/* callers.c's */
	struct callers *all;
	int fd;
	bool connecting, in_flight;
	size_t sent;
	uint64_t end_ms;
	struct buf out, in;
};

/* May be called back before caller_send returns. The next request may be sent from within. */
struct callers_hooks {
	void (*sent)(struct caller *caller); /* its first bytes have left; may be NULL */
	/* The answer is gone afterwards. */
	void (*answered)(struct caller *caller, struct answer *answer);
	/* The connection was lost, or nothing came in time. sent: what became of the request is not
	 * known; else none of it ever left. */
	void (*lost)(struct caller *caller, bool sent);
};

struct callers {
	struct world *world;
	struct callers_hooks hooks;
	unsigned limit_ms; /* after which a request is lost; 0: never */
	uint64_t now_ms; /* of the turn */
	int epoll;
};

/* Also lets this process have as many descriptors as it may. */
void callers_open(struct callers *callers);
void callers_close(struct callers *callers);

void caller_init(struct callers *callers, struct caller *caller, unsigned instance, void *owner);
void caller_close(struct caller *caller);

/* The call's texts may go at once. Nothing may be in flight. */
void caller_send(struct caller *caller, const struct call *call);

/* Closes the connection as a client does that dies; what was in flight is lost. */
void caller_reset(struct caller *caller);

/* Loses what is over its limit. */
void caller_look_at_time(struct caller *caller);

/* One turn of the loop: waits at most wait_ms for something to happen. */
void callers_turn(struct callers *callers, int wait_ms);

#endif
