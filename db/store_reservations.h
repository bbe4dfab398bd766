/* Holds, payments, cancellations: the sale itself. PostgreSQL alone decides it; see
 * db/functions/ for the lock order and the judging. Each operation is embedded in its flow;
 * store_*() may be called again on it only after `done`. All batch. */
#ifndef ONSALE_DB_STORE_RESERVATIONS_H
#define ONSALE_DB_STORE_RESERVATIONS_H

#include "db/store.h"

enum { STORE_SEATS_MAX = 100 };

/* Holds all seats or none. Replies kept: 201, 409 seat_unavailable. STORE_REFUSED: it would give this person
 * more seats of the performance than user_limit. STORE_UNDECIDED, where it was asked optimistically: somebody
 * else changed a seat between the look at it and its lock; asked again, it is judged anew, and with `waits` it
 * is judged under the locks.
 *
 * Where a quantity is asked for, PostgreSQL chooses: seats next to each other in the best row that has them,
 * else any; see db/functions/choose_seats.sql. Replies kept: 201, 409 sold_out. STORE_UNDECIDED: too few seats
 * are left besides those that others have locked; asked again with `waits`, it waits for them. */
struct store_hold {
	struct pg_op op;
	/* in */
	struct idem idem;
	int64_t user_id, performance_id;
	int64_t seat_ids[STORE_SEATS_MAX]; /* distinct; order does not matter. Out, of a quantity */
	size_t seat_count;
	int64_t quantity; /* 0: seat_ids are asked for */
	const char *section; /* that a quantity must be of, or NULL */
	bool optimistic; /* seats are looked at without a lock, and locked where they are as they were seen */
	bool waits; /* for seats that others have locked, whatever else is asked for */
	int64_t hold_ttl_ms;
	int64_t pass_nonce; /* of the pass it is made with; 0: none was asked for */
	int64_t user_limit; /* seats of the performance that one person may have; 0: any; one for all */
	const char *currency;
	bool replay_only; /* only find what is kept under the key: STORE_KEY_UNKNOWN else */
	/* out */
	enum store_outcome
		outcome; /* STORE_NOT_FOUND: a seat, or the section, is not the performance's */
	struct store_reply reply;
	int64_t reservation_id; /* of a 201, replayed or not; else 0 */
	int64_t hold_left_ms; /* of a 201, by PostgreSQL's clock; 0 or below: the hold stands no more */
	int64_t taken_ids[STORE_SEATS_MAX]; /* of a fresh 409: the seats that were taken */
	bool taken_sold[STORE_SEATS_MAX]; /* … and which of them are sold, not held */
	size_t taken_count;
};
void store_hold(struct pg *pg, struct store_hold *hold);

/* Pays a held reservation. Replies kept: 201, 402, 409 already_paid, 409 reservation_cancelled,
 * 410 hold_expired. STORE_NOT_FOUND: not a reservation of this user. */
struct store_pay {
	struct pg_op op;
	/* in */
	struct idem idem;
	int64_t user_id, reservation_id;
	int64_t use_points; /* points to pay with, at most; 0: none */
	int64_t reward_percent;
	const char *currency;
	/* out */
	enum store_outcome outcome;
	struct store_reply reply;
	bool paid; /* a 201, fresh or replayed; the members below are set */
	int64_t performance_id;
	int64_t seat_ids[STORE_SEATS_MAX];
	size_t seat_count;
	struct digest hold_key; /* idem.key of the hold: owner of the seats' markers in Redis */
	int64_t pass_nonce; /* of the hold */
};
void store_pay(struct pg *pg, struct store_pay *pay);

/* Cancels a reservation; a paid one is refunded. By nature idempotent, no key. reply: 200, also the second
 * time; 410 hold_expired. STORE_NOT_FOUND as above. */
struct store_cancel {
	struct pg_op op;
	/* in */
	int64_t user_id, reservation_id;
	const char *request_id;
	/* out */
	enum store_outcome outcome;
	struct store_reply reply;
	bool freed; /* this call freed the seats; the members below are set */
	bool was_paid; /* and gave the money back */
	int64_t performance_id;
	int64_t seat_ids[STORE_SEATS_MAX];
	size_t seat_count;
	struct digest hold_key;
};
void store_cancel(struct pg *pg, struct store_cancel *cancel);

/* One reservation of this user, as the contract shows it (a lapsed one as "expired", swept or not).
 * STORE_REPLY (200) or STORE_NOT_FOUND. */
struct store_reservation {
	struct pg_op op;
	int64_t user_id, reservation_id;
	const char *currency;
	enum store_outcome outcome;
	struct store_reply reply;
};
void store_reservation(struct pg *pg, struct store_reservation *reservation);

/* A page of this user's reservations, newest first. reply: 200, the whole body of the list. Not batched. */
struct store_reservation_page {
	struct pg_op op;
	int64_t user_id;
	int64_t after; /* the id of the last one seen: older ones follow; 0: from the newest on */
	int64_t limit;
	const char *currency;
	struct store_reply reply;
};
void store_reservation_page(struct pg *pg, struct store_reservation_page *page);

/* Ends holds that lapsed: at most `limit`, oldest first, skipping rows that somebody has locked;
 * writes their outbox events. Not batched. */
struct store_sweep {
	struct pg_op op;
	int64_t limit;
	int64_t keep_days; /* of published events; 0: all stay */
	bool nobody_told; /* events of the outbox do not wait: nobody is to be told */
	int64_t swept; /* holds ended */
	int64_t keys_dropped; /* idempotency records older than 24 h, dropped in passing, at most limit */
	int64_t revocations_dropped; /* log-outs of tokens that have expired, likewise */
	int64_t events_dropped; /* of the outbox, likewise */
	int64_t untold_dropped; /* of what was to be told, likewise: rows of several events each */
};
void store_sweep(struct pg *pg, struct store_sweep *sweep);

/* Whether any seat of the event was ever held: what Redis must know before it may say that an idempotency
 * key of the event's holds is new. */
struct store_keys_known {
	struct pg_op op;
	int64_t event_id;
	bool any;
};
void store_keys_known(struct pg *pg, struct store_keys_known *known);

#endif
