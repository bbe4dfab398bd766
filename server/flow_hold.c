/* Hold seats: gate and lock in Redis, then hold in PostgreSQL, which alone decides. Seats are named, or a quantity
 * is: then PostgreSQL chooses, nothing is locked in Redis before, and the seats get their markers behind it.
 *   hold_start -> (the performance is looked for once more -> performance_known) -> admit
 *     -> hold_first -> hold_locked -> hold_stored -> end
 *        hold_locked -> (Redis may have lost the pass: pass_known -> hold_locked)
 *        hold_locked -> (Redis is too young to know the key: looked_up -> hold_locked)
 *        hold_stored -> (others have locked what is left of a quantity: ask_again -> hold_stored)
 *        hold_stored -> (others have changed a seat that was looked at optimistically: ask_again -> hold_stored)
 * A missing or bad pass is no refusal yet: a repeat under a known key gets its first reply, pass or not. */
#include <stdio.h>
#include <string.h>
#include "db/store_reservations.h"
#include "lock/seat_lock.h"
#include "proto/base/clock.h"
#include "proto/json.h"
#include "proto/token.h"
#include "server/adopt.h"
#include "server/catalog.h"
#include "server/flows.h"
#include "server/keyed_flow.h"
#include "server/seat_map.h"

enum {
	SECTION_SIZE = STORE_SECTION_NAME_MAX * 4 + 1,
	WAITS_MAX = 5, /* each for seats that somebody else then got */
	CONFLICTS_MAX =
		3, /* lost by who looks at seats first and locks them then; after that he locks them first */
};

struct hold {
	struct keyed_flow keyed;
	struct catalog_wait catalog;
	struct catalog_performance *performance;
	struct store_hold store;
	struct seat_lock lock;
	bool pass_bad;
	enum problem pass_problem; /* why it is bad */
	struct queue_pass pass;
	bool has_pass_text;
	bool pass_ours; /* the text was made by us, whatever it is for */
	struct adopt_place place;
	bool pass_adopted; /* Redis did not know the pass, and was told of it */
	bool locked; /* the seats are locked in Redis for us, or may be */
	char section[SECTION_SIZE]; /* of a quantity */
	unsigned waits;
};

static void performance_known(struct catalog_wait *wait);
static void admit(struct hold *hold);
static void hold_first(struct keyed_flow *keyed);
static void acquire(struct hold *hold);
static void hold_locked(struct seat_lock *lock, enum seat_lock_result result);
static void pass_known(struct adopt_place *place, enum adopt_result result);
static void looked_up(struct pg_op *op, enum db_result result);
static void store(
	struct hold *hold, bool replay_only, void (*done)(struct pg_op *, enum db_result));
static void hold_stored(struct pg_op *op, enum db_result result);

static void hold_cleanup(struct flow *flow)
{
	store_reply_free(&((struct hold *)flow)->store.reply);
}

/* --- what is asked for --- */

static enum json_read read_section(
	struct hold *hold, struct json_object *body, struct json_errors *errors)
{
	const char *name = NULL;
	enum json_read read = json_read_text(
		body, "section", JSON_OPTIONAL, 1, STORE_SECTION_NAME_MAX, &name, errors);

	if (read == JSON_PRESENT) {
		strcpy(hold->section, name);
		hold->store.section = hold->section;
	}
	return read;
}

/* Either seats are named or a quantity is, the latter with a section or without. */
static bool read_fields(struct hold *hold, struct json_object *body)
{
	struct json_errors errors = {0};
	struct store_hold *store = &hold->store;
	int64_t most = hold->keyed.flow.app->settings.seat_per_hold_max;

	json_read_i64(body, "performance_id", JSON_REQUIRED, 1, INT64_MAX, &store->performance_id,
		&errors);
	enum json_read seats = json_read_ids(body, "seat_ids", JSON_OPTIONAL, (size_t)most,
		store->seat_ids, &store->seat_count, &errors);
	enum json_read quantity = json_read_i64(
		body, "quantity", JSON_OPTIONAL, 1, most, &store->quantity, &errors);
	enum json_read section = read_section(hold, body, &errors);
	if (seats == JSON_ABSENT && quantity == JSON_ABSENT)
		json_error_add(&errors, "seat_ids", "is required, or a quantity");
	if (seats != JSON_ABSENT && quantity != JSON_ABSENT)
		json_error_add(&errors, "quantity", "may not come with seat_ids");
	if (section != JSON_ABSENT && quantity == JSON_ABSENT)
		json_error_add(&errors, "section", "may only come with a quantity");
	if (errors.count > 0)
		flow_fail_validation(&hold->keyed.flow, &errors);
	return errors.count == 0;
}

void hold_start(const struct request *request)
{
	struct hold *hold = flow_new(sizeof *hold, request);
	struct json_object *body;

	if (hold == NULL)
		return;
	struct flow *flow = &hold->keyed.flow;
	flow->cleanup = hold_cleanup;
	if (!flow_read_idem(flow, request, &hold->keyed.idem) ||
		(body = flow_read_body(flow, request, false)) == NULL)
		return;
	bool good = read_fields(hold, body);
	json_object_free(body);
	if (!good)
		return;
	const char *pass = http_header(request->parser, "x-queue-pass");
	hold->has_pass_text = pass != NULL;
	hold->pass_ours = pass != NULL &&
			  queue_pass_verify(flow->app->token_key, pass, &hold->pass);
	hold->store.user_id = request->user_id;
	hold->performance = catalog_performance(flow->app->catalog, hold->store.performance_id);
	if (hold->performance != NULL) {
		admit(hold);
		return;
	}
	hold->catalog.done = performance_known;
	hold->catalog.owner = hold;
	catalog_refresh(flow->app->catalog, &hold->catalog);
}

static void performance_known(struct catalog_wait *wait)
{
	struct hold *hold = wait->owner;
	const struct catalog *catalog = hold->keyed.flow.app->catalog;

	hold->performance = catalog_performance(catalog, hold->store.performance_id);
	if (hold->performance != NULL)
		admit(hold);
	else
		flow_fail(&hold->keyed.flow, catalog_loaded(catalog) ? PROBLEM_PERFORMANCE_NOT_FOUND
								     : PROBLEM_UNAVAILABLE);
}

/* --- may this person? --- */

static bool pass_good(struct hold *hold)
{
	const struct store_event *event = &hold->performance->event->row;

	if (!event->queue_enabled)
		return true;
	if (!hold->has_pass_text)
		hold->pass_problem = PROBLEM_QUEUE_PASS_REQUIRED;
	else if (!hold->pass_ours || hold->pass.event_id != event->id ||
		 hold->pass.user_id != hold->store.user_id)
		hold->pass_problem = PROBLEM_QUEUE_PASS_INVALID;
	else if (hold->pass.expires_unix_ms <= clock_unix_ms())
		hold->pass_problem = PROBLEM_QUEUE_PASS_EXPIRED;
	else
		return true;
	return false;
}

static void admit(struct hold *hold)
{
	if (!catalog_open(hold->performance->event)) {
		flow_fail(&hold->keyed.flow, PROBLEM_SALE_NOT_OPEN);
		return;
	}
	hold->pass_bad = !pass_good(hold);
	keyed_start(&hold->keyed, hold_first);
}

/* --- the lock --- */

static void hold_first(struct keyed_flow *keyed)
{
	struct hold *hold = (struct hold *)keyed;

	if (keyed->flow.app->locks != NULL) {
		acquire(hold);
		return;
	}
	store(hold, hold->pass_bad, hold_stored);
}

static void acquire(struct hold *hold)
{
	const struct store_event *event = &hold->performance->event->row;
	bool key_is_new = hold->lock.key_is_new;

	hold->lock = (struct seat_lock){.done = hold_locked,
		.owner = hold,
		.event_id = event->id,
		.user_id = hold->store.user_id,
		.seat_count = hold->store.seat_count,
		.key = hold->keyed.idem.key,
		.body = hold->keyed.idem.body,
		.request_id = hold->keyed.idem.request_id,
		.need_pass = event->queue_enabled,
		.pass_bad = hold->pass_bad,
		.pass_nonce = hold->pass.nonce,
		.key_is_new = key_is_new};
	memcpy(hold->lock.seat_ids, hold->store.seat_ids,
		hold->store.seat_count * sizeof hold->store.seat_ids[0]);
	seat_lock_acquire(hold->keyed.flow.app->locks, &hold->lock);
}

static void release(struct hold *hold)
{
	if (hold->locked)
		seat_lock_release(hold->keyed.flow.app->locks, hold->performance->event->row.id,
			hold->store.seat_ids, hold->store.seat_count, &hold->keyed.idem.key);
	hold->locked = false;
}

/* A refusal that Redis decided: this document, to the byte, whenever the key comes again. */
static void reply_taken(struct hold *hold, const char *request_id, bool replayed)
{
	struct buf extra = BUF_INIT(8 * 1024), body = BUF_INIT(16 * 1024);

	buf_append_text(&extra, ",\"seat_ids\":[");
	for (size_t i = 0; i < hold->lock.refused_count; i++) {
		if (i > 0)
			buf_append_char(&extra, ',');
		buf_append_i64(&extra, hold->lock.refused_ids[i]);
	}
	buf_append_char(&extra, ']');
	problem_write(&body, PROBLEM_SEAT_UNAVAILABLE, NULL, request_id, extra.data);
	keyed_reply(&hold->keyed, problem_status(PROBLEM_SEAT_UNAVAILABLE), body.data, body.len,
		replayed);
	buf_free(&extra);
	buf_free(&body);
}

static void refuse_pass(struct hold *hold)
{
	enum problem problem = hold->pass_bad ? hold->pass_problem : PROBLEM_QUEUE_PASS_INVALID;

	release(hold);
	keyed_fail(&hold->keyed, problem);
}

/* A pass that is good by its signature, and that Redis does not know: it has ended, or was lost. */
static void adopt_pass(struct hold *hold)
{
	if (hold->pass_bad || hold->pass_adopted) {
		refuse_pass(hold);
		return;
	}
	hold->pass_adopted = true;
	hold->place = (struct adopt_place){.done = pass_known,
		.owner = hold,
		.event = hold->performance->event,
		.user_id = hold->store.user_id,
		.pass_nonce = hold->pass.nonce,
		.pass_expires_unix_ms = hold->pass.expires_unix_ms};
	adopt_place(hold->keyed.flow.app, &hold->place);
}

static void pass_known(struct adopt_place *place, enum adopt_result result)
{
	struct hold *hold = place->owner;

	if (result == ADOPT_PASS_LIVE)
		acquire(hold);
	else if (result == ADOPT_UNKNOWN)
		keyed_fail(&hold->keyed, PROBLEM_UNAVAILABLE);
	else
		refuse_pass(hold);
}

static void hold_locked(struct seat_lock *lock, enum seat_lock_result result)
{
	struct hold *hold = lock->owner;

	flow_mark(&hold->keyed.flow, STAGE_REDIS);
	hold->locked = lock->seat_count > 0 &&
		       (result == SEAT_LOCK_OURS || result == SEAT_LOCK_AWAY);
	switch (result) {
	case SEAT_LOCK_OURS: store(hold, false, hold_stored); break;
	case SEAT_LOCK_KEY_KNOWN:
	case SEAT_LOCK_AWAY: store(hold, hold->pass_bad, hold_stored); break;
	case SEAT_LOCK_LOOK_UP: store(hold, true, looked_up); break;
	case SEAT_LOCK_NO_PASS: adopt_pass(hold); break;
	case SEAT_LOCK_TAKEN: reply_taken(hold, hold->keyed.idem.request_id, false); break;
	case SEAT_LOCK_REPLAY:
		if (memcmp(&lock->refused_body, &lock->body, sizeof lock->body) != 0)
			keyed_fail(&hold->keyed, PROBLEM_IDEMPOTENCY_KEY_REUSED);
		else
			reply_taken(hold, lock->refused_request_id, true);
		break;
	}
}

static void looked_up(struct pg_op *op, enum db_result result)
{
	struct hold *hold = op->owner;

	flow_mark(&hold->keyed.flow, STAGE_POSTGRESQL);
	if (result == DB_OK && hold->store.outcome == STORE_KEY_UNKNOWN) {
		hold->lock.key_is_new = true;
		acquire(hold);
	} else {
		hold_stored(op, result);
	}
}

/* --- the decision --- */

static void store(struct hold *hold, bool replay_only, void (*done)(struct pg_op *, enum db_result))
{
	const struct app *app = hold->keyed.flow.app;

	hold->store.op.done = done;
	hold->store.op.owner = hold;
	hold->store.idem = hold->keyed.idem;
	hold->store.hold_ttl_ms = app->settings.seat_hold_ttl_ms;
	hold->store.pass_nonce = hold->performance->event->row.queue_enabled
					 ? (int64_t)hold->pass.nonce
					 : 0;
	hold->store.currency = app->settings.pay_currency;
	hold->store.user_limit = app->settings.seat_per_user_max;
	hold->store.optimistic = app->optimistic;
	hold->store.replay_only = replay_only;
	store_hold(app->pg, &hold->store);
}

/* The seats are ours, chosen by us or by PostgreSQL: say so in Redis, to the ticker, and to readers of the seat map.
 * Also when a repeat finds it so: whoever held them may not have come this far. */
static void mark_held(struct hold *hold)
{
	struct app *app = hold->keyed.flow.app;
	const struct store_hold *store = &hold->store;
	int64_t event_id = hold->performance->event->row.id;

	if (!store->reply.replayed) {
		app->counters.holds++;
		catalog_seats_taken(hold->performance, (int64_t)store->seat_count);
	}
	if (app->locks != NULL)
		seat_lock_hold(app->locks, event_id, store->seat_ids, store->seat_count,
			&hold->keyed.idem.key, store->hold_left_ms);
	if (hold->performance->event->row.queue_enabled)
		queue_holding(app->queue, event_id, store->user_id,
			clock_unix_ms() + store->hold_left_ms);
	seat_map_drop(app->seat_maps, store->performance_id);
}

/* PostgreSQL refused what Redis let through: give the locks back, and tell Redis what is sold. */
static void mark_refused(struct hold *hold)
{
	const struct store_hold *store = &hold->store;
	int64_t sold[STORE_SEATS_MAX];
	size_t count = 0;

	release(hold);
	if (!store->reply.replayed)
		hold->keyed.flow.app->counters.holds_lost++;
	for (size_t i = 0; i < store->taken_count; i++)
		if (store->taken_sold[i])
			sold[count++] = store->taken_ids[i];
	if (count > 0 && hold->keyed.flow.app->locks != NULL)
		seat_lock_sold(hold->keyed.flow.app->locks, hold->performance->event->row.id, sold,
			count, NULL);
}

/* Not kept under the key: a cancellation makes room. */
static void refuse_more(struct hold *hold)
{
	struct json_errors errors = {0};
	char message[80];

	snprintf(message, sizeof message, "may not make it more than %lld of this performance",
		(long long)hold->store.user_limit);
	json_error_add(&errors, hold->store.quantity > 0 ? "quantity" : "seat_ids", message);
	keyed_fail_validation(&hold->keyed, &errors);
}

static void refuse_section(struct hold *hold)
{
	struct json_errors errors = {0};

	json_error_add(&errors, "section", "is none of this performance");
	keyed_fail_validation(&hold->keyed, &errors);
}

/* Of a quantity: the seats that are left are being decided about, and whether there are enough shows when that is
 * over: PostgreSQL waits for them. In vain only where others get them first, time and again. Of named seats: others
 * were faster, as a new look will show. */
static void ask_again(struct hold *hold)
{
	bool named = hold->store.quantity == 0;

	if (named)
		hold->keyed.flow.app->counters.seat_conflicts++;
	if (hold->waits++ == WAITS_MAX) {
		release(hold);
		keyed_fail(&hold->keyed, PROBLEM_BUSY);
		return;
	}
	hold->store.waits = !named || hold->waits >= CONFLICTS_MAX;
	store(hold, false, hold_stored);
}

static void refuse(struct hold *hold)
{
	enum store_outcome outcome = hold->store.outcome;

	release(hold);
	if (outcome == STORE_REFUSED)
		refuse_more(hold);
	else if (outcome == STORE_NOT_FOUND && hold->store.quantity > 0)
		refuse_section(hold);
	else
		keyed_fail_store(&hold->keyed, outcome, PROBLEM_SEAT_NOT_FOUND, PROBLEM_INTERNAL);
}

static void hold_stored(struct pg_op *op, enum db_result result)
{
	struct hold *hold = op->owner;
	const struct store_reply *reply = &hold->store.reply;

	flow_mark(&hold->keyed.flow, STAGE_POSTGRESQL);
	if (result == DB_UNKNOWN) { /* it may be held: the lock stays until it lapses */
		keyed_fail_db(&hold->keyed, result);
		return;
	}
	if (result != DB_OK) {
		release(hold);
		keyed_fail_db(&hold->keyed, result);
		return;
	}
	if (hold->store.outcome == STORE_KEY_UNKNOWN) {
		refuse_pass(hold);
		return;
	}
	if (hold->store.outcome == STORE_UNDECIDED) {
		ask_again(hold);
		return;
	}
	if (hold->store.outcome != STORE_REPLY) {
		refuse(hold);
		return;
	}
	if (hold->store.hold_left_ms > 0)
		mark_held(hold);
	else
		mark_refused(hold);
	keyed_reply(&hold->keyed, reply->status, reply->body, reply->body_len, reply->replayed);
}
