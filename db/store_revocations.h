/* Access tokens that were logged out, kept until they expire by themselves. */
#ifndef ONSALE_DB_STORE_REVOCATIONS_H
#define ONSALE_DB_STORE_REVOCATIONS_H

#include "db/store.h"

struct store_revocation {
	struct digest token;
	int64_t expires_unix_s;
	int64_t revision; /* grows with each: a number from one sequence */
};

/* Logs a token out; doing it twice is doing it once. Batched. */
struct store_revoke {
	struct pg_op op;
	struct digest token;
	int64_t user_id, expires_unix_s;
};
void store_revoke(struct pg *pg, struct store_revoke *revoke);

/* Revocations whose revision is above `after`, oldest first, at most `limit`: what an instance reads to know
 * them all. A revision is taken under a lock, so that none becomes visible after a higher one. */
struct store_revoked {
	struct pg_op op;
	int64_t after, limit;
	struct store_revocation *list; /* owned by the operation; store_revoked_free */
	size_t count;
};
void store_revoked(struct pg *pg, struct store_revoked *revoked);
void store_revoked_free(struct store_revoked *revoked);

#endif
