/* Addresses of clients and of the proxies in front of us. One form for both kinds: an IPv4 address is kept as
 * IPv6 has it mapped (::ffff:a.b.c.d). Pure: texts and bytes, no sockets. */
#ifndef ONSALE_PROTO_ADDRESS_H
#define ONSALE_PROTO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

struct address {
	unsigned char bytes[16];
};

/* From the bytes in network order: 4 or 16. */
struct address address_from_v4(const void *bytes);
struct address address_from_v6(const void *bytes);

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; a port behind it (":80", or "]:80") is dropped. */
bool address_parse(const char *text, size_t len, struct address *address);

/* "192.0.2.1", "2001:db8::1"; returns text. */
enum { ADDRESS_TEXT_SIZE = 46 };
const char *address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

/* The part that stands for one client: all of an IPv4 address, and the /64 of an IPv6 one, which a client has to
 * itself and may change addresses in as it likes. */
struct address address_client_part(const struct address *address);

enum { NETWORKS_MAX = 64 };

struct networks {
	struct {
		struct address address;
		unsigned bits; /* of the mapped form: 96 and more for IPv4 */
	} list[NETWORKS_MAX];
	size_t count;
};

/* "10.0.0.0/8, 192.0.2.7, ::1": false where an element is none, or there are too many. */
bool networks_parse(const char *text, struct networks *networks);
bool networks_have(const struct networks *networks, const struct address *address);

/* Who the client is: the peer; or, where the peer is a trusted proxy, the last address of X-Forwarded-For (NULL:
 * none was sent) that is not one too. What stands before it was written by nobody we trust. */
struct address forwarded_client(
	const struct networks *trusted, const struct address *peer, const char *x_forwarded_for);

#endif
