/* The outbox: what happened to reservations, for others to be told; see db/functions/outbox_take.sql. */
#ifndef ONSALE_DB_STORE_OUTBOX_H
#define ONSALE_DB_STORE_OUTBOX_H

#include "db/store.h"

enum {
	STORE_OUTBOX_MAX = 1000, /* events taken in one call */
	STORE_OUTBOX_STATEMENT_MAX = 128 /* of one statement, which are taken together */
};

/* The texts belong to the list. */
struct outbox_event {
	int64_t pending_id; /* what it is marked by: of all events of a statement, together */
	int64_t id, reservation_id;
	const char *kind, *payload, *created_at;
};

/* Takes the oldest events that are not told, those of a statement together, if this relay has the lease, or nobody. */
struct store_outbox_take {
	struct pg_op op;
	/* in */
	int64_t taker; /* this relay's number */
	int64_t lease_ms;
	int64_t limit; /* a single statement's may be more; 0: only asks how old they are */
	/* out */
	bool any; /* there are some: age_ms is the oldest one's */
	int64_t age_ms;
	struct outbox_event *events; /* owned by the operation; store_outbox_take_free */
	size_t count; /* 0 with `any`: another relay has the lease */
};
void store_outbox_take(struct pg *pg, struct store_outbox_take *take);
void store_outbox_take_free(struct store_outbox_take *take);

/* Notes events as told. Doing it twice is doing it once. */
struct store_outbox_mark {
	struct pg_op op;
	const int64_t *pending_ids; /* the caller's, until `done`; each once */
	size_t count;
};
void store_outbox_mark(struct pg *pg, struct store_outbox_mark *mark);

#endif
