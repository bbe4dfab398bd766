/* A connection's life:
 *
 *   IDLE -> HEAD -> BODY -> WORK -> (reply written) -> IDLE
 *                              \-> WRITE (the client reads slowly) -> IDLE
 *                              \-> STREAM <-> STUCK (the same, of a stream) -> LINGER
 *   after an error or "Connection: close": -> LINGER -> closed
 *
 * Each state that must end has one deadline of a fixed length, so the connections of a state stand in a
 * list in the order of their deadlines, and a turn looks at the heads alone. A connection is freed at the
 * end of a turn, never inside of its own callback. */
#include "server/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "proto/address.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/event_priority.h"
#include "proto/base/log.h"
#include "proto/base/reserve.h"
#include "proto/cors.h"
#include "proto/event_stream.h"
#include "proto/http.h"
#include "proto/reply.h"
#include "server/app.h"
#include "server/flow.h"
#include "server/observe.h"
#include "server/route.h"
#include "server/stream.h"

enum {
	READ_SIZE = 64 * 1024,
	PIPELINED_MAX = HTTP_HEAD_MAX +
			HTTP_BODY_MAX, /* bytes that wait behind a request in work */
	OUT_MAX = 16 * 1024 * 1024,
	OUT_KEEP = 4 * 1024, /* an emptied output buffer above this size is given back */
	ACCEPTS_A_TURN = 256,
	ACCEPT_AGAIN_US = 200 * 1000, /* after one that could not be had */
	READS_A_TURN = 256, /* the rest waits for the next: a turn stays short */
	MORE_HEADERS_MAX = 4 * 1024,
	BODIES_EVERY_MS = 100,
	LINGER_MS = 1000,
	STREAM_SEND_SIZE = 16 * 1024, /* what the kernel holds of a stream that is not read */
	STREAM_GONE_MS = 30000, /* a client that acknowledges nothing for so long is gone */
	DRAIN_IDLE_MS = 1000, /* at the end: what a client that has just sent something gets */
	FILES_KEPT = 128 /* for the stores' connections, logs and the like */
};

enum conn_state {
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_WORK,
	CONN_WRITE,
	CONN_STREAM,
	CONN_STUCK,
	CONN_LINGER,
	CONN_STATES
};

struct conn {
	struct net *net;
	int fd;
	enum conn_state state;
	struct trail trail; /* of the request at hand */
	uint64_t deadline_ms; /* of the state; none in CONN_WORK and CONN_STREAM */
	bool reading; /* the read event is armed */
	bool writing; /* the write event is armed */
	bool eof; /* the client sends no more */
	bool close_after; /* close once the output is written */
	bool ready; /* stands in the ready list: has a reply to write */
	bool dead; /* stands in the dead list: freed at the end of the turn */
	bool chunked; /* how its stream is sent */
	struct http_parser *parser;
	struct flow *flow; /* the request in work */
	struct stream *stream; /* whose it is, in CONN_STREAM and CONN_STUCK */
	struct address peer;
	char *headers; /* conn_set_headers's, or NULL */
	struct buf in; /* pipelined bytes not parsed yet */
	struct buf out; /* reply bytes not written yet */
	TAILQ_ENTRY(conn) link; /* in its state's list */
	STAILQ_ENTRY(conn) ready_link;
	STAILQ_ENTRY(conn) dead_link;
	struct event read_event, write_event;
};

struct net {
	struct app *app;
	int fd;
	struct event *accept_event;
	struct event *accept_again; /* a timer, while `starved` */
	bool accepting;
	bool starved; /* the last one could not be accepted for want of files or memory */
	unsigned connections, connections_max;
	unsigned in_work;
	unsigned reads; /* in this turn */
	uint64_t bodies_due_ms; /* when the deadlines of bodies are looked at next */
	char *scratch; /* READ_SIZE bytes, for the read at hand */
	TAILQ_HEAD(, conn) lists[CONN_STATES];
	STAILQ_HEAD(, conn) ready, dead;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void conn_input(struct conn *conn, const char *bytes, size_t len);
static void conn_close(struct conn *conn);

/* --- states and deadlines --- */

static int64_t state_limit_ms(const struct settings *settings, enum conn_state state)
{
	switch (state) {
	case CONN_IDLE: return settings->http_idle_timeout_ms;
	case CONN_HEAD: return settings->http_head_timeout_ms;
	case CONN_BODY: return settings->http_body_timeout_ms;
	case CONN_WRITE:
	case CONN_STUCK: return settings->http_write_timeout_ms;
	case CONN_LINGER: return LINGER_MS;
	case CONN_WORK:
	case CONN_STREAM:
	case CONN_STATES: break;
	}
	return 0;
}

/* Head and body count from the request's first byte, the others from now. A body's list is entered in the
 * order in which heads end, not in which requests began: its deadlines may be out of order by at most the
 * head's limit, and so late by no more than that; expire() therefore looks at the whole of it. */
static void conn_set_state(struct conn *conn, enum conn_state state)
{
	struct net *net = conn->net;

	if (conn->state == state && state != CONN_WRITE)
		return;
	TAILQ_REMOVE(&net->lists[conn->state], conn, link);
	net->in_work -= conn->state == CONN_WORK;
	net->in_work += state == CONN_WORK;
	conn->state = state;
	TAILQ_INSERT_TAIL(&net->lists[state], conn, link);
	uint64_t from = state == CONN_BODY ? conn->trail.begun_us / 1000 : clock_mono_ms();
	conn->deadline_ms = from + (uint64_t)state_limit_ms(&net->app->settings, state);
}

static unsigned expire(struct net *net, enum conn_state state, bool in_order)
{
	uint64_t now = clock_mono_ms();
	struct conn *conn, *next;
	unsigned closed = 0;

	for (conn = TAILQ_FIRST(&net->lists[state]); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->deadline_ms <= now) {
			conn_close(conn);
			closed++;
		} else if (in_order) {
			break;
		}
	}
	return closed;
}

/* All are looked at, so not in every turn. */
static void expire_bodies(struct net *net)
{
	uint64_t now = clock_mono_ms();

	if (now < net->bodies_due_ms)
		return;
	net->bodies_due_ms = now + BODIES_EVERY_MS;
	expire(net, CONN_BODY, false);
}

/* --- opening and closing --- */

static void set_reading(struct conn *conn, bool on)
{
	if (on == conn->reading)
		return;
	conn->reading = on;
	if (on)
		event_add(&conn->read_event, NULL);
	else
		event_del(&conn->read_event);
}

static void set_writing(struct conn *conn, bool on)
{
	if (on == conn->writing)
		return;
	conn->writing = on;
	if (on)
		event_add(&conn->write_event, NULL);
	else
		event_del(&conn->write_event);
}

/* Has something to write, at the end of the turn. */
static void set_ready(struct conn *conn)
{
	if (conn->ready)
		return;
	conn->ready = true;
	STAILQ_INSERT_TAIL(&conn->net->ready, conn, ready_link);
}

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static struct conn *conn_new(struct net *net, int fd, const union socket_address *peer)
{
	struct conn *conn = calloc(1, sizeof *conn);
	struct http_parser *parser = http_parser_new();

	if (conn == NULL || parser == NULL) {
		free(conn);
		if (parser != NULL)
			http_parser_free(parser);
		return NULL;
	}
	*conn = (struct conn){.net = net, .fd = fd, .parser = parser, .state = CONN_IDLE};
	conn->peer = peer->any.sa_family == AF_INET6 ? address_from_v6(&peer->v6.sin6_addr)
						     : address_from_v4(&peer->v4.sin_addr);
	conn->in = BUF_INIT(PIPELINED_MAX);
	conn->out = BUF_INIT(OUT_MAX);
	conn->deadline_ms = clock_mono_ms() + (uint64_t)net->app->settings.http_idle_timeout_ms;
	TAILQ_INSERT_TAIL(&net->lists[CONN_IDLE], conn, link);
	/* Edge-triggered: of a crowd each is reported once, not again with every turn until it is read. */
	event_assign(&conn->read_event, net->app->base, fd,
		EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_readable, conn);
	event_assign(&conn->write_event, net->app->base, fd, EV_WRITE | EV_ET | EV_PERSIST,
		on_writable, conn);
	CHECK(event_priority_set(&conn->read_event, EVENT_CLIENTS) == 0);
	set_reading(conn, true);
	net->connections++;
	return conn;
}

static void set_accepting(struct net *net, bool on)
{
	if (on == net->accepting || net->accept_event == NULL)
		return;
	net->accepting = on;
	if (on)
		event_add(net->accept_event, NULL);
	else
		event_del(net->accept_event);
}

/* The client is gone, or has to go. What it asked for still finishes, without it. */
static void conn_close(struct conn *conn)
{
	struct net *net = conn->net;

	if (conn->dead)
		return;
	conn->dead = true;
	if (conn->flow != NULL) {
		net->app->counters.clients_gone++;
		flow_lose_client(conn->flow);
		conn->flow = NULL;
	}
	if (conn->stream != NULL)
		stream_lose_client(conn->stream);
	conn->stream = NULL;
	set_reading(conn, false);
	set_writing(conn, false);
	STAILQ_INSERT_TAIL(&net->dead, conn, dead_link);
}

static void conn_free(struct conn *conn)
{
	struct net *net = conn->net;

	TAILQ_REMOVE(&net->lists[conn->state], conn, link);
	net->in_work -= conn->state == CONN_WORK;
	if (conn->ready)
		STAILQ_REMOVE(&net->ready, conn, conn, ready_link);
	close(conn->fd);
	http_parser_free(conn->parser);
	buf_free(&conn->in);
	buf_free(&conn->out);
	free(conn->headers);
	free(conn);
	net->connections--;
	if (!net->app->draining && !net->starved)
		set_accepting(net, true);
}

/* Says that no more comes, and reads what the client still sends for a moment: closing a socket with
 * unread bytes would reset it and could destroy the reply on its way. */
static void conn_linger(struct conn *conn)
{
	shutdown(conn->fd, SHUT_WR);
	if (conn->eof) {
		conn_close(conn);
		return;
	}
	buf_free(&conn->in);
	conn_set_state(conn, CONN_LINGER);
	set_reading(conn, true);
}

/* Neither files nor memory come back by being asked for at once, nor do they always by one of our own
 * connections' end: others may have used them up. */
static void starve(struct net *net, int error)
{
	struct timeval wait = {.tv_usec = ACCEPT_AGAIN_US};

	if (!net->starved)
		log_warn("accept: %s; who is connected is served, others wait", strerror(error));
	net->starved = true;
	set_accepting(net, false);
	event_add(net->accept_again, &wait);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct net *net = arg;
	(void)fd;
	(void)what;

	if (!net->app->draining)
		set_accepting(net, true);
}

/* Takes the next connection of the listener's queue. False where there is none, or none can be had. */
static bool accept_one(struct net *net)
{
	union socket_address peer = {.v6 = {0}};
	socklen_t len = sizeof peer;
	int on = 1;

	if (net->connections >= net->connections_max) {
		set_accepting(net, false);
		return false;
	}
	int client = accept4(net->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client < 0 && (errno == ECONNABORTED || errno == EINTR))
		return true;
	if (client < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			starve(net, errno);
		return false;
	}
	if (net->starved)
		log_info("accept: connections can be had again");
	net->starved = false;
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (conn_new(net, client, &peer) == NULL)
		close(client);
	return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;

	for (int i = 0; i < ACCEPTS_A_TURN; i++)
		if (!accept_one(arg))
			return;
}

/* --- reading --- */

/* What is behind a request in work waits here, up to a limit, and the rest in the socket. */
static size_t read_room(const struct conn *conn)
{
	bool waits = conn->state == CONN_WORK || conn->state == CONN_WRITE;

	return waits && READ_SIZE > PIPELINED_MAX - conn->in.len ? PIPELINED_MAX - conn->in.len
								 : READ_SIZE;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	struct net *net = conn->net;

	if (++net->reads >= READS_A_TURN)
		event_base_loopbreak(net->app->base);
	size_t room = read_room(conn);
	if (room == 0) {
		set_reading(conn, false);
		return;
	}
	ssize_t got = read((int)fd, net->scratch, room);
	if (got < 0) {
		if (errno == EINTR)
			event_active(&conn->read_event, what, 0);
		else if (errno != EAGAIN)
			conn_close(conn);
		return;
	}
	if ((size_t)got == room || (got > 0 && (what & EV_CLOSED) != 0))
		event_active(&conn->read_event, what, 0); /* there is more, or the end */
	if (got == 0) {
		/* A client may close its sending side and still wait for the reply. */
		conn->eof = true;
		set_reading(conn, false);
		if (conn->state != CONN_WORK && conn->state != CONN_WRITE && !conn->ready)
			conn_close(conn);
		return;
	}
	if (conn->state == CONN_LINGER || conn->stream != NULL)
		return;
	if (conn->state == CONN_IDLE && reserve_below_half()) {
		conn_close(conn); /* what is left is for those in work */
		return;
	}
	if (conn->state == CONN_WORK || conn->state == CONN_WRITE) {
		buf_append(&conn->in, net->scratch, (size_t)got);
		if (conn->in.failed)
			conn_close(conn);
		return;
	}
	conn_input(conn, net->scratch, (size_t)got);
}

static void conn_refuse(struct conn *conn, enum http_parse how)
{
	static const enum problem problems[] = {
		[HTTP_BAD] = PROBLEM_BAD_REQUEST,
		[HTTP_HEAD_TOO_LARGE] = PROBLEM_HEAD_TOO_LARGE,
		[HTTP_BODY_TOO_LARGE] = PROBLEM_BODY_TOO_LARGE,
		[HTTP_BAD_VERSION] = PROBLEM_BAD_VERSION,
	};
	char id[REQUEST_ID_SIZE];

	conn_set_state(conn, CONN_WORK);
	trail_routed(&conn->trail, ROUTE_INVALID);
	request_id_make(http_header(conn->parser, "x-request-id"), id);
	request_fail(conn, id, true, problems[how], NULL);
}

/* Parses, and starts one request after the other, as long as each is answered on the spot; what comes
 * behind a request in work is kept. */
static void conn_input(struct conn *conn, const char *bytes, size_t len)
{
	while (len > 0 && !conn->dead && conn->state != CONN_WORK && conn->stream == NULL &&
		!conn->close_after) {
		size_t taken = 0;

		if (conn->state == CONN_IDLE)
			trail_begin(&conn->trail);
		enum http_parse how = http_parser_feed(conn->parser, bytes, len, &taken);

		bytes += taken;
		len -= taken;
		if (conn->state == CONN_IDLE && http_parser_begun(conn->parser))
			conn_set_state(conn, CONN_HEAD);
		if (how == HTTP_WHOLE) {
			conn_set_state(conn, CONN_WORK);
			route_request(conn->net->app, conn, conn->parser);
			continue;
		}
		if (how != HTTP_MORE) {
			conn_refuse(conn, how);
			return;
		}
		if (conn->state == CONN_HEAD && http_parser_in_body(conn->parser))
			conn_set_state(conn, CONN_BODY);
		if (http_parser_wants_continue(conn->parser)) {
			buf_append_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
			set_ready(conn);
		}
	}
	if (len > 0 && !conn->dead && !conn->close_after) {
		buf_append(&conn->in, bytes, len);
		if (conn->in.failed)
			conn_close(conn);
	}
}

/* --- replying --- */

struct http_parser *conn_parser(const struct conn *conn)
{
	return conn->parser;
}

struct trail *conn_trail(struct conn *conn)
{
	return &conn->trail;
}

struct observer *conn_observer(const struct conn *conn)
{
	return conn->net->app->observer;
}

const struct address *conn_peer(const struct conn *conn)
{
	return &conn->peer;
}

void conn_set_headers(struct conn *conn, const char *headers)
{
	free(conn->headers);
	conn->headers = must_strdup(headers);
}

void conn_set_flow(struct conn *conn, struct flow *flow)
{
	CHECK((conn->flow == NULL || flow == NULL) && conn->state == CONN_WORK);
	conn->flow = flow;
}

/* The lines that hang on the request and not on what is replied; mostly there are none. */
static void write_more_headers(const struct conn *conn, struct buf *more)
{
	const char *origins = conn->net->app->settings.http_cors_origins;

	if (conn->headers != NULL)
		buf_append_text(more, conn->headers);
	if (*origins != '\0')
		cors_write(more, origins, http_header(conn->parser, "origin"));
}

/* The request is answered, or at least the head of its reply is written. */
static void write_reply(struct conn *conn, struct reply *reply)
{
	struct net *net = conn->net;
	struct buf more = BUF_INIT(MORE_HEADERS_MAX);

	CHECK(conn->state == CONN_WORK && !conn->dead);
	if (!reply->close) { /* else the request may be none */
		const struct http_request *http = http_parser_request(conn->parser);

		reply->head_only = http->method == HTTP_HEAD;
		reply->close = !http->keep_alive || net->app->draining || conn->stream != NULL;
		reply->keep_alive = http->http_1_0;
		write_more_headers(conn, &more);
		reply->more_headers = more.data;
	}
	reply->date = clock_http_date();
	reply_write(&conn->out, reply);
	buf_free(&more);
	free(conn->headers);
	conn->headers = NULL;
	conn->close_after = reply->close || conn->out.failed;
	conn->flow = NULL;
	http_parser_next(conn->parser);
	set_ready(conn);
}

void conn_reply(struct conn *conn, struct reply *reply)
{
	write_reply(conn, reply);
	conn_set_state(conn, CONN_IDLE);
}

/* Little is kept for a client that reads slowly: the newest of what it has missed is worth more than the rest. One
 * that is silently gone would be taken for one that waits. */
static void limit_stream(const struct conn *conn)
{
	int size = STREAM_SEND_SIZE;
	unsigned gone_ms = STREAM_GONE_MS;

	setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(conn->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone_ms, sizeof gone_ms);
}

void conn_stream(struct conn *conn, struct reply *reply, struct stream *stream)
{
	conn->chunked = !http_parser_request(conn->parser)->http_1_0;
	conn->stream = stream;
	reply->streamed = true;
	reply->chunked = conn->chunked;
	write_reply(conn, reply);
	conn->close_after = conn->out.failed;
	conn_set_state(conn, CONN_STREAM);
	buf_free(&conn->in);
	if (!conn->eof)
		set_reading(conn, true);
	limit_stream(conn);
}

bool conn_has_said_all(const struct conn *conn)
{
	return conn->eof;
}

bool conn_stream_ready(const struct conn *conn)
{
	return conn->out.len == 0 && !conn->close_after;
}

void conn_stream_send(struct conn *conn, const struct server_event *event)
{
	server_event_write(&conn->out, event, conn->chunked);
	conn->close_after = conn->out.failed;
	set_ready(conn);
}

void conn_stream_end(struct conn *conn)
{
	server_event_write_end(&conn->out, conn->chunked);
	conn->stream = NULL;
	conn->close_after = true;
	conn_set_state(conn, CONN_IDLE);
	set_ready(conn);
}

/* Writes what is there. False: the rest has to wait until the client reads, or it is gone. */
static bool conn_flush(struct conn *conn)
{
	while (conn->out.len > 0) {
		ssize_t put = send(conn->fd, conn->out.data, conn->out.len, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EAGAIN) {
			conn_close(conn);
			return false;
		}
		if (put < 0) {
			/* Only a finished reply is waited for here; a request in work has no deadline. */
			if (conn->state == CONN_IDLE)
				conn_set_state(conn, CONN_WRITE);
			else if (conn->state == CONN_STREAM)
				conn_set_state(conn, CONN_STUCK);
			set_writing(conn, true);
			return false;
		}
		buf_drop(&conn->out, (size_t)put);
	}
	set_writing(conn, false);
	if (conn->out.cap > OUT_KEEP || conn->state == CONN_IDLE || conn->stream != NULL)
		buf_free(&conn->out);
	return true;
}

/* The output is written: close, or go on with what was pipelined. True where that started new work. */
static bool conn_go_on(struct conn *conn)
{
	if (conn->close_after) {
		conn_linger(conn);
		return false;
	}
	if (conn->state == CONN_WRITE)
		conn_set_state(conn, CONN_IDLE);
	if (conn->state == CONN_STUCK) {
		conn_set_state(conn, CONN_STREAM);
		stream_client_reads(conn->stream);
	}
	if (conn->state != CONN_IDLE)
		return false;
	if (conn->in.len > 0) {
		struct buf in = conn->in;

		conn->in = BUF_INIT(PIPELINED_MAX);
		conn_input(conn, in.data, in.len);
		buf_free(&in);
	}
	if (!conn->eof)
		set_reading(conn, conn->in.len < PIPELINED_MAX / 2);
	else if (conn->state != CONN_WORK && !conn->ready)
		conn_close(conn); /* what it still wanted to say never came */
	return conn->state == CONN_WORK;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	(void)fd;
	(void)what;

	if (!conn->dead)
		set_ready(conn);
}

bool net_turn(struct net *net)
{
	bool again = false;
	STAILQ_HEAD(, conn) now = STAILQ_HEAD_INITIALIZER(now);
	struct conn *conn;

	net->reads = 0;
	STAILQ_CONCAT(&now, &net->ready);
	while ((conn = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, ready_link);
		conn->ready = false;
		if (!conn->dead && conn_flush(conn))
			again = conn_go_on(conn) || again;
	}
	expire(net, CONN_IDLE, true);
	expire(net, CONN_HEAD, true);
	expire_bodies(net);
	expire(net, CONN_WRITE, true);
	net->app->counters.streams_cut += expire(net, CONN_STUCK, true);
	expire(net, CONN_LINGER, true);
	while ((conn = STAILQ_FIRST(&net->dead)) != NULL) {
		STAILQ_REMOVE_HEAD(&net->dead, dead_link);
		conn_free(conn);
	}
	return again || !STAILQ_EMPTY(&net->ready);
}

/* --- the listener --- */

static int listener_open(const struct settings *settings, char *why, size_t why_size)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
	socklen_t len = sizeof *v4;
	int on = 1;

	if (inet_pton(AF_INET, settings->http_address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)settings->http_port);
	} else if (inet_pton(AF_INET6, settings->http_address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)settings->http_port);
		len = sizeof *v6;
	} else {
		snprintf(why, why_size, "http.address: '%s' is not an IP address",
			settings->http_address);
		return -1;
	}
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
		(settings->http_share_port &&
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
		bind(fd, (struct sockaddr *)&address, len) != 0) {
		snprintf(why, why_size, "cannot listen on %s:%lld: %s", settings->http_address,
			(long long)settings->http_port, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static unsigned listener_port(int fd)
{
	union socket_address address = {.v6 = {0}};
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return ntohs(
		address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Below the limit of open files: a connection that cannot be accepted would spin the loop. */
static unsigned connections_limit(const struct settings *settings)
{
	int64_t wanted = settings->http_connections_max;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return (unsigned)wanted;
	int64_t possible = (int64_t)files.rlim_cur - settings->db_lanes - FILES_KEPT;
	if (possible < 1)
		possible = 1;
	if (wanted > possible)
		log_warn("http.connections_max: %lld, since only %llu files may be open",
			(long long)possible, (unsigned long long)files.rlim_cur);
	return (unsigned)(wanted < possible ? wanted : possible);
}

struct net *net_new(struct app *app, char *why, size_t why_size)
{
	int fd = listener_open(&app->settings, why, why_size);
	if (fd < 0)
		return NULL;
	struct net *net = must_calloc(1, sizeof *net);

	*net = (struct net){.app = app,
		.fd = fd,
		.accept_again = evtimer_new(app->base, on_accept_again, net),
		.scratch = must_malloc(READ_SIZE),
		.connections_max = connections_limit(&app->settings)};
	CHECK(net->accept_again != NULL);
	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_INIT(&net->lists[i]);
	STAILQ_INIT(&net->ready);
	STAILQ_INIT(&net->dead);
	return net;
}

bool net_listen(struct net *net)
{
	if (net->accept_event != NULL)
		return true;
	if (listen(net->fd, SOMAXCONN) != 0) {
		log_error("listen: %s", strerror(errno));
		return false;
	}
	net->accept_event = event_new(
		net->app->base, net->fd, EV_READ | EV_PERSIST, on_acceptable, net);
	CHECK(net->accept_event != NULL);
	set_accepting(net, true);
	log_info("listening on %s:%u", net->app->settings.http_address, listener_port(net->fd));
	return true;
}

static void listener_close(struct net *net)
{
	if (net->fd < 0)
		return;
	if (net->accept_event != NULL)
		event_free(net->accept_event);
	net->accept_event = NULL;
	close(net->fd);
	net->fd = -1;
}

/* Their clients come again by themselves, and find another instance. */
static void end_streams(struct net *net)
{
	static const enum conn_state states[] = {CONN_STREAM, CONN_STUCK};

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct conn *conn, *next;

		for (conn = TAILQ_FIRST(&net->lists[states[i]]); conn != NULL; conn = next) {
			next = TAILQ_NEXT(conn, link);
			if (conn->stream != NULL)
				stream_end(conn->stream, NULL);
		}
	}
}

/* Whoever stands in the listener's queue has been promised an answer by the kernel, and a request may be on
 * its way on any connection that idles: those get one more reply, and are closed after it. */
void net_drain(struct net *net)
{
	struct conn *conn;
	uint64_t end_ms = clock_mono_ms() + DRAIN_IDLE_MS;

	while (net->accept_event != NULL && accept_one(net))
		;
	listener_close(net);
	TAILQ_FOREACH (conn, &net->lists[CONN_IDLE], link)
		if (conn->deadline_ms > end_ms)
			conn->deadline_ms = end_ms;
	end_streams(net);
}

unsigned net_connections(const struct net *net)
{
	return net->connections;
}

unsigned net_connections_max(const struct net *net)
{
	return net->connections_max;
}

void net_free(struct net *net)
{
	struct conn *conn;

	listener_close(net);
	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_FOREACH (conn, &net->lists[i], link)
			conn_close(conn);
	while ((conn = STAILQ_FIRST(&net->dead)) != NULL) {
		STAILQ_REMOVE_HEAD(&net->dead, dead_link);
		conn_free(conn);
	}
	event_free(net->accept_again);
	free(net->scratch);
	free(net);
}
