/* A stage for one flow at a time: its stores, its locks and its client are played by the test, which answers
 * when and how it likes. Everything else is the real code. */
#ifndef ONSALE_TESTS_FLOW_FAKES_H
#define ONSALE_TESTS_FLOW_FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db/store_accounts.h"
#include "db/store_reservations.h"
#include "lock/seat_lock.h"
#include "server/adopt.h"
#include "server/flow.h"
#include "server/net.h"

enum { STAGE_MAX = 16 };

/* A client's connection: what it sent, and what it got. */
struct conn {
	struct http_parser *parser;
	struct flow *flow;
	struct stage *stage;
	struct trail trail;
	int replies; /* how many it got: never more than one */
	int status;
	bool replayed;
	char body[4096];
};

/* What the flow under test has asked for and the test has not answered yet, oldest first. */
struct stage {
	struct app app;
	struct conn conns[STAGE_MAX];
	size_t conn_count;
	struct seat_lock *locks[STAGE_MAX];
	size_t lock_count;
	struct adopt_place *places[STAGE_MAX];
	size_t place_count;
	struct pg_op *ops[STAGE_MAX];
	size_t op_count;
	char said[1024]; /* what was sent and forgotten, in order: "hold;holding;drop;" */
	bool queue_enabled;
};

/* Fresh at the start of each test; stage_close checks that every flow has ended. */
struct stage *stage_open(void);
void stage_close(struct stage *stage);

/* A client sends a POST with this key ("" for none), pass (NULL: none) and body to `start`, as user 7. */
struct conn *stage_post(struct stage *stage, void (*start)(const struct request *request),
	const char *path, int64_t path_id, const char *key, const char *pass, const char *body);

/* The client goes away. */
void stage_leave(struct conn *conn);

/* A pass of user 7 for the stage's event. */
const char *stage_pass(struct stage *stage);

/* Answers the oldest question. */
void stage_answer_lock(struct stage *stage, enum seat_lock_result result);
void stage_answer_place(struct stage *stage, enum adopt_result result);
struct pg_op *stage_take_op(struct stage *stage);
void stage_answer_hold(struct stage *stage, enum db_result result, enum store_outcome outcome,
	int status, bool replayed, const char *body);

#endif
