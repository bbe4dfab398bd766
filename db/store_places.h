/* Places in line that Redis has lost: what PostgreSQL knows of them. */
#ifndef ONSALE_DB_STORE_PLACES_H
#define ONSALE_DB_STORE_PLACES_H

#include "db/store.h"

/* Whether a place was used up by a purchase. Batched; repeatable. */
struct store_place_used {
	struct pg_op op;
	/* in */
	int64_t event_id, user_id;
	int64_t seen_unix_ms; /* when the place's token was given */
	int64_t nonce; /* of its pass; 0: judge by seen_unix_ms */
	/* out */
	bool used;
	int64_t held_until_unix_ms; /* of the person's last hold in the event; 0: there is none */
};
void store_place_used(struct pg *pg, struct store_place_used *place);

#endif
