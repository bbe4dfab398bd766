/* Lanes to PostgreSQL. An operation's way:
 *
 *   pg_submit    waiting: on the list of its statement
 *   pg_turn      in flight: in a segment on a lane, together with others of its statement
 *   at the sync  ended: on the list of answers, with its result
 *   answer_all   `done`
 *
 * and from in flight back to waiting: after its batch failed (on the list of those that run alone), or
 * after its lane was lost (at the head of its statement's list). A lane's way:
 *
 *   WAITING -> CONNECTING -> PREPARING -> READY <-> BUSY, and by lane_lost from each back to WAITING
 *
 * The one thing to know: `done` is called in answer_all alone, which runs last in an event, when all
 * lists and lanes are in order again. So a `done` may submit and free as it likes. */
#include "db/pg.h"

#include <event2/event.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db/pg_params.h"
#include "db/pg_private.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/embed.h"
#include "proto/base/event_priority.h"
#include "proto/base/log.h"

EMBED(pg_lock_timeout_sql, "db/statements/lock_timeout.sql");
static const char lock_timeout_name[] = "lock_timeout";

enum {
	STATEMENTS_MAX = 64,
	SEGMENTS_MAX = 16, /* on a lane at once, of a statement that is not batched */
	CONFLICTS_MAX = 3, /* runs again after a deadlock or a serialization failure */
	CONNECT_MS = 5000, /* to connect and prepare */
	BACKOFF_MIN_MS = 50, /* between tries to connect … */
	BACKOFF_MAX_MS = 2000, /* … doubling up to this */
	DOWN_PATIENCE_MS = 1000, /* no lane is up for longer: operations are refused at once */
	SILENCE_MS = 2000, /* after a segment's last deadline, its lane is given up */
	LOG_GATE_MS = 1000, /* a line a kind in so long */
	TIMES_KEPT = 8, /* how many segments lately make the average of what one takes */
	MESSAGE_SIZE = 512,
	SQLSTATE_SIZE = 6,
};

static const char QUERY_CANCELED[] = "57014"; /* by statement_timeout */

TAILQ_HEAD(op_list, pg_op);

enum op_state { OP_WAITING, OP_IN_FLIGHT, OP_ENDED };

/* What goes out as one transaction, up to and with its sync. */
struct segment {
	TAILQ_ENTRY(segment) link;
	const struct pg_statement *statement; /* NULL: prepares all statements */
	bool alone; /* starts with lock_timeout.sql */
	bool sent; /* false: the server cannot have seen it */
	unsigned results; /* that have come in without an error */
	PGresult *rows; /* kept until the sync */
	char sqlstate[SQLSTATE_SIZE]; /* of the first error; "" while there is none */
	char message[MESSAGE_SIZE];
	uint64_t sent_us;
	uint64_t give_up_ms; /* no answer until then: the lane is lost */
	unsigned count;
	struct pg_op *ops[]; /* NULL: has ended by its deadline */
};

TAILQ_HEAD(segment_list, segment);

enum lane_state { LANE_WAITING, LANE_CONNECTING, LANE_PREPARING, LANE_READY, LANE_BUSY };

struct lane {
	struct pg *pg;
	enum lane_state state;
	unsigned failures; /* to connect, in a row */
	PGconn *conn; /* NULL while waiting */
	struct event *connecting; /* the one event that libpq's next step to connect awaits */
	struct event *readable, *writable; /* once connected */
	bool write_awaited;
	struct event *timer; /* CONNECTING, PREPARING: gives up; WAITING: tries again */
	struct segment_list segments; /* in flight, in order */
};

struct statement_queue {
	const struct pg_statement *statement;
	struct op_list waiting; /* oldest first */
};

/* Lets a line a kind through every LOG_GATE_MS and counts the others. */
struct log_gate {
	uint64_t open_ms;
	unsigned held;
};

struct pg {
	struct event_base *base;
	struct pg_settings settings; /* url aside */
	struct pg_keywords keywords; /* of a connection */
	struct statement_queue queues[STATEMENTS_MAX];
	unsigned queue_count;
	struct op_list alone; /* oldest first */
	unsigned waiting; /* on all of these lists */
	struct op_list answers;
	bool answering, closing;
	unsigned pending; /* submitted and not answered */
	struct event *wake; /* runs answer_all in the next turn */
	struct event *deadline_timer;
	uint64_t deadline_timer_ms; /* when it fires; 0: it is not set */
	struct pg_params params;
	struct pg_stats stats;
	struct log_gate lost_gate, failed_gate;
	uint64_t down_since_ms; /* no lane is up since; 0: one is */
	uint64_t synced_us; /* something came back last, or the first lane came up */
	uint64_t
		segment_us; /* what a segment took lately, from sending it to its sync; 0: not known */
	struct lane lanes[];
};

static void lane_connect(struct lane *lane);
static void lane_lost(struct lane *lane, const char *reason);

/* --- small helpers --- */

/* Not the turn's clock: events run between two of its readings. */
static uint64_t now_ms(void)
{
	return clock_mono_us_now() / 1000;
}

static void timer_set(struct event *timer, uint64_t delay_ms)
{
	struct timeval delay = {(time_t)(delay_ms / 1000), (suseconds_t)(delay_ms % 1000 * 1000)};
	CHECK(event_add(timer, &delay) == 0);
}

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* *held: how many lines were not let through since the last one. */
static bool gate_pass(struct log_gate *gate, unsigned *held)
{
	uint64_t now = now_ms();
	if (now < gate->open_ms) {
		gate->held++;
		return false;
	}
	*held = gate->held;
	gate->held = 0;
	gate->open_ms = now + LOG_GATE_MS;
	return true;
}

/* --- operations: waiting, ended, answered --- */

static void op_end(struct pg *pg, struct pg_op *op, enum db_result result)
{
	CHECK(op->state != OP_ENDED);
	if (result != DB_OK && op->may_have_happened)
		result = DB_UNKNOWN;
	uint64_t *const counters[] = {[DB_OK] = &pg->stats.ok,
		[DB_UNAVAILABLE] = &pg->stats.unavailable,
		[DB_BUSY] = &pg->stats.busy,
		[DB_FAILED] = &pg->stats.failed,
		[DB_UNKNOWN] = &pg->stats.unknown};
	++*counters[result];
	op->state = OP_ENDED;
	op->result = (unsigned char)result;
	TAILQ_INSERT_TAIL(&pg->answers, op, link);
}

/* Answers those that have ended by now; what ends meanwhile is left for the next call. */
static void answer_all(struct pg *pg)
{
	struct op_list ended = TAILQ_HEAD_INITIALIZER(ended);
	TAILQ_CONCAT(&ended, &pg->answers, link);
	pg->answering = true;
	struct pg_op *op;
	while ((op = TAILQ_FIRST(&ended))) {
		TAILQ_REMOVE(&ended, op, link);
		pg->pending--;
		op->done(op, op->result);
	}
	pg->answering = false;
}

static void wake_fired(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	answer_all(arg);
}

/* For what ended outside of our own events. A timer of no length runs in the loop's next turn. */
static void wake_if_ended(struct pg *pg)
{
	if (!TAILQ_EMPTY(&pg->answers) && !pg->closing)
		timer_set(pg->wake, 0);
}

static void deadline_timer_set(struct pg *pg, uint64_t at_ms)
{
	if (pg->deadline_timer_ms && pg->deadline_timer_ms <= at_ms)
		return;
	uint64_t now = now_ms();
	pg->deadline_timer_ms = at_ms;
	timer_set(pg->deadline_timer, at_ms > now ? at_ms - now + 1 : 0); /* never too early */
}

/* Only statements that pg_new was given. */
static struct statement_queue *queue_of(struct pg *pg, const struct pg_statement *statement)
{
	unsigned i = 0;
	while (i < pg->queue_count && pg->queues[i].statement != statement)
		i++;
	CHECK(i < pg->queue_count);
	return &pg->queues[i];
}

static struct pg_op *list_take(struct pg *pg, struct op_list *list)
{
	struct pg_op *op = TAILQ_FIRST(list);
	TAILQ_REMOVE(list, op, link);
	pg->waiting--;
	return op;
}

/* Waits again, among others by age: deadlines are checked at the heads of lists. What was in flight is
 * older than nearly all that wait, so its place is found near the head. */
static void op_put_back(struct pg *pg, struct pg_op *op)
{
	struct op_list *list = op->alone ? &pg->alone : &queue_of(pg, op->statement)->waiting;
	struct pg_op *younger = TAILQ_FIRST(list);
	while (younger && younger->submitted_us <= op->submitted_us)
		younger = TAILQ_NEXT(younger, link);
	if (younger)
		TAILQ_INSERT_BEFORE(younger, op, link);
	else
		TAILQ_INSERT_TAIL(list, op, link);
	op->state = OP_WAITING;
	pg->waiting++;
	deadline_timer_set(pg, op->deadline_ms);
}

void pg_submit(struct pg *pg, struct pg_op *op, const struct pg_statement *statement)
{
	CHECK(op->done);
	struct statement_queue *queue = queue_of(pg, statement);
	op->statement = statement;
	op->submitted_us = clock_mono_us_now();
	op->deadline_ms = op->submitted_us / 1000 + pg->settings.deadline_ms;
	op->alone = op->may_have_happened = false;
	op->conflicts = 0;
	op->state = OP_WAITING;
	pg->pending++;
	if (pg->closing) {
		op_end(pg, op, DB_UNAVAILABLE);
	} else if (pg->down_since_ms &&
		   op->submitted_us / 1000 > pg->down_since_ms + DOWN_PATIENCE_MS) {
		pg->stats.refused_down++;
		op_end(pg, op, DB_UNAVAILABLE);
		wake_if_ended(pg);
	} else if (pg->waiting >= pg->settings.waiting_max) {
		pg->stats.queue_full++;
		op_end(pg, op, DB_BUSY);
		wake_if_ended(pg);
	} else {
		TAILQ_INSERT_TAIL(&queue->waiting, op, link);
		pg->waiting++;
		deadline_timer_set(pg, op->deadline_ms);
	}
}

/* --- segments: what became of a transaction --- */

static void segment_free(struct segment *segment)
{
	PQclear(segment->rows);
	free(segment);
}

static void segment_end_all(struct pg *pg, struct segment *segment, enum db_result result)
{
	for (unsigned i = 0; i < segment->count; i++)
		if (segment->ops[i])
			op_end(pg, segment->ops[i], result);
}

static void segment_put_back(struct pg *pg, struct segment *segment)
{
	for (unsigned i = 0; i < segment->count; i++) {
		if (segment->ops[i]) {
			pg->stats.put_back++;
			op_put_back(pg, segment->ops[i]);
		}
	}
}

/* Its lane is gone: what was sent may have happened. */
static void segment_lost(struct pg *pg, struct segment *segment)
{
	for (unsigned i = 0; segment->sent && i < segment->count; i++)
		if (segment->ops[i])
			segment->ops[i]->may_have_happened = true;
	if (segment->count && !pg->closing && (!segment->sent || segment->statement->repeatable))
		segment_put_back(pg, segment);
	else
		segment_end_all(pg, segment, segment->sent ? DB_UNKNOWN : DB_UNAVAILABLE);
	segment_free(segment);
}

enum failure {
	FAILURE_LOCKED, /* waited too long, for a lock or altogether */
	FAILURE_CONFLICT, /* a deadlock or a serialization failure: may go well the next time */
	FAILURE_LOST, /* the session ends */
	FAILURE_READ_ONLY, /* the server takes no writes: a standby */
	FAILURE_SHORT, /* of memory, disk or connections */
	FAILURE_OTHER
};

/* The server's SQLSTATE, by its start: codes are five characters, classes two. */
static enum failure failure_of(const char *sqlstate)
{
	static const struct {
		const char *start;
		enum failure failure;
	} known[] = {
		{"55P03", FAILURE_LOCKED}, /* lock_not_available */
		{QUERY_CANCELED, FAILURE_LOCKED},
		{"40001", FAILURE_CONFLICT}, /* serialization_failure */
		{"40P01", FAILURE_CONFLICT}, /* deadlock_detected */
		{"25006", FAILURE_READ_ONLY}, /* read_only_sql_transaction */
		{"57P", FAILURE_LOST}, /* shutdown, crash of another session, … */
		{"08", FAILURE_LOST}, /* connection exceptions */
		{"53", FAILURE_SHORT}, /* insufficient resources */
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (!strncmp(sqlstate, known[i].start, strlen(known[i].start)))
			return known[i].failure;
	return FAILURE_OTHER;
}

static void segment_log_failed(struct pg *pg, const struct segment *segment)
{
	unsigned held;
	if (gate_pass(&pg->failed_gate, &held))
		log_error("PostgreSQL: statement %s: %s%s%s (%u more since the last such line)",
			segment->statement->name, segment->sqlstate, *segment->sqlstate ? " " : "",
			segment->message, held);
}

/* A member that failed by itself: nothing of it has happened. */
static void segment_failed_alone(struct pg *pg, struct segment *segment, enum failure failure)
{
	struct pg_op *op = segment->ops[0];
	if (failure == FAILURE_OTHER)
		segment_log_failed(pg, segment);
	if (!op)
		return;
	if (failure == FAILURE_CONFLICT && op->conflicts < CONFLICTS_MAX) {
		op->conflicts++;
		op->alone = true;
		op_put_back(pg, op);
	} else if (failure == FAILURE_OTHER) {
		op_end(pg, op, DB_FAILED);
	} else {
		op_end(pg, op, DB_BUSY);
	}
}

static void note_timeout(struct pg *pg, const struct segment *segment)
{
	bool altogether = strcmp(segment->sqlstate, QUERY_CANCELED) == 0;

	pg->stats.lock_timeouts++;
	pg->stats.statement_timeouts += altogether;
	pg->stats.alone_lock_timeouts += segment->alone && !altogether;
}

/* A batch that failed: nothing of it has happened, and which member is to blame is found by running each
 * alone. One that was a single operation anyway is run again only where that may help. */
static void segment_failed(struct pg *pg, struct segment *segment, enum failure failure)
{
	bool helps = segment->count > 1 || failure == FAILURE_LOCKED || failure == FAILURE_CONFLICT;
	if (failure == FAILURE_LOCKED)
		note_timeout(pg, segment);
	if (failure == FAILURE_SHORT) {
		segment_log_failed(pg, segment);
		segment_end_all(pg, segment, DB_UNAVAILABLE);
	} else if (segment->alone || !helps) {
		segment_failed_alone(pg, segment, failure);
	} else {
		for (unsigned i = 0; i < segment->count; i++) {
			if (segment->ops[i]) {
				pg->stats.alone++;
				segment->ops[i]->alone = true;
				op_put_back(pg, segment->ops[i]);
			}
		}
	}
}

/* Committed. */
static void segment_done(struct pg *pg, struct segment *segment)
{
	const struct pg_rows rows = {segment->rows};
	bool as_expected = segment->rows &&
			   segment->statement->decode(&rows, segment->ops, segment->count);
	if (!as_expected) {
		snprintf(segment->message, sizeof segment->message,
			"gave rows that it should not give");
		segment_log_failed(pg, segment);
	}
	segment_end_all(pg, segment, as_expected ? DB_OK : DB_UNKNOWN);
}

/* Takes up to max operations of one statement off a list. */
static struct segment *segment_new(struct pg *pg, struct op_list *list, unsigned max)
{
	unsigned count = 0;
	const struct pg_op *at;
	for (at = TAILQ_FIRST(list); at && count < max; at = TAILQ_NEXT(at, link))
		count++;
	struct segment *segment = must_calloc(1, sizeof *segment + count * sizeof segment->ops[0]);
	segment->statement = TAILQ_FIRST(list)->statement;
	segment->alone = TAILQ_FIRST(list)->alone;
	for (; segment->count < count; segment->count++) {
		struct pg_op *op = list_take(pg, list);
		op->state = OP_IN_FLIGHT;
		segment->ops[segment->count] = op;
		if (segment->give_up_ms < op->deadline_ms + SILENCE_MS)
			segment->give_up_ms = op->deadline_ms + SILENCE_MS;
	}
	return segment;
}

/* --- lanes: sending --- */

static bool lane_up(const struct lane *lane)
{
	return lane->state == LANE_READY || lane->state == LANE_BUSY;
}

/* False: the lane was lost. */
static bool lane_flush(struct lane *lane)
{
	int left = PQflush(lane->conn);
	if (left < 0) {
		lane_lost(lane, PQerrorMessage(lane->conn));
		return false;
	}
	if (left && !lane->write_awaited)
		CHECK(event_add(lane->writable, NULL) == 0);
	else if (!left && lane->write_awaited)
		CHECK(event_del(lane->writable) == 0);
	lane->write_awaited = left;
	return true;
}

static bool send_prepared(struct lane *lane, const char *name, unsigned count,
	const char *const *values, const int *lengths)
{
	return PQsendQueryPrepared(
		lane->conn, name, (int)count, values, lengths, lane->pg->params.formats, 1);
}

/* An operation alone may wait for a lock longer than a batch, but not past its deadline: giving up before
 * it makes the answer a plain "busy". */
static bool send_lock_timeout(struct lane *lane, const struct pg_op *op)
{
	uint64_t now = now_ms();
	uint64_t left_ms = op->deadline_ms > now ? op->deadline_ms - now : 0;
	uint64_t timeout_ms = left_ms - left_ms / 8;
	if (timeout_ms > lane->pg->settings.lock_timeout_ms)
		timeout_ms = lane->pg->settings.lock_timeout_ms;
	char text[24];
	int len = snprintf(text, sizeof text, "%ju", (uintmax_t)(timeout_ms ? timeout_ms : 1));
	const char *value = text;
	return send_prepared(lane, lock_timeout_name, 1, &value, &len);
}

static void note_sent(struct pg *pg, const struct segment *segment)
{
	histogram_note(&pg->stats.batch_sizes, segment->count);
	for (unsigned i = 0; i < segment->count; i++)
		histogram_note(
			&pg->stats.lane_waits_us, segment->sent_us - segment->ops[i]->submitted_us);
}

static bool segment_send(struct lane *lane, struct segment *segment, const char *const *values)
{
	const struct pg_params *params = &lane->pg->params;
	if (segment->alone && !send_lock_timeout(lane, segment->ops[0]))
		return false;
	if (!send_prepared(lane, segment->statement->name, params->count, values, params->lengths))
		return false;
	segment->sent = true;
	segment->sent_us = clock_mono_us_now();
	note_sent(lane->pg, segment);
	return PQpipelineSync(lane->conn);
}

/* Puts a segment on the lane. False: the lane was lost. */
static bool lane_add_segment(struct lane *lane, struct segment *segment)
{
	struct pg *pg = lane->pg;
	const char *values[PG_PARAMS_MAX];
	pg_params_clear(&pg->params);
	segment->statement->encode(&pg->params, segment->ops, segment->count);
	if (!pg_params_list(&pg->params, values)) {
		snprintf(segment->message, sizeof segment->message, "parameters are too large");
		segment_log_failed(pg, segment);
		segment_end_all(pg, segment, DB_FAILED);
		segment_free(segment);
		return true;
	}
	pg->stats.batches++;
	pg->stats.operations += segment->count;
	if (pg->stats.batch_most < segment->count)
		pg->stats.batch_most = segment->count;
	TAILQ_INSERT_TAIL(&lane->segments, segment, link);
	lane->state = LANE_BUSY;
	if (segment_send(lane, segment, values))
		return true;
	lane_lost(lane, PQerrorMessage(lane->conn));
	return false;
}

/* Sends what stands at the head of a list: one batch, or several calls of one operation each. */
static void lane_send(struct lane *lane, struct op_list *list)
{
	const struct pg_op *head = TAILQ_FIRST(list);
	bool batched = head->statement->batched && !head->alone;
	unsigned segments = batched || head->alone ? 1 : SEGMENTS_MAX;
	unsigned ops = batched ? lane->pg->settings.batch_max : 1;
	for (unsigned i = 0; i < segments && !TAILQ_EMPTY(list); i++)
		if (!lane_add_segment(lane, segment_new(lane->pg, list, ops)))
			return;
	lane_flush(lane);
}

/* Runs alone may wait for locks: they leave one lane to the others. */
static bool may_run_alone(const struct pg *pg)
{
	unsigned up = 0, alone = 0;
	for (unsigned i = 0; i < pg->settings.lanes; i++) {
		const struct segment *first = TAILQ_FIRST(&pg->lanes[i].segments);
		up += lane_up(&pg->lanes[i]);
		alone += first && first->alone;
	}
	return alone == 0 || alone + 1 < up;
}

/* The list whose head has waited longest, so that no statement starves another. */
static struct op_list *list_next(struct pg *pg)
{
	struct op_list *next = NULL;
	if (!TAILQ_EMPTY(&pg->alone) && may_run_alone(pg))
		next = &pg->alone;
	for (unsigned i = 0; i < pg->queue_count; i++) {
		struct op_list *list = &pg->queues[i].waiting;
		if (!TAILQ_EMPTY(list) && (!next || TAILQ_FIRST(list)->submitted_us <
							    TAILQ_FIRST(next)->submitted_us))
			next = list;
	}
	return next;
}

void pg_turn(struct pg *pg)
{
	for (unsigned i = 0; i < pg->settings.lanes && pg->waiting; i++) {
		struct lane *lane = &pg->lanes[i];
		struct op_list *list;
		while (lane->state == LANE_READY && (list = list_next(pg)))
			lane_send(lane, list);
	}
	wake_if_ended(pg);
}

/* --- lanes: receiving --- */

/* Keeps a segment's first error; the others follow from it. False: the session ends with it. */
static bool segment_error(struct segment *segment, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (!*segment->sqlstate) {
		/* without an SQLSTATE it is libpq's own: of the connection */
		snprintf(segment->sqlstate, sizeof segment->sqlstate, "%s",
			sqlstate && *sqlstate ? sqlstate : "08000");
		pg_one_line(primary ? primary : PQresultErrorMessage(result), segment->message,
			sizeof segment->message);
	}
	return failure_of(segment->sqlstate) != FAILURE_LOST;
}

/* A lane whose statements are prepared is ready; one that lacks a statement is of no use. */
static bool lane_prepared(struct lane *lane, const struct segment *segment)
{
	if (*segment->sqlstate) {
		char reason[MESSAGE_SIZE + 128];
		unsigned i = segment->results; /* the first of them was lock_timeout's */
		const char *name = i ? lane->pg->queues[i - 1].statement->name : lock_timeout_name;
		snprintf(reason, sizeof reason, "statement %s: %s %s", name, segment->sqlstate,
			segment->message);
		lane_lost(lane, reason);
		return false;
	}
	CHECK(event_del(lane->timer) == 0);
	lane->failures = 0;
	lane->state = LANE_READY;
	if (lane->pg->down_since_ms)
		lane->pg->synced_us = clock_mono_us_now();
	lane->pg->down_since_ms = 0;
	log_info("PostgreSQL: lane %u is ready", (unsigned)(lane - lane->pg->lanes));
	return true;
}

/* Members run alone wait for locks, and say nothing of how fast the others go. */
static void note_time(struct pg *pg, const struct segment *segment)
{
	pg->synced_us = clock_mono_us_now();
	histogram_note(&pg->stats.round_trips_us, pg->synced_us - segment->sent_us);
	if (segment->alone)
		return;
	uint64_t took_us = pg->synced_us - segment->sent_us,
		 before_us = pg->segment_us ? pg->segment_us : took_us;
	pg->segment_us = (before_us * (TIMES_KEPT - 1) + took_us) / TIMES_KEPT;
}

/* At the sync: the transaction is over. False: the lane was lost. */
static bool segment_synced(struct lane *lane, struct segment *segment)
{
	struct pg *pg = lane->pg;
	bool up = true;
	TAILQ_REMOVE(&lane->segments, segment, link);
	CHECK(TAILQ_FIRST(&lane->segments) != segment); /* it is freed below */
	if (!segment->statement) {
		up = lane_prepared(lane, segment);
		segment_free(segment);
		return up;
	}
	if (TAILQ_EMPTY(&lane->segments))
		lane->state = LANE_READY;
	note_time(pg, segment);
	enum failure failure = failure_of(segment->sqlstate);
	if (!*segment->sqlstate) {
		segment_done(pg, segment);
	} else if (failure == FAILURE_READ_ONLY) {
		segment_put_back(pg, segment);
		lane_lost(lane, segment->message);
		up = false;
	} else {
		segment_failed(pg, segment, failure);
	}
	segment_free(segment);
	return up;
}

/* One result of the lane's first segment. False: the lane was lost. */
static bool segment_take(struct lane *lane, struct segment *segment, PGresult *result)
{
	bool up = true;
	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_SYNC: up = segment_synced(lane, segment); break;
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		segment->results++;
		if (segment->statement && segment->results == (segment->alone ? 2 : 1)) {
			segment->rows = result;
			return true;
		}
		break;
	case PGRES_PIPELINE_ABORTED: break; /* follows from the segment's error */
	case PGRES_FATAL_ERROR: up = segment_error(segment, result); break;
	default:
		snprintf(segment->message, sizeof segment->message, "a result of the kind %s",
			PQresStatus(PQresultStatus(result)));
		up = false;
	}
	bool sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	PQclear(result);
	if (!up && !sync) {
		char reason[MESSAGE_SIZE];
		snprintf(reason, sizeof reason, "%s", segment->message);
		lane_lost(lane, reason);
	}
	return up;
}

/* Takes the results that have come in whole. A statement's results end in a NULL, a sync's do not; more
 * than that in a row means that libpq and we disagree about what is in flight. */
static bool lane_take_results(struct lane *lane)
{
	struct segment *segment;
	unsigned nulls = 0;
	while ((segment = TAILQ_FIRST(&lane->segments)) && !PQisBusy(lane->conn)) {
		PGresult *result = PQgetResult(lane->conn);
		if (!result && nulls++ < 2)
			continue;
		if (!result) {
			lane_lost(lane, "results ended early");
			return false;
		}
		nulls = 0;
		if (!segment_take(lane, segment, result))
			return false;
	}
	return true;
}

/* TLS may keep a decrypted rest, of one record at most, that no event of the socket announces. */
static bool lane_read(struct lane *lane)
{
	for (int reads = PQsslInUse(lane->conn) ? 3 : 1; reads > 0; reads--) {
		bool open = PQconsumeInput(lane->conn);
		if (!lane_take_results(lane))
			return false;
		if (!open) {
			lane_lost(lane, PQerrorMessage(lane->conn));
			return false;
		}
	}
	return true;
}

static void lane_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct lane *lane = arg;
	if (lane_read(lane))
		lane_flush(lane);
	answer_all(lane->pg);
}

static void lane_writable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct lane *lane = arg;
	lane_flush(lane);
	answer_all(lane->pg);
}

/* --- lanes: connecting, losing --- */

static void lane_close(struct lane *lane)
{
	event_drop(&lane->connecting);
	event_drop(&lane->readable);
	event_drop(&lane->writable);
	lane->write_awaited = false;
	PQfinish(lane->conn);
	lane->conn = NULL;
	lane->state = LANE_WAITING;
	struct segment *segment;
	while ((segment = TAILQ_FIRST(&lane->segments))) {
		TAILQ_REMOVE(&lane->segments, segment, link);
		segment_lost(lane->pg, segment);
	}
}

static uint64_t backoff_ms(unsigned failures)
{
	uint64_t most = BACKOFF_MAX_MS;
	if (failures < 5)
		most = (uint64_t)BACKOFF_MIN_MS << (failures + 1);
	return BACKOFF_MIN_MS + arc4random_uniform((uint32_t)(most - BACKOFF_MIN_MS) + 1);
}

static void lane_lost(struct lane *lane, const char *reason)
{
	struct pg *pg = lane->pg;
	char line[MESSAGE_SIZE + 128];
	unsigned held;
	pg_one_line(reason, line, sizeof line);
	pg->stats.reconnects += lane_up(lane);
	if (gate_pass(&pg->lost_gate, &held))
		log_warn("PostgreSQL: lane %u %s: %s (%u more since the last such line)",
			(unsigned)(lane - pg->lanes), lane_up(lane) ? "lost" : "does not connect",
			line, held);
	lane_close(lane);
	if (!pg->down_since_ms && !pg_up(pg))
		pg->down_since_ms = now_ms();
	timer_set(lane->timer, backoff_ms(lane->failures));
	lane->failures++;
}

static void lane_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct lane *lane = arg;
	if (lane->state == LANE_WAITING)
		lane_connect(lane);
	else
		lane_lost(lane, "no connection in time");
	answer_all(lane->pg);
}

static void notice(UNUSED void *context, const char *message)
{
	char line[MESSAGE_SIZE];
	pg_one_line(message, line, sizeof line);
	log_warn("PostgreSQL: %s", line);
}

/* All statements in one segment: one round trip. */
static bool lane_send_prepares(struct lane *lane)
{
	const struct pg *pg = lane->pg;
	if (PQsetnonblocking(lane->conn, 1) || !PQenterPipelineMode(lane->conn) ||
		!PQsendPrepare(lane->conn, lock_timeout_name, pg_lock_timeout_sql, 0, NULL))
		return false;
	for (unsigned i = 0; i < pg->queue_count; i++) {
		const struct pg_statement *statement = pg->queues[i].statement;
		if (!PQsendPrepare(lane->conn, statement->name, statement->sql, 0, NULL))
			return false;
	}
	return PQpipelineSync(lane->conn);
}

static void lane_connected(struct lane *lane)
{
	struct pg *pg = lane->pg;
	evutil_socket_t fd = PQsocket(lane->conn);
	lane->state = LANE_PREPARING;
	lane->readable = event_new(pg->base, fd, EV_READ | EV_PERSIST, lane_readable, lane);
	lane->writable = event_new(pg->base, fd, EV_WRITE | EV_PERSIST, lane_writable, lane);
	CHECK(lane->readable && lane->writable);
	CHECK(event_priority_set(lane->readable, EVENT_STORES) == 0);
	CHECK(event_add(lane->readable, NULL) == 0);
	struct segment *segment = must_calloc(1, sizeof *segment);
	segment->give_up_ms = UINT64_MAX; /* lane->timer watches it */
	TAILQ_INSERT_TAIL(&lane->segments, segment, link);
	if (!lane_send_prepares(lane))
		lane_lost(lane, PQerrorMessage(lane->conn));
	else
		lane_flush(lane);
}

static void lane_connecting(evutil_socket_t fd, short what, void *arg);

/* The socket may be another one after each step: the event is made anew. */
static void lane_await_step(struct lane *lane, short what)
{
	lane->connecting = event_new(
		lane->pg->base, PQsocket(lane->conn), what, lane_connecting, lane);
	CHECK(lane->connecting && event_add(lane->connecting, NULL) == 0);
}

static void lane_connecting(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct lane *lane = arg;
	event_drop(&lane->connecting); /* before libpq can close the socket */
	switch (PQconnectPoll(lane->conn)) {
	case PGRES_POLLING_READING: lane_await_step(lane, EV_READ); break;
	case PGRES_POLLING_WRITING: lane_await_step(lane, EV_WRITE); break;
	case PGRES_POLLING_OK: lane_connected(lane); break;
	default: lane_lost(lane, PQerrorMessage(lane->conn));
	}
	answer_all(lane->pg);
}

static void lane_connect(struct lane *lane)
{
	struct pg *pg = lane->pg;
	lane->state = LANE_CONNECTING;
	lane->conn = PQconnectStartParams((const char *const *)pg->keywords.names,
		(const char *const *)pg->keywords.values, 0);
	if (PQstatus(lane->conn) == CONNECTION_BAD) { /* also of none, for want of memory */
		lane_lost(lane, PQerrorMessage(lane->conn));
		return;
	}
	PQsetNoticeProcessor(lane->conn, notice, NULL);
	timer_set(lane->timer, CONNECT_MS);
	lane_await_step(lane, EV_WRITE);
}

/* --- deadlines --- */

static void list_expire(struct pg *pg, struct op_list *list, uint64_t now, uint64_t *next_ms)
{
	struct pg_op *op;
	while ((op = TAILQ_FIRST(list)) && op->deadline_ms <= now) {
		pg->stats.overdue++;
		op_end(pg, list_take(pg, list), pg_up(pg) ? DB_BUSY : DB_UNAVAILABLE);
	}
	if (op && op->deadline_ms < *next_ms)
		*next_ms = op->deadline_ms;
}

/* The batch goes on without its overdue members: whether they happen is not known in time. */
static void segment_expire(struct pg *pg, struct segment *segment, uint64_t now, uint64_t *next_ms)
{
	for (unsigned i = 0; i < segment->count; i++) {
		struct pg_op *op = segment->ops[i];
		if (op && op->deadline_ms <= now) {
			segment->ops[i] = NULL;
			pg->stats.overdue++;
			op_end(pg, op, DB_UNKNOWN);
		} else if (op && op->deadline_ms < *next_ms) {
			*next_ms = op->deadline_ms;
		}
	}
	if (segment->give_up_ms < *next_ms)
		*next_ms = segment->give_up_ms;
}

/* PQcancel would block: a silent lane is closed, and the server's statement_timeout ends its work. */
static void lane_expire(struct lane *lane, uint64_t now, uint64_t *next_ms)
{
	bool silent = false;
	for (struct segment *segment = TAILQ_FIRST(&lane->segments); segment;
		segment = TAILQ_NEXT(segment, link)) {
		segment_expire(lane->pg, segment, now, next_ms);
		silent |= segment->give_up_ms <= now;
	}
	if (silent)
		lane_lost(lane, "no answer in time");
}

static void deadline_fired(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
	struct pg *pg = arg;
	uint64_t now = now_ms(), next_ms = UINT64_MAX;
	pg->deadline_timer_ms = 0;
	for (unsigned i = 0; i < pg->queue_count; i++)
		list_expire(pg, &pg->queues[i].waiting, now, &next_ms);
	list_expire(pg, &pg->alone, now, &next_ms);
	for (unsigned i = 0; i < pg->settings.lanes; i++)
		lane_expire(&pg->lanes[i], now, &next_ms);
	if (next_ms != UINT64_MAX)
		deadline_timer_set(pg, next_ms);
	answer_all(pg);
}

/* --- the whole --- */

static void pg_release(struct pg *pg)
{
	for (unsigned i = 0; i < pg->settings.lanes; i++)
		event_drop(&pg->lanes[i].timer);
	event_drop(&pg->wake);
	event_drop(&pg->deadline_timer);
	pg_keywords_free(&pg->keywords);
	pg_params_free(&pg->params);
	free(pg);
}

static void add_statements(struct pg *pg, const struct pg_statement *const *statements)
{
	for (; statements[pg->queue_count]; pg->queue_count++) {
		CHECK(pg->queue_count < STATEMENTS_MAX);
		struct statement_queue *queue = &pg->queues[pg->queue_count];
		queue->statement = statements[pg->queue_count];
		CHECK(queue->statement->encode && queue->statement->decode);
		TAILQ_INIT(&queue->waiting);
	}
}

struct pg *pg_new(struct event_base *base, const struct pg_settings *settings,
	const struct pg_statement *const *statements, char *why, size_t why_size)
{
	CHECK(settings->lanes && settings->batch_max && settings->waiting_max);
	struct pg *pg = must_calloc(1, sizeof *pg + settings->lanes * sizeof pg->lanes[0]);
	pg->base = base;
	pg->settings = *settings;
	pg->settings.url = NULL;
	pg->down_since_ms = now_ms();
	histogram_init(&pg->stats.batch_sizes, &histogram_sizes);
	histogram_init(&pg->stats.lane_waits_us, &histogram_times_us);
	histogram_init(&pg->stats.round_trips_us, &histogram_times_us);
	pg_params_init(&pg->params);
	if (!pg_keywords_set(&pg->keywords, settings, why, why_size)) {
		pg_release(pg);
		return NULL;
	}
	add_statements(pg, statements);
	TAILQ_INIT(&pg->alone);
	TAILQ_INIT(&pg->answers);
	pg->wake = evtimer_new(base, wake_fired, pg);
	pg->deadline_timer = evtimer_new(base, deadline_fired, pg);
	CHECK(pg->wake && pg->deadline_timer);
	for (unsigned i = 0; i < settings->lanes; i++) {
		struct lane *lane = &pg->lanes[i];
		lane->pg = pg;
		TAILQ_INIT(&lane->segments);
		lane->timer = evtimer_new(base, lane_timer, lane);
		CHECK(lane->timer);
		lane_connect(lane);
	}
	return pg;
}

void pg_free(struct pg *pg)
{
	if (!pg)
		return;
	CHECK(!pg->answering);
	pg->closing = true;
	for (unsigned i = 0; i < pg->settings.lanes; i++)
		lane_close(&pg->lanes[i]);
	while (!TAILQ_EMPTY(&pg->alone))
		op_end(pg, list_take(pg, &pg->alone), DB_UNAVAILABLE);
	for (unsigned i = 0; i < pg->queue_count; i++)
		while (!TAILQ_EMPTY(&pg->queues[i].waiting))
			op_end(pg, list_take(pg, &pg->queues[i].waiting), DB_UNAVAILABLE);
	while (!TAILQ_EMPTY(&pg->answers))
		answer_all(pg);
	pg_release(pg);
}

unsigned pg_lanes_up(const struct pg *pg)
{
	unsigned up = 0;
	for (unsigned i = 0; i < pg->settings.lanes; i++)
		up += lane_up(&pg->lanes[i]);
	return up;
}

bool pg_up(const struct pg *pg)
{
	return pg_lanes_up(pg) > 0;
}

unsigned pg_pending(const struct pg *pg)
{
	return pg->pending;
}

/* How long the oldest operation has waited without anything coming back. What was waited while no lane was up does
 * not count. */
static uint64_t stalled_us(const struct pg *pg)
{
	uint64_t now = clock_mono_us_now(), since = now;

	for (unsigned i = 0; i < pg->queue_count; i++) {
		const struct pg_op *head = TAILQ_FIRST(&pg->queues[i].waiting);
		if (head && head->submitted_us < since)
			since = head->submitted_us;
	}
	if (since < pg->synced_us)
		since = pg->synced_us;
	return now > since ? now - since : 0;
}

uint64_t pg_operation_ns(const struct pg *pg)
{
	unsigned up = pg_lanes_up(pg);

	return up ? pg->segment_us * 1000 / pg->settings.batch_max / up : 0;
}

uint64_t pg_backlog_ms(const struct pg *pg)
{
	if (pg->down_since_ms)
		return 0;
	uint64_t stalled_ms = stalled_us(pg) / 1000,
		 next_ms = pg->waiting * pg_operation_ns(pg) / 1000000;
	return stalled_ms > next_ms ? stalled_ms : next_ms;
}

const struct pg_stats *pg_stats(const struct pg *pg)
{
	return &pg->stats;
}
