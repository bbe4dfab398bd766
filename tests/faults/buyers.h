/* The load: people who join the line, hold one to three seats, by name or by quantity, and pay, pay twice at once,
 * cancel, cancel while they pay, let the hold lapse, or pay and want their money back; and then come again, until
 * they are told to stop. Whatever has a key is asked for under it until its outcome is known, and goes into the
 * history. */
#ifndef ONSALE_TESTS_FAULTS_BUYERS_H
#define ONSALE_TESTS_FAULTS_BUYERS_H

#include "tests/support/history.h"
#include "tests/support/world.h"

struct buyers;

struct buyers_counts {
	unsigned in_flight; /* requests sent and not answered, now */
	unsigned answered;
	unsigned refused; /* replies 503 */
	unsigned unknown; /* keyed requests without a reply that says what happened */
	unsigned stale; /* places without a position: Redis is away */
	unsigned lost; /* connections lost, or given up, with a request on it */
	unsigned holds, payments, cancellations, lapses; /* that they know of */
	unsigned surprises; /* replies that the contract does not allow there */
};

enum { BUYERS_SURPRISES_SIZE = 4096, BUYERS_LIMIT_MS = 4000 };

/* seed: of all that is random here. */
struct buyers *buyers_new(struct world *world, const struct people *people, unsigned seed);
void buyers_free(struct buyers *buyers);

/* From now on they want these seats, whose holds live so long. */
void buyers_begin(struct buyers *buyers, const struct sale *sale, int64_t hold_ttl_ms);

/* From now on they finish what they have begun, and end. */
void buyers_stop(struct buyers *buyers);

/* How many have not ended. */
size_t buyers_busy(const struct buyers *buyers);

/* One turn of the loop. */
void buyers_turn(struct buyers *buyers);

/* How many requests at these instances, a bit for each, wait for longer than that. */
unsigned buyers_stuck(const struct buyers *buyers, unsigned instances, unsigned longer_than_ms);

/* Every second connection with a request on it is reset, and a third of the others; how many had a request. */
unsigned buyers_reset(struct buyers *buyers);

const struct buyers_counts *buyers_counts(const struct buyers *buyers);
const char *buyers_surprises(const struct buyers *buyers);
struct history *buyers_history(struct buyers *buyers);

/* Where they are, a line. */
void buyers_describe(const struct buyers *buyers, char *text, size_t size);

#endif
