/* The clients' own history: an entry for every Idempotency-Key that was used, with the first definite reply
 * and whether every later one was the same. What the invariants are judged by. */
#ifndef ONSALE_TESTS_SUPPORT_HISTORY_H
#define ONSALE_TESTS_SUPPORT_HISTORY_H

#include <stddef.h>
#include "tests/support/answer.h"

enum { HISTORY_KEY_SIZE = 48 };

enum keyed_kind { KEYED_HOLD, KEYED_PAY, KEYED_CHARGE };
enum keyed_outcome { OUTCOME_UNKNOWN, OUTCOME_OK, OUTCOME_REFUSED };

struct keyed_entry {
	enum keyed_kind kind;
	int64_t user_id;
	int64_t reservation_id; /* of a hold: once it is known; of a payment: which it pays */
	char key[HISTORY_KEY_SIZE];
	enum keyed_outcome outcome;
	int status; /* of the first definite reply; 0: none yet */
	char *body; /* of the first definite reply that is kept under the key */
	/* In the body of a success, once it was read for them; 0: not yet. */
	int64_t told_id, told_reservation_id;
	unsigned sent; /* how often the request was sent */
	unsigned unknowns; /* how often no reply came, or 503 outcome_unknown */
	unsigned different; /* later replies that differ from the first */
	unsigned rejudged; /* refusals of a hold that came otherwise later, as redis_lost allows */
	/* Replies without Idempotent-Replayed: of several at once, any may come first. */
	unsigned fresh;
};

/* A zeroed struct is a valid, empty history. */
struct history {
	struct keyed_entry *entries;
	size_t count, room;
	/* Redis was away, or lost something, since: a refusal that it alone knew may be judged again. */
	bool redis_lost;
};

/* A new entry; its number. The pointer of history_at is valid until the next one is added. */
size_t history_add(struct history *history, enum keyed_kind kind, int64_t user_id, const char *key);
struct keyed_entry *history_at(struct history *history, size_t i);

/* The request was sent once more; it had no reply, or none that says what happened; it had a reply that
 * does. */
void history_sent(struct history *history, size_t i);
void history_unknown(struct history *history, size_t i);
void history_reply(struct history *history, size_t i, const struct answer *answer);

/* All unknown replies so far. */
size_t history_unknowns(const struct history *history);

void history_free(struct history *history);

#endif
