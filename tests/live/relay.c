/* The ways and the faults are the proxy's (tests/support/proxy.h); here are PostgreSQL's urls. */
#include "tests/live/relay.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "tests/support/proxy.h"

struct relay {
	struct proxy *proxy;
	struct proxy_counts counts;
	char login[RELAY_URL_SIZE / 2]; /* the rest of a url */
	struct sockaddr_un socket;
	char dir[64];
	unsigned port;
};

static socklen_t target_find(struct sockaddr_storage *target, const char *host, const char *port)
{
	*target = (struct sockaddr_storage){0};
	if (*host == '/') {
		struct sockaddr_un *address = (struct sockaddr_un *)target;
		address->sun_family = AF_UNIX;
		snprintf(address->sun_path, sizeof address->sun_path, "%s/.s.PGSQL.%s", host, port);
		return sizeof *address;
	}
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	cr_assert_eq(getaddrinfo(host, port, &hints, &found), 0);
	socklen_t len = found->ai_addrlen;
	memcpy(target, found->ai_addr, len);
	freeaddrinfo(found);
	return len;
}

struct relay *relay_new(struct event_base *base, const char *target)
{
	struct relay *relay = must_calloc(1, sizeof *relay);
	struct sockaddr_storage address;
	PGconn *conn = PQconnectdb(target);
	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	socklen_t len = target_find(&address, PQhost(conn), PQport(conn));
	relay->proxy = proxy_new(base, (struct sockaddr *)&address, len, &relay->counts);
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
	proxy_free(relay->proxy);
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

void relay_listen(struct relay *relay)
{
	proxy_listen(relay->proxy, (const struct sockaddr *)&relay->socket, sizeof relay->socket);
}

void relay_listen_tcp(struct relay *relay)
{
	relay->port = proxy_listen_tcp(relay->proxy);
}

/* What was lost before stays lost: a relay that is no longer mute was cut before. */
void relay_mute(struct relay *relay, bool mute)
{
	proxy_set(relay->proxy, mute ? PROXY_MUTES : PROXY_PASSES, 0);
}

void relay_cut(struct relay *relay)
{
	proxy_cut(relay->proxy);
}

unsigned relay_accepted(const struct relay *relay)
{
	return relay->counts.accepted;
}
