/* What the tests of db/pg.c share: lanes to the PostgreSQL that ONSALE_TEST_DATABASE_URL names, in a
 * schema of the test's own, a blocking session beside them, and statements that double a number, each
 * with something that can go wrong. */
#ifndef ONSALE_TESTS_LIVE_LANES_H
#define ONSALE_TESTS_LIVE_LANES_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include "db/pg.h"

struct event;
struct event_base;

struct lanes {
	struct event_base *base;
	struct event *pulse; /* keeps the loop turning while nothing happens */
	struct pg *pg;
	struct pg_session *session;
	const char *url;
	char schema[64];
	struct pg_settings settings; /* one lane, unless changed before lanes_start */
	unsigned answered; /* operations so far */
};

/* An operation: `in` goes out, `out` comes back. */
struct doubled {
	struct pg_op op;
	struct lanes *lanes;
	int64_t in, out;
	unsigned answered; /* which one of all answers, from 1; 0: none yet */
	enum db_result result;
};

/* All batched, but for lanes_single. */
extern const struct pg_statement lanes_double; /* touches no table */
extern const struct pg_statement
	lanes_insert; /* into item; a duplicate is an error; not repeatable */
extern const struct pg_statement
	lanes_late; /* into late_item: a duplicate is an error at the commit */
/* Wait for row `in` of gate, where there is one, then insert into passed. */
extern const struct pg_statement lanes_pass; /* repeatable */
extern const struct pg_statement lanes_pass_once;
extern const struct pg_statement lanes_conflict_twice; /* 40001 at the first two tries */
extern const struct pg_statement lanes_conflict_always; /* 40P01 */
extern const struct pg_statement lanes_read_only_once; /* 25006 at the first try */
extern const struct pg_statement lanes_short; /* 53200 */
extern const struct pg_statement lanes_single;
extern const struct pg_statement lanes_odd_rows; /* gives one row too many */

/* Makes the schema and opens the session; fails where the environment names no database. */
void lanes_open(struct lanes *lanes);
/* Starts the lanes, to url (NULL: the test's database), with the statements above. */
void lanes_start(struct lanes *lanes, const char *url);
/* … and waits until a lane is up. */
void lanes_start_up(struct lanes *lanes);
void lanes_close(struct lanes *lanes); /* drops the schema */

void lanes_submit(
	struct lanes *lanes, struct doubled *op, const struct pg_statement *statement, int64_t in);
/* ops[i] with in = first + i. */
void lanes_submit_many(struct lanes *lanes, struct doubled *ops, unsigned count,
	const struct pg_statement *statement, int64_t first);

void lanes_turn(struct lanes *lanes);
uint64_t lanes_now_ms(void);

/* Turns the loop until the condition holds; fails after 20 s. */
#define RUN_UNTIL(lanes, condition) \
	do { \
		uint64_t give_up_ms = lanes_now_ms() + 20000; \
		while (!(condition)) { \
			cr_assert_lt(lanes_now_ms(), give_up_ms, "in vain for: " #condition); \
			lanes_turn(lanes); \
		} \
	} while (0)

/* In the session. */
void lanes_sql(struct lanes *lanes, const char *sql);
int64_t lanes_number(struct lanes *lanes, const char *sql);
/* Other sessions that wait for a lock of ours. */
int64_t lanes_blocked(struct lanes *lanes);
/* Ends these. */
void lanes_kill_blocked(struct lanes *lanes);

#endif
