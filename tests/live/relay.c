/* Each client's bytes go to a connection of its own to the server and back. */
#include "tests/live/relay.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <unistd.h>
#include "proto/base/check.h"

struct link {
	LIST_ENTRY(link) entry;
	struct relay *relay;
	struct bufferevent *client, *server;
};

LIST_HEAD(link_list, link);

struct relay {
	struct event_base *base;
	struct sockaddr_storage target;
	int target_len;
	char login[RELAY_URL_SIZE / 2]; /* the rest of a url */
	struct sockaddr_un socket;
	char dir[64];
	struct evconnlistener *listener;
	unsigned port;
	unsigned accepted;
	bool mute;
	struct link_list links;
};

static void target_set(struct relay *relay, const char *host, const char *port)
{
	if (*host == '/') {
		struct sockaddr_un *address = (struct sockaddr_un *)&relay->target;
		address->sun_family = AF_UNIX;
		snprintf(address->sun_path, sizeof address->sun_path, "%s/.s.PGSQL.%s", host, port);
		relay->target_len = sizeof *address;
		return;
	}
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	cr_assert_eq(getaddrinfo(host, port, &hints, &found), 0);
	memcpy(&relay->target, found->ai_addr, found->ai_addrlen);
	relay->target_len = (int)found->ai_addrlen;
	freeaddrinfo(found);
}

struct relay *relay_new(struct event_base *base, const char *target)
{
	struct relay *relay = must_calloc(1, sizeof *relay);
	relay->base = base;
	LIST_INIT(&relay->links);
	PGconn *conn = PQconnectdb(target);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	target_set(relay, PQhost(conn), PQport(conn));
	snprintf(relay->login, sizeof relay->login, "user='%s' dbname='%s' password='%s'",
		PQuser(conn), PQdb(conn), PQpass(conn) ? PQpass(conn) : "");
	PQfinish(conn);
	snprintf(relay->dir, sizeof relay->dir, "/tmp/relay-XXXXXX");
	cr_assert(mkdtemp(relay->dir));
	relay->socket.sun_family = AF_UNIX;
	snprintf(relay->socket.sun_path, sizeof relay->socket.sun_path, "%s/.s.PGSQL.5432",
		relay->dir);
	return relay;
}

void relay_free(struct relay *relay)
{
	relay_cut(relay);
	if (relay->listener)
		evconnlistener_free(relay->listener);
	unlink(relay->socket.sun_path);
	rmdir(relay->dir);
	free(relay);
}

void relay_url(const struct relay *relay, char url[RELAY_URL_SIZE])
{
	snprintf(url, RELAY_URL_SIZE, "host='%s' port=5432 %s", relay->dir, relay->login);
}

void relay_tcp_url(const struct relay *relay, char url[RELAY_URL_SIZE])
{
	snprintf(url, RELAY_URL_SIZE, "host=localhost port=%u sslmode=disable %s", relay->port,
		relay->login);
}

static void link_free(struct link *link)
{
	LIST_REMOVE(link, entry);
	bufferevent_free(link->client);
	bufferevent_free(link->server);
	free(link);
}

static void from_client(struct bufferevent *client, void *arg)
{
	struct link *link = arg;
	bufferevent_write_buffer(link->server, bufferevent_get_input(client));
}

static void from_server(struct bufferevent *server, void *arg)
{
	struct link *link = arg;
	struct evbuffer *bytes = bufferevent_get_input(server);
	if (link->relay->mute)
		evbuffer_drain(bytes, evbuffer_get_length(bytes));
	else
		bufferevent_write_buffer(link->client, bytes);
}

static void link_event(UNUSED struct bufferevent *side, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		link_free(arg);
}

static void accepted(UNUSED struct evconnlistener *listener, evutil_socket_t fd,
	UNUSED struct sockaddr *address, UNUSED int len, void *arg)
{
	struct relay *relay = arg;
	struct link *link = must_calloc(1, sizeof *link);
	link->relay = relay;
	relay->accepted++;
	link->client = bufferevent_socket_new(relay->base, fd, BEV_OPT_CLOSE_ON_FREE);
	link->server = bufferevent_socket_new(relay->base, -1, BEV_OPT_CLOSE_ON_FREE);
	cr_assert(link->client && link->server);
	LIST_INSERT_HEAD(&relay->links, link, entry);
	bufferevent_setcb(link->client, from_client, NULL, link_event, link);
	bufferevent_setcb(link->server, from_server, NULL, link_event, link);
	bufferevent_enable(link->client, EV_READ | EV_WRITE);
	bufferevent_enable(link->server, EV_READ | EV_WRITE);
	cr_assert_eq(bufferevent_socket_connect(
			     link->server, (struct sockaddr *)&relay->target, relay->target_len),
		0);
}

static void listen_at(struct relay *relay, const struct sockaddr *address, int len)
{
	relay->listener = evconnlistener_new_bind(
		relay->base, accepted, relay, LEV_OPT_CLOSE_ON_FREE, -1, address, len);
	cr_assert(relay->listener);
}

void relay_listen(struct relay *relay)
{
	listen_at(relay, (const struct sockaddr *)&relay->socket, sizeof relay->socket);
}

void relay_listen_tcp(struct relay *relay)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	listen_at(relay, (struct sockaddr *)&address, sizeof address);
	evutil_socket_t fd = evconnlistener_get_fd(relay->listener);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	relay->port = ntohs(address.sin_port);
}

void relay_mute(struct relay *relay, bool mute)
{
	relay->mute = mute;
}

void relay_cut(struct relay *relay)
{
	struct link *link = LIST_FIRST(&relay->links);
	while (link) {
		struct link *next = LIST_NEXT(link, entry);
		link_free(link);
		link = next;
	}
}

unsigned relay_accepted(const struct relay *relay)
{
	return relay->accepted;
}
