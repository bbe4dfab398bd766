/* How often somebody may do something: token buckets, one for each client address and each person. A bucket holds
 * a minute's worth and fills evenly. They are kept in the process (each instance counts for itself), in a table
 * of a fixed size, out of which the one that was not touched for the longest goes.
 *
 * Clients are told by the header fields of draft-ietf-httpapi-ratelimit-headers-10, on every reply of a limited
 * call: RateLimit-Policy says the quota (q) and its window in seconds (w), RateLimit what is left (r) and in how
 * many seconds (t) the quota is whole again. A 429 says in Retry-After when the next try has a chance. */
#ifndef ONSALE_SERVER_LIMITS_H
#define ONSALE_SERVER_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;
struct limits;
struct settings;

/* The columns of the route table. */
enum limit { LIMIT_NONE, LIMIT_LOGIN, LIMIT_SIGNUP, LIMIT_JOIN, LIMIT_HOLD, LIMITS };

enum { LIMITS_BUCKETS_MAX = 65536, LIMIT_HEADERS_SIZE = 128 };

/* Whose bucket: made by one of the three below. */
struct limit_key {
	unsigned char bytes[18];
};
struct limit_key limit_key_address(enum limit limit, const struct address *address);
struct limit_key limit_key_person(enum limit limit, int64_t user_id);
struct limit_key limit_key_text(enum limit limit, const char *text); /* case does not count */

struct limit_state {
	int64_t quota; /* a minute */
	int64_t remaining, whole_s; /* of the bucket that has the least left */
	int64_t retry_s; /* where it was refused */
};

struct limits *limits_new(const struct settings *settings, size_t buckets_max);
void limits_free(struct limits *limits);

/* There is such a limit. */
bool limits_on(const struct limits *limits, enum limit limit);
size_t limits_buckets(const struct limits *limits);

/* Takes a token out of each bucket; where one has none, out of none, and says false. */
bool limits_take(struct limits *limits, enum limit limit, const struct limit_key *keys,
	size_t count, uint64_t now_ms, struct limit_state *state);

/* The header lines that tell the client. */
void limit_headers(enum limit limit, const struct limit_state *state, bool refused,
	char headers[LIMIT_HEADERS_SIZE]);

#endif
