/* Shuffles of pre-sale lines: the seed of each, drafts of its list, the one that counts. */
#ifndef ONSALE_DB_STORE_SHUFFLES_H
#define ONSALE_DB_STORE_SHUFFLES_H

#include "db/store.h"
#include "proto/shuffle.h"

enum { STORE_SHUFFLE_PART = 5000 }; /* entrants written or read in one call */

/* Begins a draft; where the shuffle is done already, says so. */
struct store_shuffle_begin {
	struct pg_op op;
	int64_t event_id;
	bool found; /* the event has a shuffle */
	bool done; /* one draft counts: the list is what store_shuffle_page gives */
	uint8_t seed[SHUFFLE_SEED_SIZE];
	int64_t draft;
};
void store_shuffle_begin(struct pg *pg, struct store_shuffle_begin *begin);

/* Writes a part of a draft, in its order. Once another draft counts nothing is written. */
struct store_shuffle_add {
	struct pg_op op;
	int64_t event_id, draft;
	int64_t written; /* entrants before these */
	const struct shuffle_entrant *entrants; /* the caller's, until `done` */
	size_t count;
};
void store_shuffle_add(struct pg *pg, struct store_shuffle_add *add);

/* Makes the draft the one that counts, if it is whole and none does. */
struct store_shuffle_publish {
	struct pg_op op;
	int64_t event_id, draft;
	uint8_t digest[SHUFFLE_HASH_SIZE];
	int64_t count, base;
	bool done; /* one counts now */
	bool own; /* this one */
};
void store_shuffle_publish(struct pg *pg, struct store_shuffle_publish *publish);

/* A part of the list, by position; none as long as the shuffle is not done. */
struct store_shuffle_page {
	struct pg_op op;
	int64_t event_id, after, limit;
	struct shuffle_entrant *entrants; /* the caller's, room for `limit` */
	size_t count;
	int64_t base; /* a position and this are a number in line */
};
void store_shuffle_page(struct pg *pg, struct store_shuffle_page *page);

/* The number in line that the shuffle gave a person. */
struct store_shuffle_number {
	struct pg_op op;
	int64_t event_id, user_id;
	bool found;
	int64_t number;
};
void store_shuffle_number(struct pg *pg, struct store_shuffle_number *number);

/* What everybody may know once it is done; hexadecimal. */
struct store_shuffle {
	struct pg_op op;
	int64_t event_id;
	bool found; /* it is done */
	char commitment[SHUFFLE_HEX_SIZE], seed[SHUFFLE_HEX_SIZE], digest[SHUFFLE_HEX_SIZE];
	int64_t count, opened_unix_ms;
};
void store_shuffle(struct pg *pg, struct store_shuffle *shuffle);

#endif
