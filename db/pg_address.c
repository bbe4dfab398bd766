/* Host names of a connection's target -> numeric addresses, once, at the start. Elements that start with
 * '/' or '@' are directories of Unix sockets and stay as they are; so do empty ones (libpq's default). */
#include "db/pg_address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct reason {
	char *text;
	size_t size;
};

static bool add(struct pg_addresses *addresses, const char *host, const char *number,
	const char *port, const struct reason *why)
{
	if (addresses->count == PG_ADDRESSES_MAX) {
		snprintf(why->text, why->size, "more than %d addresses", PG_ADDRESSES_MAX);
		return false;
	}
	const char *comma = addresses->count++ ? "," : "";
	buf_printf(&addresses->hosts, "%s%s", comma, host);
	buf_printf(&addresses->numbers, "%s%s", comma, number);
	buf_printf(&addresses->ports, "%s%s", comma, port);
	if (*number)
		addresses->any_number = true;
	return true;
}

static bool look_up(struct pg_addresses *addresses, const char *host, const char *port,
	const struct reason *why)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
	int error = getaddrinfo(host, NULL, &hints, &found);
	if (error) {
		snprintf(why->text, why->size, "host %s: %s", host, gai_strerror(error));
		return false;
	}
	bool room = true;
	for (const struct addrinfo *at = found; at && room; at = at->ai_next) {
		char number[NI_MAXHOST];
		if (!getnameinfo(at->ai_addr, at->ai_addrlen, number, sizeof number, NULL, 0,
			    NI_NUMERICHOST))
			room = add(addresses, host, number, port, why);
	}
	freeaddrinfo(found);
	return room;
}

static unsigned elements_of(const char *list)
{
	unsigned count = 1;
	for (; *list; list++)
		count += *list == ',';
	return count;
}

bool pg_addresses_find(struct pg_addresses *addresses, const char *hosts, const char *ports,
	char *why, size_t why_size)
{
	memset(addresses, 0, sizeof *addresses);
	addresses->hosts = addresses->numbers = addresses->ports = BUF_INIT(PG_ADDRESSES_TEXT_MAX);
	if (!ports)
		ports = "";
	unsigned port_count = elements_of(ports);
	if (port_count != 1 && port_count != elements_of(hosts)) {
		snprintf(why, why_size, "%u ports for %u hosts", port_count, elements_of(hosts));
		return false;
	}
	char *hosts_copy = must_strdup(hosts), *ports_copy = must_strdup(ports);
	char *hosts_left = hosts_copy, *ports_left = ports_copy, *host;
	const char *port = strsep(&ports_left, ",");
	const struct reason reason = {why, why_size};
	bool found = true;
	while (found && (host = strsep(&hosts_left, ","))) {
		if (*host == '/' || *host == '@' || !*host)
			found = add(addresses, host, "", port, &reason);
		else
			found = look_up(addresses, host, port, &reason);
		if (ports_left)
			port = strsep(&ports_left, ",");
	}
	free(hosts_copy);
	free(ports_copy);
	if (found && (addresses->hosts.failed || addresses->numbers.failed)) {
		snprintf(why, why_size, "the list of hosts is too long");
		found = false;
	}
	return found;
}

void pg_addresses_free(struct pg_addresses *addresses)
{
	buf_free(&addresses->hosts);
	buf_free(&addresses->numbers);
	buf_free(&addresses->ports);
}
