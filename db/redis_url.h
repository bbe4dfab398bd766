/* Where Redis is, as the setting redis.url says it. Pure: nothing is looked up here.
 *
 *   none
 *   redis://[[user]:password@]host[:port][/db]     user and password percent-encoded; [::1] for IPv6
 *   unix:///path[?db=n] */
#ifndef ONSALE_DB_REDIS_URL_H
#define ONSALE_DB_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

enum redis_url_kind { REDIS_URL_NONE, REDIS_URL_TCP, REDIS_URL_UNIX };

struct redis_url {
	enum redis_url_kind kind;
	char user[128], password[512]; /* decoded; "" where there is none */
	char host[256];
	int port; /* 6379 where none is given */
	char path[108]; /* of the socket; what sockaddr_un can hold */
	unsigned db;
};

/* False, with the reason in `why` (which never quotes the password), where it is none of the above. */
bool redis_url_parse(const char *text, struct redis_url *url, char *why, size_t why_size);

#endif
