/*   adopt_epoch -> epoch_given -> epoch_adopted
 *   adopt_place -> used_known -> restore -> (restored -> place_epoch_begun -> restore) -> restored
 *   adopt_keys -> keys_looked_up */
#include "server/adopt.h"

#include <stdlib.h>
#include "db/store_catalog.h"
#include "db/store_reservations.h"
#include "lock/seat_lock.h"
#include "proto/base/check.h"
#include "proto/base/log.h"
#include "server/catalog.h"

struct adoption {
	struct app *app;
	struct catalog_event *event;
	int64_t number; /* that showed the need */
	struct store_epoch store;
	STAILQ_HEAD(, adopt_wait) waits;
};

static void epoch_given(struct pg_op *op, enum db_result result);
static void epoch_adopted(void *context, enum db_result result, bool begun);

static void adoption_end(struct adoption *adoption, bool adopted)
{
	struct adopt_wait *wait;

	adoption->event->adoption = NULL;
	while ((wait = STAILQ_FIRST(&adoption->waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&adoption->waits, link);
		wait->done(wait, adopted);
	}
	free(adoption);
}

void adopt_epoch(
	struct app *app, struct catalog_event *event, int64_t number, struct adopt_wait *wait)
{
	struct adoption *adoption = event->adoption;
	bool running = adoption != NULL;

	if (!running) {
		adoption = must_calloc(1, sizeof *adoption);
		adoption->app = app;
		adoption->event = event;
		adoption->number = number;
		STAILQ_INIT(&adoption->waits);
		event->adoption = adoption;
	}
	if (wait != NULL)
		STAILQ_INSERT_TAIL(&adoption->waits, wait, link);
	if (running)
		return;
	adoption->store = (struct store_epoch){
		.op = {.done = epoch_given, .owner = adoption}, .event_id = event->row.id};
	store_epoch(app->pg, &adoption->store);
}

static void epoch_given(struct pg_op *op, enum db_result result)
{
	static const enum queue_shuffle states[] = {
		[STORE_SHUFFLE_NONE] = QUEUE_SHUFFLE_NONE,
		[STORE_SHUFFLE_TO_COME] = QUEUE_SHUFFLE_PENDING,
		[STORE_SHUFFLE_DONE] = QUEUE_SHUFFLE_DONE,
	};
	struct adoption *adoption = op->owner;
	int64_t epoch = adoption->store.epoch;

	if (result != DB_OK || !adoption->store.found) {
		adoption_end(adoption, false);
		return;
	}
	int64_t rest_ms = epoch == 1 ? 0 : 2 * adoption->app->settings.queue_poll_max_ms;
	queue_adopt(adoption->app->queue, adoption->event->row.id, epoch, adoption->number, rest_ms,
		states[adoption->store.shuffle], epoch_adopted, adoption);
}

static void epoch_adopted(void *context, enum db_result result, bool begun)
{
	struct adoption *adoption = context;

	if (begun && adoption->store.epoch > 1)
		log_warn(
			"event %lld: Redis lost its line or part of it; epoch %lld begins, after a rest",
			(long long)adoption->event->row.id, (long long)adoption->store.epoch);
	adoption_end(adoption, result == DB_OK);
}

/* --- places and passes --- */

static void used_known(struct pg_op *op, enum db_result result);
static void restore(struct adopt_place *place);
static void restored(struct queue_restore *queue_restore, enum db_result result);
static void place_epoch_begun(struct adopt_wait *wait, bool adopted);

void adopt_place(struct app *app, struct adopt_place *place)
{
	place->app = app;
	place->epoch_begun = false;
	place->store = (struct store_place_used){.op = {.done = used_known, .owner = place},
		.event_id = place->event->row.id,
		.user_id = place->user_id,
		.seen_unix_ms = place->seen_unix_ms,
		.nonce = (int64_t)place->pass_nonce};
	store_place_used(app->pg, &place->store);
}

static void used_known(struct pg_op *op, enum db_result result)
{
	struct adopt_place *place = op->owner;

	if (result != DB_OK)
		place->done(place, ADOPT_UNKNOWN);
	else if (place->store.used)
		place->done(place, ADOPT_USED);
	else if (place->pass_nonce == 0)
		place->done(place, ADOPT_MAY_RETURN);
	else
		restore(place);
}

static void restore(struct adopt_place *place)
{
	place->restore = (struct queue_restore){.done = restored,
		.owner = place,
		.event_id = place->event->row.id,
		.user_id = place->user_id,
		.nonce = place->pass_nonce,
		.expires_unix_ms = place->pass_expires_unix_ms,
		.issued_unix_ms = place->pass_expires_unix_ms -
				  place->event->row.pass_ttl_seconds * 1000};
	queue_restore_pass(place->app->queue, &place->restore);
}

static void restored(struct queue_restore *queue_restore, enum db_result result)
{
	struct adopt_place *place = queue_restore->owner;

	if (result == DB_OK && queue_restore->state == QUEUE_NO_EPOCH && !place->epoch_begun) {
		place->epoch_begun = true;
		place->wait.done = place_epoch_begun;
		place->wait.owner = place;
		adopt_epoch(place->app, place->event, 0, &place->wait);
	} else if (result != DB_OK || queue_restore->state == QUEUE_NO_EPOCH) {
		place->done(place, ADOPT_UNKNOWN);
	} else if (queue_restore->state == QUEUE_GONE) {
		place->done(place, ADOPT_USED);
	} else {
		if (place->store.held_until_unix_ms != 0)
			queue_holding(place->app->queue, place->event->row.id, place->user_id,
				place->store.held_until_unix_ms);
		place->done(place, ADOPT_PASS_LIVE);
	}
}

static void place_epoch_begun(struct adopt_wait *wait, bool adopted)
{
	struct adopt_place *place = wait->owner;

	if (adopted)
		restore(place);
	else
		place->done(place, ADOPT_UNKNOWN);
}

/* --- keys --- */

struct keys_lookup {
	struct app *app;
	int64_t event_id;
	struct store_keys_known store;
};

static void keys_looked_up(struct pg_op *op, enum db_result result)
{
	struct keys_lookup *lookup = op->owner;

	if (result == DB_OK)
		seat_lock_keys_since(lookup->app->locks, lookup->event_id, !lookup->store.any);
	free(lookup);
}

void adopt_keys(struct app *app, struct catalog_event *event)
{
	if (app->locks == NULL || !redis_up(app->redis))
		return;
	struct keys_lookup *lookup = must_calloc(1, sizeof *lookup);

	lookup->app = app;
	lookup->event_id = event->row.id;
	lookup->store = (struct store_keys_known){
		.op = {.done = keys_looked_up, .owner = lookup}, .event_id = event->row.id};
	store_keys_known(app->pg, &lookup->store);
}
