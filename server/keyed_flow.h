/* What the flows under an Idempotency-Key share: the claim of the key in this process, and the end that
 * settles it, so that whoever waits under the key gets the same reply. Embeds struct flow. */
#ifndef ONSALE_SERVER_KEYED_FLOW_H
#define ONSALE_SERVER_KEYED_FLOW_H

#include "db/store.h"
#include "server/flow.h"
#include "server/keys.h"

struct json_errors;

struct keyed_flow {
	struct flow flow;
	struct idem idem;
	struct key_claim claim;
	void (*first)(struct keyed_flow
			*keyed); /* the work, once this request is the first under its key */
};

/* After flow_read_idem into keyed->idem and once all else of the request was read: claims the key, and
 * calls `first` now or later; or ends the flow with the first one's reply. */
void keyed_start(struct keyed_flow *keyed, void (*first)(struct keyed_flow *keyed));

/* Ends with a reply that is kept under the key: those who wait get it too. */
void keyed_reply(struct keyed_flow *keyed, int status, const char *body, size_t len, bool replayed);

/* Ends with a refusal that is not kept: the next one under the key, if any, is judged afresh. */
void keyed_fail(struct keyed_flow *keyed, enum problem problem);
void keyed_fail_validation(struct keyed_flow *keyed, const struct json_errors *errors);
void keyed_fail_db(struct keyed_flow *keyed, enum db_result result);

/* Ends with what a store said, other than STORE_REPLY: 422 for a reused key, `not_found` for
 * STORE_NOT_FOUND, `refused` for STORE_REFUSED and STORE_KEY_UNKNOWN. */
void keyed_fail_store(struct keyed_flow *keyed, enum store_outcome outcome, enum problem not_found,
	enum problem refused);

#endif
