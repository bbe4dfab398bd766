/* What a seat map says, as the bodies of both calls: what never changes of its seats, which is given once, and their
 * letters, given at each refill, are put together when the first reader wants that body. */
#ifndef ONSALE_SERVER_SEAT_BODIES_H
#define ONSALE_SERVER_SEAT_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/base/buf.h"

enum seat_body_kind { SEAT_BODY_LIST, SEAT_BODY_LETTERS, SEAT_BODY_KINDS };

struct seat_body {
	struct buf bytes;
	char tag[48]; /* its entity tag, quoted */
	bool made; /* of the letters at hand */
};

/* Embedded in its owner's struct. */
struct seat_bodies {
	int64_t performance_id;
	struct buf lines, letters; /* as of store_catalog.h */
	size_t seats; /* lines */
	bool listed; /* the lines have been given */
	char version[17]; /* a digest of the letters; "" before the first */
	int64_t available, sold; /* letters A and S */
	struct seat_body plain[SEAT_BODY_KINDS], gzip[SEAT_BODY_KINDS];
};

void seat_bodies_init(struct seat_bodies *bodies, int64_t performance_id);
void seat_bodies_free(struct seat_bodies *bodies);

/* False where they are too large. */
bool seat_bodies_list(struct seat_bodies *bodies, const char *lines, size_t len);

/* False, and nothing taken, where they are not one of A, H, S for each line. The same letters again leave all
 * that was made of them as it is. */
bool seat_bodies_letters(struct seat_bodies *bodies, const char *letters, size_t len);

/* gzip: compressed, where that pays, under a tag of its own; else as it is. *packed tells which. It lives until
 * other letters are given. NULL where there are none yet, or it is too large. */
const struct seat_body *seat_bodies_get(
	struct seat_bodies *bodies, enum seat_body_kind kind, bool gzip, bool *packed);

#endif
