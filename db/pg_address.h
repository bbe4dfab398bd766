/* Looks host names of a connection's target up before libpq could, whose own look-up blocks. */
#ifndef ONSALE_DB_PG_ADDRESS_H
#define ONSALE_DB_PG_ADDRESS_H

#include "proto/base/buf.h"

enum { PG_ADDRESSES_MAX = 16, PG_ADDRESSES_TEXT_MAX = 8 * 1024 };

/* libpq's parallel lists, comma-separated: one element an address. */
struct pg_addresses {
	struct buf hosts, numbers, ports; /* host, hostaddr, port */
	unsigned count;
	bool any_number; /* false: only sockets of this machine, which need no hostaddr */
};

/* hosts as in libpq's `host`, ports as in its `port` (NULL: its default). A host with several addresses
 * becomes several elements. May block. False, with the reason in `why`, where one is unknown; then, too,
 * free with pg_addresses_free. */
bool pg_addresses_find(struct pg_addresses *addresses, const char *hosts, const char *ports,
	char *why, size_t why_size);
void pg_addresses_free(struct pg_addresses *addresses);

#endif
