/* What the tests of the stores share: a migrated database of the test's own with the small shop of shop.sql
 * in it, lanes of one or more instances to it, and a blocking connection beside them. */
#ifndef ONSALE_TESTS_LIVE_SHOP_H
#define ONSALE_TESTS_LIVE_SHOP_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include "db/store_accounts.h"
#include "db/store_reservations.h"
#include "tests/support/database.h"

struct event;
struct event_base;

enum {
	SHOP_INSTANCES_MAX = 4,
	SHOP_OPERATOR = 1,
	SHOP_PRICE = 100,
	SHOP_BALANCE = 1000,
	SHOP_SEATS = 100 /* of performance 1: ids 1 to 100 */
};

struct shop {
	struct event_base *base;
	struct event *pulse; /* keeps the loop turning while nothing happens */
	struct pg *instances[SHOP_INSTANCES_MAX];
	unsigned instance_count;
	struct pg *pg; /* the first instance */
	PGconn *db;
	char name[DATABASE_NAME_SIZE], url[DATABASE_URL_SIZE];
};

/* Whether an operation was answered, and how: its op.owner. */
struct shop_answer {
	bool given;
	enum db_result result;
};

/* A migrated database and no more: for tests that fill it themselves. */
void shop_open_empty(struct shop *shop);
/* With shop.sql in it and this many instances of `lanes` lanes each, all up. */
void shop_open(struct shop *shop, unsigned instances, unsigned lanes);
void shop_close(struct shop *shop);

void shop_turn(struct shop *shop);

/* Turns the loop until the condition holds; fails after 20 s. */
#define SHOP_UNTIL(shop, condition) \
	do { \
		uint64_t shop_give_up_ms = now_ms() + 20000; \
		while (!(condition)) { \
			cr_assert_lt(now_ms(), shop_give_up_ms, "in vain for: " #condition); \
			shop_turn(shop); \
		} \
	} while (0)

/* Makes `answer` what the operation reports to. */
void shop_expect(struct pg_op *op, struct shop_answer *answer);

/* Turns the loop until it is given; fails where it is not DB_OK. */
void shop_await(struct shop *shop, const struct shop_answer *answer);

/* A request under a key: keys and bodies that are the same text have the same digest. */
struct idem shop_idem(const char *key, const char *body);

/* A hold of performance 1, or of that which `hold` names already: submitted, or submitted and awaited. The
 * texts are copied into nothing: literals. The caller frees hold->reply. */
void shop_hold_submit(struct shop *shop, struct store_hold *hold, struct shop_answer *answer,
	const char *key, int64_t user_id, const int64_t *seat_ids, size_t count);
void shop_hold(struct shop *shop, struct store_hold *hold, const char *key, int64_t user_id,
	const int64_t *seat_ids, size_t count);
/* One seat is held and the reservation given. */
int64_t shop_held(struct shop *shop, const char *key, int64_t user_id, int64_t seat_id);

void shop_pay_submit(struct shop *shop, struct store_pay *pay, struct shop_answer *answer,
	const char *key, int64_t user_id, int64_t reservation_id);
void shop_pay(struct shop *shop, struct store_pay *pay, const char *key, int64_t user_id,
	int64_t reservation_id);

void shop_cancel(
	struct shop *shop, struct store_cancel *cancel, int64_t user_id, int64_t reservation_id);

/* Moves the expiry of a hold into the past. */
void shop_lapse(struct shop *shop, int64_t reservation_id);

/* The one number that a statement gives; 0 and 1 for false and true. */
int64_t shop_number(struct shop *shop, const char *sql);

/* Sessions that wait for a lock that the blocking connection has. */
int64_t shop_blocked(struct shop *shop);

/* Fails where an invariant of shop.sql is violated. */
void shop_sound(struct shop *shop);

#define shop_replied(reply_, status_, body_) \
	do { \
		cr_expect_eq((reply_).status, (status_)); \
		cr_expect_str_eq((reply_).body, (body_)); \
		cr_expect_eq((reply_).body_len, strlen(body_)); \
	} while (0)

#endif
