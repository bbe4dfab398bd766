/* People who buy: each joins the line, polls as told, holds a seat that the map shows free, pays, and is
 * done, or is told that all is sold. Thousands at once on one thread. Whoever loses a connection comes
 * back; an outcome that is not known is asked for again under its own key until it is. */
#ifndef ONSALE_TESTS_SUPPORT_SHOPPERS_H
#define ONSALE_TESTS_SUPPORT_SHOPPERS_H

#include "tests/support/history.h"
#include "tests/support/world.h"

struct shoppers;

struct shoppers_counts {
	unsigned paid, sold_out; /* how it ended for them: the line said that all is sold */
	unsigned turned_away; /* admitted when all was sold already: they left, and asked again */
	unsigned seats_lost; /* holds that came too late */
	unsigned rejoined; /* places and passes that ran out */
	unsigned shed; /* replies 503 */
	unsigned lost; /* connections lost with a request on it */
	unsigned keyed_in_flight; /* holds and payments sent and not answered, now */
	unsigned keyed_answered; /* … answered so far */
};

/* One for each of the people, spread over the world's instances. seed: of all that is random here. */
struct shoppers *shoppers_new(
	struct world *world, const struct sale *sale, const struct people *people, unsigned seed);
void shoppers_free(struct shoppers *shoppers);

/* Who has no reply for so long asks another instance, under the same key. From the start there is no limit. */
void shoppers_patience(struct shoppers *shoppers, unsigned limit_ms);

/* Runs until it has ended for everybody; the test fails after limit_ms. turn (may be NULL) is called after
 * each turn of the loop: it may kill and start instances. */
void shoppers_run(struct shoppers *shoppers, unsigned limit_ms,
	void (*turn)(struct shoppers *shoppers, void *context), void *context);

const struct shoppers_counts *shoppers_counts(const struct shoppers *shoppers);
struct history *shoppers_history(struct shoppers *shoppers);

#endif
