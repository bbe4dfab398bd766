/* Idempotency keys at work in this process: the first request under a key goes on, whoever comes under it
 * meanwhile waits for the outcome and gets the same reply. What is kept for later lies in PostgreSQL and,
 * for refusals that Redis alone knew, in Redis. */
#ifndef ONSALE_SERVER_KEYS_H
#define ONSALE_SERVER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "proto/digest.h"

struct app;

enum key_turn {
	KEY_FIRST, /* go on: no other request under this key is at work */
	KEY_REPLAY, /* the first is done: reply with the reply given */
	KEY_REUSED, /* the first is done and its body was another one: 422 */
	KEY_IN_FLIGHT /* the first did not come to an end in time: 409 */
};

struct key_reply {
	int status;
	const char *body; /* lives until the callback returns */
	size_t len;
};

/* Embedded in a flow. */
struct key_claim {
	void (*turn)(struct key_claim *claim, enum key_turn turn, const struct key_reply *reply);
	void *owner;
	struct digest key, body;

	/* keys.c's */
	struct key_entry *entry;
	bool first;
	uint64_t give_up_ms;
	TAILQ_ENTRY(key_claim) link, age_link;
};

struct in_flight_keys *keys_new(struct app *app);
void keys_free(struct in_flight_keys *keys);

/* True: this is the first, go on, and settle the claim at the end. False: `turn` is called later, once;
 * where it says KEY_FIRST, the claim is the first from then on. */
bool key_claim(struct in_flight_keys *keys, struct key_claim *claim);

/* The first is done. reply: what is kept under the key, to be given to those who wait; NULL: nothing is
 * kept, the next one goes on in its place. Does nothing where the claim is not the first (any more). */
void key_settle(
	struct in_flight_keys *keys, struct key_claim *claim, const struct key_reply *reply);

#endif
