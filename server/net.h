/* Sockets: the listener and the connections, as plain libevent events with buffers of our own. A
 * connection answers one request at a time, in order; pipelined bytes wait in its buffer. Deadlines are
 * absolute: head and body count from the request's first byte. */
#ifndef ONSALE_SERVER_NET_H
#define ONSALE_SERVER_NET_H

#include <stdbool.h>
#include <stddef.h>

struct address;
struct app;
struct conn;
struct flow;
struct http_parser;
struct observer;
struct reply;
struct server_event;
struct stream;
struct trail;

/* Takes the address. NULL with the reason in `why`. */
struct net *net_new(struct app *app, char *why, size_t why_size);
/* Lets clients connect, from the first call on; before, they are refused, or go to the other instances of a
 * shared port. False where the system refuses. */
bool net_listen(struct net *net);
void net_free(struct net *net);

/* The end of a loop turn: writes the replies that came up, goes on with pipelined requests and cuts
 * connections at their deadlines. True where it started new work that wants another turn at once. */
bool net_turn(struct net *net);

/* Stops accepting. Connections close after their next reply, or after having idled for a second. */
void net_drain(struct net *net);

unsigned net_connections(const struct net *net);
unsigned net_connections_max(const struct net *net);

/* --- for flow.c --- */

/* The parsed request of a connection. */
struct http_parser *conn_parser(const struct conn *conn);

/* What is known of that request, and whom its end is told. */
struct trail *conn_trail(struct conn *conn);
struct observer *conn_observer(const struct conn *conn);

/* Whom the connection is with: a client, or a proxy. */
const struct address *conn_peer(const struct conn *conn);

/* Further header lines of the reply of the request in work, whatever the flow says; copied. */
void conn_set_headers(struct conn *conn, const char *headers);

/* The flow that now works for this connection, and is told when the client goes away; NULL: none, until the next
 * one begins. */
void conn_set_flow(struct conn *conn, struct flow *flow);

/* Queues the reply of the request in work; ends the request. Fills in what follows from the request: date,
 * head_only, keep_alive, more_headers, and close where the caller has not said it. */
void conn_reply(struct conn *conn, struct reply *reply);

/* --- for stream.c --- */

/* As conn_reply, but it is the head alone of a reply that goes on: the connection is the stream's, which is told when
 * the client goes away and when it has read what it was slow to read. What the client still sends is not looked at. */
void conn_stream(struct conn *conn, struct reply *reply, struct stream *stream);

/* The client has closed its side: nobody could tell when it goes away. */
bool conn_has_said_all(const struct conn *conn);

/* True while all that was sent has left: only then there may be more. */
bool conn_stream_ready(const struct conn *conn);

/* Queues an event. */
void conn_stream_send(struct conn *conn, const struct server_event *event);

/* Ends the stream after what was sent, and the connection with it: the stream is told nothing more. */
void conn_stream_end(struct conn *conn);

#endif
