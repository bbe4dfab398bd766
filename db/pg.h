/* PostgreSQL: a few connections, called lanes, on the event loop. Only db/pg*.c include libpq.
 *
 * Group commit: operations of one statement that arrive in a loop turn, or while all lanes are busy,
 * go out together: one call with arrays, one transaction, one result for each. A lane carries one
 * batch at a time, as one libpq pipeline segment that ends in a sync; an operation is answered at the
 * sync, when the commit is known. A batch that fails for anything but a business refusal (which is a
 * row, not an error), or waits over batch_lock_timeout_ms for a lock, is run again, its members each
 * alone, with lock_timeout_ms; such runs occupy at most all lanes but one.
 *
 * A lost connection makes what was in flight unknown. Operations of a statement marked `repeatable`
 * are run again on another lane, until their deadline; the others end as DB_UNKNOWN at once. */
#ifndef ONSALE_DB_PG_H
#define ONSALE_DB_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "db/result.h"
#include "proto/base/histogram.h"

struct event_base;
struct pg;
struct pg_op;
struct pg_params;
struct pg_rows;

struct pg_settings {
	const char *url; /* host names are looked up once, in pg_new, which may block */
	unsigned lanes;
	unsigned batch_max;
	unsigned waiting_max;
	unsigned deadline_ms;
	unsigned batch_lock_timeout_ms;
	unsigned lock_timeout_ms;
	unsigned statement_timeout_ms;
};

typedef unsigned pg_oid; /* PostgreSQL's type numbers, as in pg_type.dat */
enum { PG_BOOL = 16, PG_BYTEA = 17, PG_INT8 = 20, PG_INT4 = 23, PG_TEXT = 25 };

/* A statement, prepared on each lane when it connects. Static, one in the store that owns it. */
struct pg_statement {
	const char *name;
	const char *sql; /* from db/statements/, embedded */
	bool batched; /* takes arrays; else each operation is a call of its own */
	bool repeatable; /* running it again after an unknown outcome does no harm */
	/* Writes the parameters, in order, for count operations (1 where not batched). Up to 64
	 * parameters and 16 MiB; past that the operations end as DB_FAILED. */
	void (*encode)(struct pg_params *params, struct pg_op *const *ops, unsigned count);
	/* Reads the rows into the operations, which stand in the order that encode saw. Called at the
	 * sync, before their `done`. ops[i] is NULL where that operation has ended meanwhile, by its
	 * deadline: its owner may have freed it; what the rows say of it is skipped. False where the
	 * rows are not what the statement should give: it has happened all the same, so the operations
	 * end as DB_UNKNOWN. */
	bool (*decode)(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count);
};

/* One operation, embedded in the caller's struct, which stays where it is until `done`. */
struct pg_op {
	/* The caller's: set before pg_submit. */
	void (*done)(struct pg_op *op, enum db_result result);
	void *owner;

	/* pg.c's. */
	TAILQ_ENTRY(pg_op) link;
	const struct pg_statement *statement;
	uint64_t submitted_us, deadline_ms;
	bool alone; /* its batch has failed */
	bool may_have_happened; /* an earlier try was lost in flight */
	unsigned char state, result, conflicts;
};

/* Connects in the background, to a server that takes writes (target_session_attrs=read-write, unless
 * the url says otherwise). The texts of settings are copied; statements: NULL-terminated, up to 64,
 * must outlive it. NULL, with the reason in `why`, where the url is malformed or its host unknown. */
struct pg *pg_new(struct event_base *base, const struct pg_settings *settings,
	const struct pg_statement *const *statements, char *why, size_t why_size);

/* Closes the lanes; operations still waiting or in flight are answered (DB_UNAVAILABLE, DB_UNKNOWN)
 * before it returns. Not from within a `done`. */
void pg_free(struct pg *pg);

/* Queues the operation; where no lane has been up for a second, it is refused. `done` is called once, from the
 * event loop, never before this returns; it may submit again and free the operation. */
void pg_submit(struct pg *pg, struct pg_op *op, const struct pg_statement *statement);

/* Sends what was gathered; the loop calls it at the end of each turn. */
void pg_turn(struct pg *pg);

/* Lanes that are connected and ready; and whether there is one. */
unsigned pg_lanes_up(const struct pg *pg);
bool pg_up(const struct pg *pg);

/* Operations waiting and in flight. */
unsigned pg_pending(const struct pg *pg);

/* How long an operation waits to be sent: what the next one would wait, by what waits before it and what batches took
 * lately; or, where nothing comes back, how long the oldest has waited since. Its age alone would tell too late:
 * by the time that the first has waited a second, all that came in that second waits behind it; and too long: what
 * came at once is old at once, until the last of it is sent and lanes run empty. */
uint64_t pg_backlog_ms(const struct pg *pg);

/* What each operation that waits adds to that, in full batches; 0 where it is not known. */
uint64_t pg_operation_ns(const struct pg *pg);

/* Counted since pg_new. */
struct pg_stats {
	uint64_t batches; /* calls sent, those of members run alone included */
	uint64_t operations; /* operations sent, each try counted */
	unsigned batch_most; /* operations in the largest call */
	uint64_t alone; /* members of failed batches that were set to run alone */
	uint64_t lock_timeouts; /* calls that waited too long, for a lock or altogether */
	uint64_t statement_timeouts; /* … of these, altogether */
	uint64_t
		alone_lock_timeouts; /* … of these, for a lock, and by an operation that ran alone */
	uint64_t reconnects; /* lanes lost after they were ready */
	uint64_t put_back; /* operations to be run again after their lane was lost */
	uint64_t queue_full; /* refused at waiting_max; also counted in busy */
	uint64_t refused_down; /* refused while no lane was up; also counted in unavailable */
	uint64_t overdue; /* ended by their deadline; also counted in one of the next */
	uint64_t ok, unavailable, busy, failed, unknown; /* how operations ended */
	struct histogram batch_sizes; /* operations in a call */
	struct histogram lane_waits_us; /* of operations, until they were sent */
	struct histogram
		round_trips_us; /* of calls, from being sent until their transaction was over */
};
const struct pg_stats *pg_stats(const struct pg *pg);

/* --- parameters: each call adds the next one (binary format) --- */
void pg_param_i64(struct pg_params *params, int64_t value);
void pg_param_bool(struct pg_params *params, bool value);
void pg_param_text(struct pg_params *params, const char *value); /* NULL: SQL null */
void pg_param_bytes(struct pg_params *params, const void *bytes, size_t len);
void pg_param_null(struct pg_params *params);
/* An array of int8, bool, text or bytea: begin, its elements, end. */
void pg_array_begin(struct pg_params *params, pg_oid element);
void pg_array_i64(struct pg_params *params, int64_t value);
void pg_array_bool(struct pg_params *params, bool value);
void pg_array_text(struct pg_params *params, const char *value); /* NULL: SQL null */
void pg_array_bytes(struct pg_params *params, const void *bytes, size_t len);
void pg_array_end(struct pg_params *params);

/* --- rows (binary format; a column read as another type than it has is a CHECK) --- */
unsigned pg_row_count(const struct pg_rows *rows);
bool pg_row_null(const struct pg_rows *rows, unsigned row, unsigned column);
int64_t pg_row_i64(
	const struct pg_rows *rows, unsigned row, unsigned column); /* int8 or int4; null: 0 */
bool pg_row_bool(const struct pg_rows *rows, unsigned row, unsigned column); /* null: false */
/* text or bytea; valid during decode; NUL follows; null: "" */
const char *pg_row_text(const struct pg_rows *rows, unsigned row, unsigned column, size_t *len);
/* bigint[]: its elements into values, the first max of them; how many were written. Null: 0. */
size_t pg_row_ids(
	const struct pg_rows *rows, unsigned row, unsigned column, int64_t *values, size_t max);

#endif
