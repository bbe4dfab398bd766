/* Waiting claims stand in their key's list, and in one list of all, in the order in which they give up:
 * the wait is the same for all, so the head is the next. */
#include "server/keys.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "server/app.h"

enum { GIVE_UP_CHECK_MS = 20 };

TAILQ_HEAD(claims, key_claim);

struct key_entry {
	struct digest key;
	struct digest body; /* of the first */
	struct claims waiting;
	UT_hash_handle hh;
};

struct in_flight_keys {
	struct app *app;
	struct key_entry *entries;
	struct claims waiting; /* all that wait, oldest first */
	struct event *timer;
};

bool key_claim(struct in_flight_keys *keys, struct key_claim *claim)
{
	struct key_entry *entry;

	HASH_FIND(hh, keys->entries, &claim->key, sizeof claim->key, entry);
	if (entry != NULL) {
		claim->entry = entry;
		claim->give_up_ms = clock_mono_ms() +
				    (uint64_t)keys->app->settings.idempotency_wait_ms;
		TAILQ_INSERT_TAIL(&entry->waiting, claim, link);
		TAILQ_INSERT_TAIL(&keys->waiting, claim, age_link);
		return false;
	}
	entry = must_calloc(1, sizeof *entry);
	entry->key = claim->key;
	entry->body = claim->body;
	TAILQ_INIT(&entry->waiting);
	HASH_ADD(hh, keys->entries, key, sizeof entry->key, entry);
	claim->entry = entry;
	claim->first = true;
	return true;
}

static void entry_free(struct in_flight_keys *keys, struct key_entry *entry)
{
	HASH_DEL(keys->entries, entry);
	free(entry);
}

void key_settle(struct in_flight_keys *keys, struct key_claim *claim, const struct key_reply *reply)
{
	struct key_entry *entry = claim->entry;
	struct key_claim *next;

	if (!claim->first)
		return;
	claim->first = false;
	claim->entry = NULL;
	if (reply == NULL && (next = TAILQ_FIRST(&entry->waiting)) != NULL) {
		TAILQ_REMOVE(&entry->waiting, next, link);
		TAILQ_REMOVE(&keys->waiting, next, age_link);
		entry->body = next->body;
		next->first = true;
		next->turn(next, KEY_FIRST, NULL);
		return;
	}
	/* Out of the table first: a waiting request that ends may let another one under the key begin. */
	struct digest body = entry->body;
	struct claims waiting = TAILQ_HEAD_INITIALIZER(waiting);
	TAILQ_CONCAT(&waiting, &entry->waiting, link);
	entry_free(keys, entry);
	while ((next = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, next, link);
		TAILQ_REMOVE(&keys->waiting, next, age_link);
		next->entry = NULL;
		bool same = memcmp(&next->body, &body, sizeof body) == 0;
		next->turn(next, same ? KEY_REPLAY : KEY_REUSED, reply);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct in_flight_keys *keys = arg;
	struct key_claim *claim;
	(void)fd;
	(void)what;

	while ((claim = TAILQ_FIRST(&keys->waiting)) != NULL &&
		claim->give_up_ms <= clock_mono_ms()) {
		TAILQ_REMOVE(&keys->waiting, claim, age_link);
		TAILQ_REMOVE(&claim->entry->waiting, claim, link);
		claim->entry = NULL;
		claim->turn(claim, KEY_IN_FLIGHT, NULL);
	}
}

struct in_flight_keys *keys_new(struct app *app)
{
	struct in_flight_keys *keys = must_calloc(1, sizeof *keys);
	struct timeval period = {.tv_usec = GIVE_UP_CHECK_MS * 1000};

	keys->app = app;
	TAILQ_INIT(&keys->waiting);
	keys->timer = event_new(app->base, -1, EV_PERSIST, on_timer, keys);
	CHECK(keys->timer != NULL);
	event_add(keys->timer, &period);
	return keys;
}

void keys_free(struct in_flight_keys *keys)
{
	struct key_entry *entry, *next;

	event_free(keys->timer);
	HASH_ITER (hh, keys->entries, entry, next)
		entry_free(keys, entry);
	free(keys);
}
