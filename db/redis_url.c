/* Cuts the URL from its left end to its right one: scheme, credentials, host, port, database. */
#include "db/redis_url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PORT_DEFAULT = 6379, PORT_MAX = 65535, DB_MAX = 9999 };

/* Decimal digits alone, up to `max`; at least one. */
static bool read_number(const char *text, size_t len, unsigned max, unsigned *value)
{
	unsigned number = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (unsigned)(text[i] - '0');
	}
	*value = number;
	return number <= max;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool decode(const char *text, size_t len, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			int high = i + 1 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
			if (high < 0 || low < 0 || high + low == 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (used + 1 >= size)
			return false;
		out[used++] = c;
	}
	out[used] = '\0';
	return true;
}

static bool copy(const char *text, size_t len, char *out, size_t size)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

/* [user]:password, or the password's user alone, as redis-cli reads it. */
static const char *read_credentials(const char *text, size_t len, struct redis_url *url)
{
	const char *colon = memchr(text, ':', len);
	size_t user_len = colon ? (size_t)(colon - text) : 0;
	const char *password = colon ? colon + 1 : text;

	if (!decode(text, user_len, url->user, sizeof url->user))
		return "its user is malformed or too long";
	if (!decode(password, len - (size_t)(password - text), url->password, sizeof url->password))
		return "its password is malformed or too long";
	return NULL;
}

/* host[:port]; the host may be an IPv6 address in brackets. */
static const char *read_host(const char *text, size_t len, struct redis_url *url)
{
	const char *host = text, *end = text + len, *host_end, *rest;
	unsigned port;

	if (len > 0 && *text == '[') {
		host = text + 1;
		host_end = memchr(host, ']', len - 1);
		if (!host_end)
			return "the bracket around its host is not closed";
		rest = host_end + 1;
	} else {
		host_end = memchr(text, ':', len);
		if (!host_end)
			host_end = end;
		rest = host_end;
	}
	if (!copy(host, (size_t)(host_end - host), url->host, sizeof url->host))
		return "its host is missing or too long";
	if (rest == end) {
		url->port = PORT_DEFAULT;
		return NULL;
	}
	if (*rest != ':' || !read_number(rest + 1, (size_t)(end - rest - 1), PORT_MAX, &port) ||
		port == 0)
		return "its port is not a number from 1 to 65535";
	url->port = (int)port;
	return NULL;
}

static const char *read_db(const char *text, struct redis_url *url)
{
	return read_number(text, strlen(text), DB_MAX, &url->db) ? NULL
								 : "its database is not a number";
}

static const char *read_tcp(const char *text, struct redis_url *url)
{
	size_t len = strcspn(text, "/");
	const char *db = text + len + (text[len] == '/');
	const char *at = memrchr(text, '@', len), *wrong = NULL;

	url->kind = REDIS_URL_TCP;
	if (at) {
		wrong = read_credentials(text, (size_t)(at - text), url);
		len -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	if (!wrong)
		wrong = read_host(text, len, url);
	if (!wrong && *db != '\0')
		wrong = read_db(db, url);
	return wrong;
}

static const char *read_unix(const char *text, struct redis_url *url)
{
	size_t len = strcspn(text, "?");

	url->kind = REDIS_URL_UNIX;
	if (*text != '/' || !copy(text, len, url->path, sizeof url->path))
		return "its path is not absolute, or longer than 107 bytes";
	if (text[len] == '\0')
		return NULL;
	if (strncmp(text + len, "?db=", 4) != 0)
		return "after the path only ?db=n may come";
	return read_db(text + len + 4, url);
}

bool redis_url_parse(const char *text, struct redis_url *url, char *why, size_t why_size)
{
	const char *wrong;

	*url = (struct redis_url){.kind = REDIS_URL_NONE};
	if (strcmp(text, "none") == 0)
		wrong = NULL;
	else if (strncmp(text, "redis://", 8) == 0)
		wrong = read_tcp(text + 8, url);
	else if (strncmp(text, "unix://", 7) == 0)
		wrong = read_unix(text + 7, url);
	else
		wrong = "it starts with neither redis:// nor unix://, and is not none";
	if (wrong)
		snprintf(why, why_size, "redis.url: %s", wrong);
	return !wrong;
}
