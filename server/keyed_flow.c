/* Each end settles the claim before the flow is freed. */
#include "server/keyed_flow.h"

#include "proto/base/check.h"

/* The flow's turn under its key, after somebody else's. */
static void turn(struct key_claim *claim, enum key_turn which, const struct key_reply *reply)
{
	struct keyed_flow *keyed = claim->owner;

	switch (which) {
	case KEY_FIRST: keyed->first(keyed); break;
	case KEY_REPLAY:
		flow_reply_stored(&keyed->flow, reply->status, reply->body, reply->len, true);
		break;
	case KEY_REUSED: flow_fail(&keyed->flow, PROBLEM_IDEMPOTENCY_KEY_REUSED); break;
	case KEY_IN_FLIGHT: flow_fail(&keyed->flow, PROBLEM_REQUEST_IN_FLIGHT); break;
	}
}

void keyed_start(struct keyed_flow *keyed, void (*first)(struct keyed_flow *keyed))
{
	keyed->first = first;
	keyed->claim = (struct key_claim){
		.turn = turn, .owner = keyed, .key = keyed->idem.key, .body = keyed->idem.body};
	if (key_claim(keyed->flow.app->keys, &keyed->claim))
		first(keyed);
}

void keyed_reply(struct keyed_flow *keyed, int status, const char *body, size_t len, bool replayed)
{
	struct key_reply reply = {status, body, len};

	key_settle(keyed->flow.app->keys, &keyed->claim, &reply);
	flow_reply_stored(&keyed->flow, status, body, len, replayed);
}

void keyed_fail(struct keyed_flow *keyed, enum problem problem)
{
	key_settle(keyed->flow.app->keys, &keyed->claim, NULL);
	flow_fail(&keyed->flow, problem);
}

void keyed_fail_validation(struct keyed_flow *keyed, const struct json_errors *errors)
{
	key_settle(keyed->flow.app->keys, &keyed->claim, NULL);
	flow_fail_validation(&keyed->flow, errors);
}

void keyed_fail_db(struct keyed_flow *keyed, enum db_result result)
{
	key_settle(keyed->flow.app->keys, &keyed->claim, NULL);
	flow_fail_db(&keyed->flow, result);
}

void keyed_fail_store(struct keyed_flow *keyed, enum store_outcome outcome, enum problem not_found,
	enum problem refused)
{
	CHECK(outcome != STORE_REPLY);
	if (outcome == STORE_KEY_REUSED)
		keyed_fail(keyed, PROBLEM_IDEMPOTENCY_KEY_REUSED);
	else
		keyed_fail(keyed, outcome == STORE_NOT_FOUND ? not_found : refused);
}
