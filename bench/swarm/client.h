/* Connections to one server, each with at most one request in flight, on one libevent loop. A client is
 * what one person's browser is: it connects when it first sends, keeps its connection, and connects anew
 * when the server has closed it.
 *
 * No hook is called before the function that caused it has returned. A hook may send the next request. */
#ifndef ONSALE_BENCH_SWARM_CLIENT_H
#define ONSALE_BENCH_SWARM_CLIENT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include "bench/swarm/reader.h"

enum { CLIENT_REQUEST_MAX = 16 * 1024, CLIENT_READ_SIZE = 64 * 1024 };

struct client;

enum client_loss {
	CLIENT_LOST_CONNECTING, /* no connection could be had */
	CLIENT_LOST_CLOSED, /* the server closed it before the reply */
	CLIENT_LOST_MALFORMED /* what came is no reply */
};

struct clients_hooks {
	/* Its texts are gone with the next request. */
	void (*answered)(struct client *client, const struct reply *reply);
	void (*lost)(struct client *client, enum client_loss loss);
	/* All is sent but what client_send kept back; may be NULL where nothing ever is. */
	void (*ready)(struct client *client);
};

enum client_state {
	CLIENT_CLOSED,
	CLIENT_WAITING, /* for its turn to connect */
	CLIENT_CONNECTING,
	CLIENT_IDLE,
	CLIENT_BUSY,
	CLIENT_FAILED /* the loop tells of it in its next turn */
};

TAILQ_HEAD(client_list, client);

struct clients {
	/* the owner's, before clients_start */
	struct event_base *base;
	struct sockaddr_in address;
	struct in_addr source; /* 0: the system's choice */
	unsigned open_max; /* past that the connection that idles longest is closed */
	struct clients_hooks hooks;

	unsigned open, open_peak; /* connecting ones included */

	/* client.c's */
	unsigned connecting;
	struct client_list idle, waiting; /* the longest there first */
	char bytes[CLIENT_READ_SIZE];
};

struct client {
	struct clients *all;
	enum client_state state;
	enum client_loss loss; /* of CLIENT_FAILED */
	int fd;
	size_t sent, until; /* of the request: what left, and what may leave */
	struct event readable, writable;
	struct buf out;
	struct reader reader;
	TAILQ_ENTRY(client) link;
};

void clients_start(struct clients *clients);

void client_init(struct clients *clients, struct client *client);

/* Empty, for the next request's bytes. Nothing may be in flight. */
struct buf *client_request(struct client *client);

/* Sends the request but its last keep_back bytes, which client_release sends; on a new connection only. */
void client_send(struct client *client, size_t keep_back);
void client_release(struct client *client);

/* Whatever it does: without a word to the hooks. It may be used again. */
void client_close(struct client *client);

/* … and gives its memory back. */
void client_free(struct client *client);

#endif
