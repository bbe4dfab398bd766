/*   join -> poll … -> look -> hold -> pay -> (some: cancel, for the money back) -> join
 *           poll -> (410) -> join     hold -> (409) -> look      hold -> cancel -> join
 *           look -> (nothing is free) -> cancel one that was paid, else leave -> join
 *           hold -> wait until it lapses -> pay -> (410) -> join
 *           pay  -> (402) -> charge -> pay
 *   stopped: … -> doubt (holds refused after an unknown outcome, once more) -> end
 *
 * A buyer has one connection for the walk, and a twin for the same request at once at another instance. */
#include "tests/faults/buyers.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/callers.h"
#include "tests/support/wait.h"

enum { TURN_MS = 4, TOKEN_MAX = 128, AGAIN_MS = 30, PAUSE_MS = 40, PATH_SIZE = 96 };
enum { SEATS_MOST = 3, PAID_MOST = 16, DOUBTS_MOST = 256, CHARGE = 5000, LAPSE_MARGIN_MS = 400 };
enum { NO_ENTRY = -1 };

enum step {
	STEP_JOIN,
	STEP_POLL,
	STEP_LOOK,
	STEP_HOLD,
	STEP_PAY,
	STEP_CHARGE,
	STEP_CANCEL,
	STEP_LEAVE,
	STEP_DOUBT,
	STEP_END,
	STEPS
};

static const char *const step_names[STEPS] = {
	"join", "poll", "look", "hold", "pay", "charge", "cancel", "leave", "doubt", "end"};

/* What a buyer does with a hold, each by its share of a hundred. */
enum plan { PLAN_PAY, PLAN_PAY_TWICE, PLAN_CANCEL, PLAN_LAPSE, PLAN_RACE, PLAN_REFUND, PLANS };

static const unsigned plan_shares[PLANS] = {50, 16, 8, 8, 8, 10};

/* What is asked for: these seats, or so many of any. */
struct seats {
	int64_t ids[SEATS_MOST];
	size_t count;
	bool any;
};

struct doubt {
	size_t entry;
	struct seats seats;
};

struct buyer {
	struct buyers *all;
	const struct person *person;
	enum step step;
	enum plan plan;
	uint64_t due_ms; /* when the step's request is to be sent */
	unsigned keys;
	char token[TOKEN_MAX], pass[TOKEN_MAX];
	struct seats seats;
	int64_t reservation_id, total;
	uint64_t lapses_ms;
	int64_t paid[PAID_MOST]; /* of the sale at hand */
	size_t paid_count;
	struct doubt doubts[DOUBTS_MOST];
	size_t doubt_count;
	size_t entry; /* of the keyed request at hand */
	struct caller caller;

	struct caller twin;
	long twin_entry; /* NO_ENTRY: what it does has no key */
	struct seats twin_seats; /* of a hold */
};

struct buyers {
	struct world *world;
	const struct sale *sale;
	struct buyer *list;
	size_t count, ended;
	bool stopping;
	struct callers callers;
	unsigned random;
	int64_t hold_ttl_ms;
	struct buyers_counts counts;
	char surprises[BUYERS_SURPRISES_SIZE];
	struct history history;
};

static unsigned any_below(struct buyers *all, unsigned limit)
{
	return (unsigned)rand_r(&all->random) % limit;
}

static bool is_keyed(enum step step)
{
	return step == STEP_HOLD || step == STEP_PAY || step == STEP_CHARGE || step == STEP_DOUBT;
}

static struct history *history_of(struct buyer *buyer)
{
	return &buyer->all->history;
}

/* A reply that the contract does not allow there: the run goes on, and has failed. */
static void surprise(struct buyer *buyer, const char *what, const struct answer *answer)
{
	struct buyers *all = buyer->all;
	size_t len = strlen(all->surprises), room = sizeof all->surprises - len;

	all->counts.surprises++;
	if (room > 512)
		snprintf(all->surprises + len, room, "%s, user %lld, reservation %lld: %d %.300s\n",
			what, (long long)buyer->person->id, (long long)buyer->reservation_id,
			answer->status, answer->body);
}

/* --- steps --- */

static void go(struct buyer *buyer, enum step step, uint64_t after_ms)
{
	struct buyers *all = buyer->all;
	bool wants_more = step == STEP_JOIN || step == STEP_POLL || step == STEP_LOOK ||
			  step == STEP_LEAVE;

	if (all->stopping && wants_more)
		step = buyer->doubt_count > 0 ? STEP_DOUBT : STEP_END;
	buyer->step = step;
	buyer->due_ms = all->callers.now_ms + after_ms;
	all->ended += step == STEP_END;
}

static void again(struct buyer *buyer)
{
	go(buyer, buyer->step, AGAIN_MS + any_below(buyer->all, AGAIN_MS));
}

static void start_over(struct buyer *buyer)
{
	buyer->reservation_id = 0;
	go(buyer, STEP_JOIN, any_below(buyer->all, PAUSE_MS));
}

static void start_key(struct buyer *buyer, enum step step, uint64_t after_ms)
{
	static const enum keyed_kind kinds[STEPS] = {
		[STEP_HOLD] = KEYED_HOLD, [STEP_PAY] = KEYED_PAY, [STEP_CHARGE] = KEYED_CHARGE};
	char key[HISTORY_KEY_SIZE];

	snprintf(key, sizeof key, "%lld-%u", (long long)buyer->person->id, ++buyer->keys);
	buyer->entry = history_add(history_of(buyer), kinds[step], buyer->person->id, key);
	history_at(history_of(buyer), buyer->entry)->reservation_id = buyer->reservation_id;
	go(buyer, step, after_ms);
}

static enum plan any_plan(struct buyers *all)
{
	unsigned share = any_below(all, 100), sum = 0;

	for (int plan = 0; plan < PLANS; plan++)
		if (share < (sum += plan_shares[plan]))
			return (enum plan)plan;
	return PLAN_PAY;
}

/* A hold that was refused afresh, or by a Redis that was lost, after or beside a try whose outcome is not known:
 * that try may still come through. It is asked for again at the end. */
static void doubt(struct buyer *buyer, size_t entry, const struct seats *seats)
{
	const struct history *history = history_of(buyer);
	const struct keyed_entry *of = history_at(history_of(buyer), entry);
	bool settled = of->body != NULL && (of->status == 201 || !history->redis_lost);

	if (of->kind != KEYED_HOLD || of->unknowns == 0 || settled)
		return;
	for (size_t i = 0; i < buyer->doubt_count; i++)
		if (buyer->doubts[i].entry == entry)
			return;
	cr_assert(buyer->doubt_count < DOUBTS_MOST);
	buyer->doubts[buyer->doubt_count++] = (struct doubt){entry, *seats};
	if (buyer->step == STEP_END) {
		buyer->all->ended--;
		go(buyer, STEP_DOUBT, 0);
	}
}

/* --- answers --- */

static bool is_paid(const struct buyer *buyer, int64_t reservation_id)
{
	for (size_t i = 0; i < buyer->paid_count; i++)
		if (buyer->paid[i] == reservation_id)
			return true;
	return false;
}

static void forget_paid(struct buyer *buyer, int64_t reservation_id)
{
	for (size_t i = 0; i < buyer->paid_count; i++)
		if (buyer->paid[i] == reservation_id)
			buyer->paid[i] = buyer->paid[--buyer->paid_count];
}

static void refund_one(struct buyer *buyer)
{
	buyer->reservation_id = buyer->paid[any_below(buyer->all, (unsigned)buyer->paid_count)];
	go(buyer, STEP_CANCEL, 0);
}

/* Nothing is free: who has seats gives some back, so that the sale goes on. */
static void on_nothing_free(struct buyer *buyer)
{
	if (buyer->paid_count > 0)
		refund_one(buyer);
	else
		go(buyer, STEP_LEAVE, PAUSE_MS);
}

static void on_place(struct buyer *buyer, struct answer *answer)
{
	const char *status = answer_text(answer, "status");

	snprintf(buyer->token, sizeof buyer->token, "%s", answer_text(answer, "token"));
	buyer->all->counts.stale += json_is_true(json_object_get(answer_json(answer), "stale"));
	if (strcmp(status, "admitted") == 0 &&
		json_is_string(json_object_get(answer_json(answer), "pass"))) {
		snprintf(buyer->pass, sizeof buyer->pass, "%s", answer_text(answer, "pass"));
		go(buyer, STEP_LOOK, 0);
	} else if (strcmp(status, "sold_out") == 0 && buyer->paid_count > 0) {
		refund_one(buyer);
	} else if (strcmp(status, "waiting") == 0 || strcmp(status, "sold_out") == 0) {
		go(buyer, STEP_POLL, (uint64_t)answer_int(answer, "poll_after_ms"));
	} else {
		surprise(buyer, "a place", answer);
		again(buyer);
	}
}

static void on_line(struct buyer *buyer, struct answer *answer)
{
	if (answer->status == 200 || (answer->status == 201 && buyer->step == STEP_JOIN)) {
		on_place(buyer, answer);
		return;
	}
	if (answer->status != 410 || buyer->step != STEP_POLL)
		surprise(buyer, step_names[buyer->step], answer);
	start_over(buyer);
}

/* One to three free seats in a row, where all crowd at the front, or anywhere; or just so many. */
static void pick_seats(struct buyer *buyer, const char *letters, size_t free_seats)
{
	struct buyers *all = buyer->all;
	size_t most = 1 + any_below(all, SEATS_MOST);
	size_t skip = any_below(all, 3) == 0 ? 0 : any_below(all, (unsigned)free_seats);

	buyer->seats.any = any_below(all, 4) == 0;
	if (buyer->seats.any) {
		buyer->seats.count = most;
		return;
	}
	buyer->seats.count = 0;
	for (size_t i = 0; letters[i] != '\0' && buyer->seats.count < most; i++)
		if (letters[i] == 'A' && (skip == 0 || skip-- == 0))
			buyer->seats.ids[buyer->seats.count++] = all->sale->seat_ids[i];
}

static void on_map(struct buyer *buyer, struct answer *answer)
{
	if (answer->status != 200) {
		surprise(buyer, "a seat map", answer);
		again(buyer);
		return;
	}
	const char *letters = answer_text(answer, "status");
	size_t free_seats = 0;
	cr_assert(strlen(letters) == buyer->all->sale->seat_count);
	for (const char *at = letters; *at != '\0'; at++)
		free_seats += *at == 'A';
	if (free_seats == 0) {
		on_nothing_free(buyer);
		return;
	}
	pick_seats(buyer, letters, free_seats);
	start_key(buyer, STEP_HOLD, 0);
}

static void follow_plan(struct buyer *buyer)
{
	switch (buyer->plan) {
	case PLAN_CANCEL: go(buyer, STEP_CANCEL, any_below(buyer->all, PAUSE_MS)); break;
	case PLAN_LAPSE:
		start_key(buyer, STEP_PAY,
			(uint64_t)buyer->all->hold_ttl_ms - LAPSE_MARGIN_MS / 2 +
				any_below(buyer->all, LAPSE_MARGIN_MS));
		break;
	default: start_key(buyer, STEP_PAY, any_below(buyer->all, PAUSE_MS)); break;
	}
}

static void on_hold(struct buyer *buyer, struct answer *answer)
{
	if (answer->status == 201) {
		buyer->all->counts.holds++;
		buyer->reservation_id = answer_int(answer, "id");
		buyer->plan = any_plan(buyer->all);
		follow_plan(buyer);
	} else if (answer->status == 409) {
		doubt(buyer, buyer->entry, &buyer->seats);
		go(buyer, STEP_LOOK, any_below(buyer->all, PAUSE_MS));
	} else {
		if (answer->status != 403)
			surprise(buyer, "a hold", answer);
		doubt(buyer, buyer->entry, &buyer->seats);
		start_over(buyer);
	}
}

static void on_paid(struct buyer *buyer)
{
	buyer->all->counts.payments++;
	if (buyer->paid_count < PAID_MOST)
		buyer->paid[buyer->paid_count++] = buyer->reservation_id;
	if (buyer->plan == PLAN_REFUND)
		go(buyer, STEP_CANCEL, any_below(buyer->all, PAUSE_MS));
	else
		start_over(buyer);
}

static void on_pay(struct buyer *buyer, struct answer *answer)
{
	bool raced = answer->status == 409 && buyer->plan == PLAN_RACE &&
		     answer_is(answer, "code", "reservation_cancelled");

	if (answer->status == 201) {
		on_paid(buyer);
	} else if (answer->status == 402) {
		start_key(buyer, STEP_CHARGE, 0);
	} else {
		if (answer->status != 410 && !raced)
			surprise(buyer, "a payment", answer);
		buyer->all->counts.lapses += answer->status == 410;
		start_over(buyer);
	}
}

static void on_charge(struct buyer *buyer, struct answer *answer)
{
	if (answer->status != 201)
		surprise(buyer, "a charge", answer);
	start_key(buyer, STEP_PAY, 0);
}

static void on_cancel(struct buyer *buyer, struct answer *answer)
{
	if (answer->status == 200)
		buyer->all->counts.cancellations++;
	else if (answer->status != 410 || is_paid(buyer, buyer->reservation_id))
		surprise(buyer, "a cancellation", answer);
	forget_paid(buyer, buyer->reservation_id);
	start_over(buyer);
}

/* It happened after all, or is refused again now that nothing of it can be on its way any more. */
static void on_doubt(struct buyer *buyer, struct answer *answer)
{
	if (answer->status != 201 && answer->status != 403 && answer->status != 409)
		surprise(buyer, "a hold once more", answer);
	buyer->doubt_count--;
	go(buyer, STEP_JOIN, 0);
}

static void note(struct buyer *buyer, size_t entry, const struct answer *answer, bool unknown)
{
	if (!unknown) {
		history_reply(history_of(buyer), entry, answer);
	} else if (strstr(answer->body, "\"outcome_unknown\"") != NULL) {
		buyer->all->counts.unknown++;
		history_unknown(history_of(buyer), entry);
	}
}

static void on_own_answer(struct buyer *buyer, struct answer *answer)
{
	static void (*const next[STEPS])(struct buyer *, struct answer *) = {on_line, on_line,
		on_map, on_hold, on_pay, on_charge, on_cancel, NULL, on_doubt, NULL};
	bool unknown = answer->status == 503 ||
		       strstr(answer->body, "\"request_in_flight\"") != NULL;

	if (is_keyed(buyer->step))
		note(buyer, buyer->entry, answer, unknown);
	if (unknown) {
		buyer->all->counts.refused += answer->status == 503;
		again(buyer);
	} else if (buyer->step == STEP_LEAVE) {
		if (answer->status != 204)
			surprise(buyer, "leaving", answer);
		start_over(buyer);
	} else {
		next[buyer->step](buyer, answer);
	}
}

/* What the walk does next is decided by its own request; the twin's only adds to the history. */
static void on_twin_answer(struct buyer *buyer, struct answer *answer)
{
	bool unknown = answer->status == 503 ||
		       strstr(answer->body, "\"request_in_flight\"") != NULL;

	if (buyer->twin_entry != NO_ENTRY)
		note(buyer, (size_t)buyer->twin_entry, answer, unknown);
	else if (answer->status != 200 && answer->status != 410 && !unknown)
		surprise(buyer, "a cancellation beside a payment", answer);
	if (buyer->twin_entry != NO_ENTRY && unknown)
		doubt(buyer, (size_t)buyer->twin_entry, &buyer->twin_seats);
}

static void on_answer(struct caller *caller, struct answer *answer)
{
	struct buyer *buyer = caller->owner;

	buyer->all->counts.in_flight--;
	buyer->all->counts.answered++;
	if (caller == &buyer->twin)
		on_twin_answer(buyer, answer);
	else
		on_own_answer(buyer, answer);
}

/* --- requests --- */

static const char *seats_body(
	const struct buyer *buyer, const struct seats *seats, char body[PATH_SIZE * 2])
{
	size_t len = (size_t)snprintf(body, PATH_SIZE, "{\"performance_id\":%lld,",
		(long long)buyer->all->sale->performance_id);

	if (seats->any) {
		snprintf(body + len, PATH_SIZE * 2 - len, "\"quantity\":%zu}", seats->count);
		return body;
	}
	len += (size_t)snprintf(body + len, PATH_SIZE * 2 - len, "\"seat_ids\":[");
	for (size_t i = 0; i < seats->count; i++)
		len += (size_t)snprintf(body + len, PATH_SIZE * 2 - len, "%s%lld", i > 0 ? "," : "",
			(long long)seats->ids[i]);
	snprintf(body + len, PATH_SIZE * 2 - len, "]}");
	return body;
}

static void send_twin(struct buyer *buyer, const struct call *call, long entry)
{
	unsigned instances = buyer->all->world->options.instances;

	if (buyer->twin.in_flight)
		return;
	buyer->twin.instance = (buyer->caller.instance + 1) % instances;
	buyer->twin_entry = entry;
	buyer->twin_seats = buyer->seats;
	caller_send(&buyer->twin, call);
}

/* Some requests go out twice at once, and some payments beside their own cancellation. */
static void send_beside(struct buyer *buyer, const struct call *call)
{
	char path[PATH_SIZE];

	if (buyer->step == STEP_HOLD && any_below(buyer->all, 5) == 0)
		send_twin(buyer, call, (long)buyer->entry);
	if (buyer->step == STEP_CHARGE && any_below(buyer->all, 3) == 0)
		send_twin(buyer, call, (long)buyer->entry);
	if (buyer->step == STEP_PAY && buyer->plan == PLAN_PAY_TWICE)
		send_twin(buyer, call, (long)buyer->entry);
	if (buyer->step != STEP_PAY || buyer->plan != PLAN_RACE)
		return;
	snprintf(path, sizeof path, "/v1/reservations/%lld", (long long)buyer->reservation_id);
	send_twin(buyer,
		&(struct call){.method = "DELETE", .path = path, .jwt = buyer->person->jwt},
		NO_ENTRY);
}

static void start_request(struct buyer *buyer)
{
	const struct sale *sale = buyer->all->sale;
	char path[PATH_SIZE] = "/v1/reservations", body[PATH_SIZE * 2];
	struct call call = {.method = "POST", .path = path, .jwt = buyer->person->jwt};

	if (buyer->step == STEP_DOUBT)
		buyer->entry = buyer->doubts[buyer->doubt_count - 1].entry;
	if (is_keyed(buyer->step))
		call.key = history_at(history_of(buyer), buyer->entry)->key;
	switch (buyer->step) {
	case STEP_JOIN:
		snprintf(path, sizeof path, "/v1/events/%lld/queue", (long long)sale->event_id);
		break;
	case STEP_POLL:
	case STEP_LEAVE:
		call.method = buyer->step == STEP_POLL ? "GET" : "DELETE";
		call.path = "/v1/queue";
		call.queue_token = buyer->token;
		break;
	case STEP_LOOK:
		call.method = "GET";
		snprintf(path, sizeof path, "/v1/performances/%lld/seats/status",
			(long long)sale->performance_id);
		break;
	case STEP_HOLD:
		call.body = seats_body(buyer, &buyer->seats, body);
		call.pass = buyer->pass;
		break;
	case STEP_DOUBT:
		call.body = seats_body(buyer, &buyer->doubts[buyer->doubt_count - 1].seats, body);
		break;
	case STEP_CHARGE:
		call.path = "/v1/me/balance/charges";
		snprintf(body, sizeof body, "{\"amount\":%d}", CHARGE);
		call.body = body;
		break;
	case STEP_CANCEL: call.method = "DELETE"; /* fall through */
	default:
		snprintf(path, sizeof path, "/v1/reservations/%lld%s",
			(long long)buyer->reservation_id,
			buyer->step == STEP_PAY ? "/payment" : "");
		break;
	}
	caller_send(&buyer->caller, &call);
	if (buyer->caller.in_flight)
		send_beside(buyer, &call);
}

static void on_sent(struct caller *caller)
{
	struct buyer *buyer = caller->owner;

	buyer->all->counts.in_flight++;
	if (caller == &buyer->caller && is_keyed(buyer->step))
		history_sent(history_of(buyer), buyer->entry);
	if (caller == &buyer->twin && buyer->twin_entry != NO_ENTRY)
		history_sent(history_of(buyer), (size_t)buyer->twin_entry);
}

static void lose_entry(struct buyer *buyer, size_t entry)
{
	buyer->all->counts.unknown++;
	history_unknown(history_of(buyer), entry);
}

/* What became of the request is not known, unless none of it was sent. */
static void on_lost(struct caller *caller, bool sent)
{
	struct buyer *buyer = caller->owner;
	struct buyers *all = buyer->all;

	all->counts.in_flight -= sent;
	all->counts.lost += sent;
	caller->instance = any_below(all, all->world->options.instances);
	if (caller == &buyer->twin) {
		if (sent && buyer->twin_entry != NO_ENTRY) {
			lose_entry(buyer, (size_t)buyer->twin_entry);
			doubt(buyer, (size_t)buyer->twin_entry, &buyer->twin_seats);
		}
		return;
	}
	if (sent && is_keyed(buyer->step))
		lose_entry(buyer, buyer->entry);
	again(buyer);
}

/* --- the loop --- */

struct buyers *buyers_new(struct world *world, const struct people *people, unsigned seed)
{
	struct buyers *all = must_calloc(1, sizeof *all);

	*all = (struct buyers){.world = world,
		.list = must_calloc(people->count, sizeof *all->list),
		.count = people->count,
		.ended = people->count,
		.callers = {.world = world,
			.hooks = {on_sent, on_answer, on_lost},
			.limit_ms = BUYERS_LIMIT_MS},
		.random = seed};
	callers_open(&all->callers);
	for (size_t i = 0; i < all->count; i++) {
		struct buyer *buyer = &all->list[i];
		unsigned instance = (unsigned)i % world->options.instances;

		*buyer = (struct buyer){.all = all, .person = &people->list[i], .step = STEP_END};
		caller_init(&all->callers, &buyer->caller, instance, buyer);
		caller_init(&all->callers, &buyer->twin, instance, buyer);
	}
	return all;
}

void buyers_free(struct buyers *buyers)
{
	for (size_t i = 0; i < buyers->count; i++) {
		caller_close(&buyers->list[i].caller);
		caller_close(&buyers->list[i].twin);
	}
	callers_close(&buyers->callers);
	history_free(&buyers->history);
	free(buyers->list);
	free(buyers);
}

void buyers_begin(struct buyers *buyers, const struct sale *sale, int64_t hold_ttl_ms)
{
	buyers->sale = sale;
	buyers->hold_ttl_ms = hold_ttl_ms;
	buyers->stopping = false;
	buyers->ended = 0;
	buyers->callers.now_ms = now_ms();
	for (size_t i = 0; i < buyers->count; i++) {
		struct buyer *buyer = &buyers->list[i];
		buyer->paid_count = 0;
		go(buyer, STEP_JOIN, any_below(buyers, 10 * PAUSE_MS));
	}
}

/* Who only wants something has begun nothing; what is in flight is waited for. */
void buyers_stop(struct buyers *buyers)
{
	buyers->stopping = true;
	for (size_t i = 0; i < buyers->count; i++) {
		struct buyer *buyer = &buyers->list[i];
		if (!buyer->caller.in_flight && buyer->step != STEP_END)
			go(buyer, buyer->step,
				buyer->due_ms > buyers->callers.now_ms
					? buyer->due_ms - buyers->callers.now_ms
					: 0);
	}
}

size_t buyers_busy(const struct buyers *buyers)
{
	size_t twins = 0;

	for (size_t i = 0; i < buyers->count; i++)
		twins += buyers->list[i].twin.in_flight;
	return buyers->count - buyers->ended + twins;
}

void buyers_turn(struct buyers *buyers)
{
	struct callers *callers = &buyers->callers;

	callers_turn(callers, TURN_MS);
	for (size_t i = 0; i < buyers->count; i++) {
		struct buyer *buyer = &buyers->list[i];
		caller_look_at_time(&buyer->caller);
		caller_look_at_time(&buyer->twin);
		if (!buyer->caller.in_flight && buyer->step != STEP_END &&
			buyer->due_ms <= callers->now_ms)
			start_request(buyer);
	}
}

static bool is_stuck(const struct caller *caller, unsigned instances, unsigned longer_than_ms)
{
	return caller->in_flight && instances & 1U << caller->instance &&
	       caller->all->now_ms + BUYERS_LIMIT_MS > caller->end_ms + longer_than_ms;
}

unsigned buyers_stuck(const struct buyers *buyers, unsigned instances, unsigned longer_than_ms)
{
	unsigned count = 0;

	for (size_t i = 0; i < buyers->count; i++) {
		count += is_stuck(&buyers->list[i].caller, instances, longer_than_ms);
		count += is_stuck(&buyers->list[i].twin, instances, longer_than_ms);
	}
	return count;
}

unsigned buyers_reset(struct buyers *buyers)
{
	unsigned count = 0, busy_before = 0;

	for (size_t i = 0; i < buyers->count; i++) {
		struct caller *caller = &buyers->list[i].caller;
		bool busy = caller->in_flight;

		if (busy ? busy_before++ % 2 == 0 : i % 3 == 0) {
			count += busy;
			caller_reset(caller);
		}
	}
	return count;
}

const struct buyers_counts *buyers_counts(const struct buyers *buyers)
{
	return &buyers->counts;
}

const char *buyers_surprises(const struct buyers *buyers)
{
	return buyers->surprises;
}

struct history *buyers_history(struct buyers *buyers)
{
	return &buyers->history;
}

void buyers_describe(const struct buyers *buyers, char *text, size_t size)
{
	unsigned at[STEPS] = {0};
	size_t len = 0;

	for (size_t i = 0; i < buyers->count; i++)
		at[buyers->list[i].step]++;
	text[0] = '\0';
	for (int i = 0; i < STEPS && len < size; i++)
		if (at[i] > 0)
			len += (size_t)snprintf(
				text + len, size - len, "%s %u ", step_names[i], at[i]);
}
