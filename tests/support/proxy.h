/* A proxy that breaks connections, on the caller's event loop: each client's bytes go to a connection of its own to
 * the target and back, but for the fault that is set. It counts what the fault did. */
#ifndef ONSALE_TESTS_SUPPORT_PROXY_H
#define ONSALE_TESTS_SUPPORT_PROXY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum proxy_fault {
	PROXY_PASSES,
	PROXY_DELAYS, /* what goes either way waits for `amount` ms */
	PROXY_CLOSES, /* all connections, and each new one at once */
	PROXY_RESETS, /* … with a reset */
	PROXY_CUTS, /* each connection after the next `amount` bytes of the target's */
	PROXY_SPLITS, /* every byte is written alone */
	PROXY_THROTTLES, /* `amount` bytes a second each way */
	PROXY_STALLS, /* nothing goes on; nothing is lost */
	PROXY_SWALLOWS, /* what comes from either side is lost */
	PROXY_MUTES, /* what the target says is lost */
	PROXY_GARBLES, /* what the target says is replaced by as many bytes that mean nothing */
	/* PostgreSQL: what it says of a transaction that sells, from its commit on, is lost, and then the
	 * connection is closed. */
	PROXY_LOSES_COMMITS
};

/* What was done so far. Another process may read them. */
struct proxy_counts {
	atomic_uint accepted;
	atomic_uint hit; /* connections that a fault closed, or that were there when it was set */
	atomic_uint commits_lost;
	_Atomic uint64_t bytes_hit; /* delayed, split, withheld, lost or replaced */
};

struct event_base;
struct proxy;

/* Nothing listens yet. counts: the caller's, zeroed. */
struct proxy *proxy_new(struct event_base *base, const struct sockaddr *target, socklen_t len,
	struct proxy_counts *counts);
void proxy_free(struct proxy *proxy);

/* Where clients find it; the test fails where that cannot be. */
void proxy_listen(struct proxy *proxy, const struct sockaddr *address, socklen_t len);

/* On a free port of 127.0.0.1, which it returns. */
unsigned proxy_listen_tcp(struct proxy *proxy);

/* From now on. What was lost under the fault before leaves its connections of no use: they are closed. */
void proxy_set(struct proxy *proxy, enum proxy_fault fault, uint64_t amount);

/* Closes all connections, on both sides. */
void proxy_cut(struct proxy *proxy);

#endif
