/*   on_timer -> revoked_read, again until there is no more
 * Entries stand in the order in which they came (uthash keeps it); `next` walks round it, a few entries each
 * half second, so that no turn of the loop is spent on dropping what has expired. */
#include "server/revocations.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include "db/store_revocations.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "server/app.h"

enum { READ_LIMIT = 1000, EXAMINED_MAX = 2000 };

struct entry {
	struct digest token;
	int64_t expires_unix_s;
	UT_hash_handle hh;
};

struct revocations {
	struct app *app;
	struct event *timer;
	struct entry *entries; /* by token */
	struct entry *next; /* to be examined; NULL: the first */
	struct store_revoked store;
	int64_t seen; /* the highest revision read */
	bool reading, loaded;
};

static void read_more(struct revocations *revocations);
static void revoked_read(struct pg_op *op, enum db_result result);

struct digest revocation_digest(const char *token)
{
	const char *signature = strrchr(token, '.');

	CHECK(signature != NULL);
	struct digest_part part = {token, (size_t)(signature - token)};
	return digest_of(&part, 1);
}

static struct entry *find(const struct revocations *revocations, const struct digest *token)
{
	struct entry *entry;

	HASH_FIND(hh, revocations->entries, token, sizeof *token, entry);
	return entry;
}

bool revocations_have(const struct revocations *revocations, const char *token)
{
	if (revocations->entries == NULL)
		return false;
	struct digest digest = revocation_digest(token);
	return find(revocations, &digest) != NULL;
}

bool revocations_have_digest(const struct revocations *revocations, const struct digest *token)
{
	return find(revocations, token) != NULL;
}

void revocations_add(
	struct revocations *revocations, const struct digest *token, int64_t expires_unix_s)
{
	struct entry *entry;

	if (expires_unix_s <= clock_unix_ms() / 1000 || find(revocations, token) != NULL)
		return;
	entry = must_calloc(1, sizeof *entry);
	entry->token = *token;
	entry->expires_unix_s = expires_unix_s;
	HASH_ADD(hh, revocations->entries, token, sizeof entry->token, entry);
}

bool revocations_loaded(const struct revocations *revocations)
{
	return revocations->loaded;
}

size_t revocations_count(const struct revocations *revocations)
{
	return HASH_COUNT(revocations->entries);
}

static void drop_expired(struct revocations *revocations)
{
	int64_t now_s = clock_unix_ms() / 1000;
	size_t left = HASH_COUNT(revocations->entries);

	for (left = left < EXAMINED_MAX ? left : EXAMINED_MAX; left > 0; left--) {
		struct entry *entry = revocations->next;
		if (entry == NULL)
			entry = revocations->entries;
		CHECK(entry != NULL);
		revocations->next = entry->hh.next;
		if (entry->expires_unix_s <= now_s) {
			HASH_DEL(revocations->entries, entry);
			free(entry);
		}
	}
}

/* --- reading --- */

static void read_more(struct revocations *revocations)
{
	if (revocations->reading)
		return;
	revocations->reading = true;
	revocations->store = (struct store_revoked){
		.op = {.done = revoked_read, .owner = revocations},
		.after = revocations->seen,
		.limit = READ_LIMIT,
	};
	store_revoked(revocations->app->pg, &revocations->store);
}

static void revoked_read(struct pg_op *op, enum db_result result)
{
	struct revocations *revocations = op->owner;
	struct store_revoked *store = &revocations->store;
	bool more = result == DB_OK && store->count == READ_LIMIT;

	revocations->reading = false;
	for (size_t i = 0; result == DB_OK && i < store->count; i++) {
		const struct store_revocation *row = &store->list[i];

		revocations_add(revocations, &row->token, row->expires_unix_s);
		revocations->seen = row->revision;
	}
	revocations->loaded = revocations->loaded || (result == DB_OK && !more);
	store_revoked_free(store);
	if (more)
		read_more(revocations);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct revocations *revocations = arg;
	(void)fd;
	(void)what;

	if (revocations->app->stopping)
		return;
	drop_expired(revocations);
	read_more(revocations);
}

struct revocations *revocations_new(struct app *app)
{
	struct revocations *revocations = must_calloc(1, sizeof *revocations);
	struct timeval period = {.tv_usec = REVOCATIONS_REFRESH_MS * 1000};

	revocations->app = app;
	revocations->timer = event_new(app->base, -1, EV_PERSIST, on_timer, revocations);
	CHECK(revocations->timer != NULL);
	event_add(revocations->timer, &period);
	read_more(revocations);
	return revocations;
}

void revocations_free(struct revocations *revocations)
{
	struct entry *entry, *next;

	event_free(revocations->timer);
	HASH_ITER (hh, revocations->entries, entry, next) {
		HASH_DEL(revocations->entries, entry);
		free(entry);
	}
	free(revocations);
}
