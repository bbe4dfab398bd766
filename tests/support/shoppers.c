/*   join -> poll … -> look -> hold -> pay -> (every fourth: repeat) -> end
 *           poll -> (all sold) -> end           hold -> (too late) -> look
 *           look -> (all sold) -> leave -> join any -> (place or pass ran out) -> join
 *
 * A shopper has at most one request in flight, on a connection of his own. */
#include "tests/support/shoppers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/callers.h"
#include "tests/support/wait.h"

enum { TURN_MS = 5, TOKEN_MAX = 128, AGAIN_MS = 20, REPEAT_EVERY = 4 };

enum step {
	STEP_JOIN,
	STEP_POLL,
	STEP_LOOK,
	STEP_HOLD,
	STEP_PAY,
	STEP_REPEAT,
	STEP_LEAVE,
	STEP_END,
	STEPS
};

static const char *const step_names[STEPS] = {
	"join", "poll", "look", "hold", "pay", "repeat", "leave", "end"};

struct shopper {
	struct shoppers *all;
	const struct person *person;
	enum step step;
	uint64_t due_ms; /* when the step's request is to be sent */
	unsigned keys;
	char token[TOKEN_MAX], pass[TOKEN_MAX];
	int64_t seat_id, reservation_id;
	size_t entry; /* of the hold or payment at hand */
	struct caller caller;
};

struct shoppers {
	struct world *world;
	const struct sale *sale;
	struct shopper *list;
	size_t count, ended;
	struct callers callers;
	unsigned random;
	struct shoppers_counts counts;
	struct history history;
};

static unsigned any_below(struct shoppers *all, unsigned limit)
{
	return (unsigned)rand_r(&all->random) % limit;
}

static bool is_keyed(enum step step)
{
	return step == STEP_HOLD || step == STEP_PAY || step == STEP_REPEAT;
}

/* --- steps --- */

static void go(struct shopper *shopper, enum step step, uint64_t after_ms)
{
	shopper->step = step;
	shopper->due_ms = shopper->all->callers.now_ms + after_ms;
	shopper->all->ended += step == STEP_END;
}

/* The same once more, a moment later. */
static void again(struct shopper *shopper)
{
	go(shopper, shopper->step, AGAIN_MS + any_below(shopper->all, AGAIN_MS));
}

static void start_key(struct shopper *shopper, enum keyed_kind kind)
{
	struct history *history = &shopper->all->history;
	char key[HISTORY_KEY_SIZE];

	snprintf(key, sizeof key, "%lld-%u", (long long)shopper->person->id, ++shopper->keys);
	shopper->entry = history_add(history, kind, shopper->person->id, key);
	history_at(history, shopper->entry)->reservation_id = shopper->reservation_id;
}

static void rejoin(struct shopper *shopper)
{
	shopper->all->counts.rejoined++;
	go(shopper, STEP_JOIN, 0);
}

static void on_place(struct shopper *shopper, struct answer *answer)
{
	const char *status = answer_text(answer, "status");

	snprintf(shopper->token, sizeof shopper->token, "%s", answer_text(answer, "token"));
	if (strcmp(status, "admitted") == 0) {
		snprintf(shopper->pass, sizeof shopper->pass, "%s", answer_text(answer, "pass"));
		go(shopper, STEP_LOOK, 0);
	} else if (strcmp(status, "sold_out") == 0) {
		shopper->all->counts.sold_out++;
		go(shopper, STEP_END, 0);
	} else {
		cr_assert(strcmp(status, "waiting") == 0, "a place of status %s", status);
		go(shopper, STEP_POLL, (uint64_t)answer_int(answer, "poll_after_ms"));
	}
}

static void on_map(struct shopper *shopper, struct answer *answer)
{
	struct shoppers *all = shopper->all;
	const char *letters = answer_text(answer, "status");
	size_t free_seats = 0, held = 0, count = strlen(letters);

	cr_assert(count == all->sale->seat_count);
	for (size_t i = 0; i < count; i++) {
		held += letters[i] == 'H';
		if (letters[i] == 'A' && any_below(all, (unsigned)++free_seats) == 0)
			shopper->seat_id = all->sale->seat_ids[i];
	}
	if (free_seats > 0) {
		start_key(shopper, KEYED_HOLD);
		go(shopper, STEP_HOLD, 0);
	} else if (held > 0) {
		again(shopper);
	} else {
		go(shopper, STEP_LEAVE, 0);
	}
}

static void on_hold(struct shopper *shopper, struct answer *answer)
{
	if (answer->status == 201) {
		shopper->reservation_id = answer_int(answer, "id");
		start_key(shopper, KEYED_PAY);
		go(shopper, STEP_PAY, 0);
	} else if (answer->status == 409) {
		cr_assert(answer_is(answer, "code", "seat_unavailable"), "%s", answer->body);
		shopper->all->counts.seats_lost++;
		shopper->reservation_id = 0;
		go(shopper, STEP_LOOK, AGAIN_MS + any_below(shopper->all, AGAIN_MS));
	} else {
		cr_assert(answer->status == 403, "a hold was answered with %d %s", answer->status,
			answer->body);
		rejoin(shopper);
	}
}

static void on_pay(struct shopper *shopper, struct answer *answer)
{
	if (answer->status == 410) {
		shopper->reservation_id = 0;
		rejoin(shopper);
		return;
	}
	cr_assert(answer->status == 201, "a payment was answered with %d %s", answer->status,
		answer->body);
	if (shopper->step == STEP_PAY && shopper->person->id % REPEAT_EVERY == 0) {
		go(shopper, STEP_REPEAT, 0);
		return;
	}
	shopper->all->counts.paid++;
	go(shopper, STEP_END, 0);
}

static void on_answer(struct caller *caller, struct answer *answer)
{
	struct shopper *shopper = caller->owner;
	struct shoppers_counts *counts = &shopper->all->counts;
	bool unknown = answer->status == 503 ||
		       strstr(answer->body, "\"request_in_flight\"") != NULL;

	if (is_keyed(shopper->step)) {
		counts->keyed_in_flight--;
		counts->keyed_answered++;
		if (unknown && strstr(answer->body, "\"outcome_unknown\"") != NULL)
			history_unknown(&shopper->all->history, shopper->entry);
		else
			history_reply(&shopper->all->history, shopper->entry, answer);
	}
	if (unknown) {
		counts->shed++;
		again(shopper);
		return;
	}
	switch (shopper->step) {
	case STEP_JOIN:
	case STEP_POLL:
		if (answer->status == 410 && shopper->step == STEP_POLL) {
			rejoin(shopper);
			break;
		}
		cr_assert(answer->status / 100 == 2, "%s: %d %s", step_names[shopper->step],
			answer->status, answer->body);
		on_place(shopper, answer);
		break;
	case STEP_LOOK: on_map(shopper, answer); break;
	case STEP_HOLD: on_hold(shopper, answer); break;
	case STEP_PAY:
	case STEP_REPEAT: on_pay(shopper, answer); break;
	case STEP_LEAVE:
		cr_assert(answer->status == 204, "leaving was answered with %d", answer->status);
		counts->turned_away++;
		go(shopper, STEP_JOIN, 0);
		break;
	case STEP_END:
	case STEPS: cr_assert_fail("an answer that nobody asked for");
	}
}

/* --- requests --- */

static void start_request(struct shopper *shopper)
{
	const struct sale *sale = shopper->all->sale;
	char path[96] = "/v1/queue", body[96];
	struct call call = {.method = "POST", .path = path, .jwt = shopper->person->jwt};

	if (is_keyed(shopper->step))
		call.key = history_at(&shopper->all->history, shopper->entry)->key;
	switch (shopper->step) {
	case STEP_JOIN:
		snprintf(path, sizeof path, "/v1/events/%lld/queue", (long long)sale->event_id);
		break;
	case STEP_POLL:
	case STEP_LEAVE:
		call = (struct call){.method = shopper->step == STEP_POLL ? "GET" : "DELETE",
			.path = path,
			.queue_token = shopper->token};
		break;
	case STEP_LOOK:
		snprintf(path, sizeof path, "/v1/performances/%lld/seats/status",
			(long long)sale->performance_id);
		call = (struct call){.method = "GET", .path = path};
		break;
	case STEP_HOLD:
		snprintf(path, sizeof path, "/v1/reservations");
		snprintf(body, sizeof body, "{\"performance_id\":%lld,\"seat_ids\":[%lld]}",
			(long long)sale->performance_id, (long long)shopper->seat_id);
		call.body = body;
		call.pass = shopper->pass;
		break;
	default:
		snprintf(path, sizeof path, "/v1/reservations/%lld/payment",
			(long long)shopper->reservation_id);
		break;
	}
	caller_send(&shopper->caller, &call);
}

static void on_sent(struct caller *caller)
{
	struct shopper *shopper = caller->owner;

	if (!is_keyed(shopper->step))
		return;
	shopper->all->counts.keyed_in_flight++;
	history_sent(&shopper->all->history, shopper->entry);
}

/* What became of the request is not known, unless none of it was sent. */
static void on_lost(struct caller *caller, bool sent)
{
	struct shopper *shopper = caller->owner;
	struct shoppers *all = shopper->all;

	caller->instance = any_below(all, all->world->options.instances);
	if (sent) {
		all->counts.lost++;
		if (is_keyed(shopper->step)) {
			all->counts.keyed_in_flight--;
			history_unknown(&all->history, shopper->entry);
		}
	}
	again(shopper);
}

/* --- the loop --- */

struct shoppers *shoppers_new(
	struct world *world, const struct sale *sale, const struct people *people, unsigned seed)
{
	struct shoppers *all = must_calloc(1, sizeof *all);

	*all = (struct shoppers){.world = world,
		.sale = sale,
		.list = must_calloc(people->count, sizeof *all->list),
		.count = people->count,
		.callers = {.world = world, .hooks = {on_sent, on_answer, on_lost}},
		.random = seed};
	callers_open(&all->callers);
	for (size_t i = 0; i < all->count; i++) {
		struct shopper *shopper = &all->list[i];
		*shopper = (struct shopper){.all = all, .person = &people->list[i]};
		caller_init(&all->callers, &shopper->caller, (unsigned)i % world->options.instances,
			shopper);
	}
	return all;
}

void shoppers_free(struct shoppers *shoppers)
{
	for (size_t i = 0; i < shoppers->count; i++)
		caller_close(&shoppers->list[i].caller);
	callers_close(&shoppers->callers);
	history_free(&shoppers->history);
	free(shoppers->list);
	free(shoppers);
}

static void fail_late(const struct shoppers *all)
{
	unsigned at[STEPS] = {0};

	for (size_t i = 0; i < all->count; i++)
		at[all->list[i].step]++;
	for (int i = 0; i < STEPS; i++)
		fprintf(stderr, "at %s: %u\n", step_names[i], at[i]);
	cr_assert_fail(
		"it did not end in time for %zu of %zu; %u paid, %u sold out, %u rejoined, %u shed",
		all->count - all->ended, all->count, all->counts.paid, all->counts.sold_out,
		all->counts.rejoined, all->counts.shed);
}

void shoppers_run(struct shoppers *shoppers, unsigned limit_ms,
	void (*turn)(struct shoppers *shoppers, void *context), void *context)
{
	struct callers *callers = &shoppers->callers;
	uint64_t end_ms = now_ms() + limit_ms;

	while (shoppers->ended < shoppers->count) {
		callers->now_ms = now_ms();
		if (callers->now_ms >= end_ms)
			fail_late(shoppers);
		for (size_t i = 0; i < shoppers->count; i++) {
			struct shopper *shopper = &shoppers->list[i];
			if (!shopper->caller.in_flight && shopper->step != STEP_END &&
				shopper->due_ms <= callers->now_ms)
				start_request(shopper);
		}
		callers_turn(callers, TURN_MS);
		if (turn != NULL)
			turn(shoppers, context);
	}
}

const struct shoppers_counts *shoppers_counts(const struct shoppers *shoppers)
{
	return &shoppers->counts;
}

struct history *shoppers_history(struct shoppers *shoppers)
{
	return &shoppers->history;
}
