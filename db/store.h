/* What the stores share: the record of an Idempotency-Key, and the reply that is kept under it. */
#ifndef ONSALE_DB_STORE_H
#define ONSALE_DB_STORE_H

#include "db/pg.h"
#include "proto/digest.h"

/* All statements of all stores, for pg_new; NULL-terminated. */
extern const struct pg_statement *const store_statements[];

/* What a request is, under its Idempotency-Key. The texts stay valid until `done`. */
struct idem {
	struct digest key; /* of user, method, path and key */
	struct digest body; /* of the body's bytes */
	const char *request_id; /* goes into stored refusals */
};

enum store_outcome {
	STORE_REPLY, /* reply is what to send, now and at every repeat */
	STORE_KEY_REUSED, /* the key stands for another body: 422 */
	STORE_KEY_UNKNOWN, /* replay_only was asked and nothing is kept under the key */
	STORE_NOT_FOUND, /* no such reservation, seat, account … of this user: 404 */
	STORE_REFUSED, /* by a rule that is not kept under a key; see the operation */
	STORE_UNDECIDED /* others are just deciding about what was asked for: ask again */
};

/* A reply that commits with its effect, to the byte. Owned by the operation; store_reply_free. */
struct store_reply {
	int status;
	bool replayed; /* an earlier request made it */
	char *body;
	size_t body_len;
};
void store_reply_free(struct store_reply *reply);

#endif
