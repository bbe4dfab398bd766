/*   shuffler_start -> list_closed -> draft_begun -> entrants_read … -> order (a thread) -> ordered
 *        -> part_added … -> published -> part_ranked … -> end
 *        draft_begun, published -> (another's list counts: page_read -> part_ranked -> page_read …) -> end
 * A step that fails ends it; the next tick begins anew, and finds what counts. */
#include "server/shuffler.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "db/store_shuffles.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/token.h"
#include "server/app.h"
#include "server/catalog.h"

enum {
	AT_ONCE_MAX = 4, /* lines under way; the others' turn comes with a later tick */
	ENTRANTS_MAX = 5000000, /* of a line: 280 MB */
	RETRY_MS = 500 /* after a failure */
};

struct shuffler {
	struct app *app;
	LIST_HEAD(, shuffling) running;
	unsigned count;
};

struct shuffling {
	struct shuffler *shuffler;
	struct catalog_event *event;
	LIST_ENTRY(shuffling) link;
	uint64_t begun_ms;
	struct queue_shuffle_op line;
	union {
		struct store_shuffle_begin begin;
		struct store_shuffle_add add;
		struct store_shuffle_publish publish;
		struct store_shuffle_page page;
	} store;

	uint8_t seed[SHUFFLE_SEED_SIZE], digest[SHUFFLE_HASH_SIZE];
	int64_t draft;
	struct shuffle_entrant *entrants; /* the draft; where another counts, a page of that */
	bool own; /* the draft counts */
	size_t count, room;
	size_t written; /* of the draft to PostgreSQL; of what counts to Redis */

	/* While the thread is at work, all of the above is its. */
	pthread_t thread;
	struct event *wake; /* the eventfd's; NULL: no thread */
	int wake_fd;
};

static void list_closed(struct queue_shuffle_op *op, enum db_result result);
static void draft_begun(struct pg_op *op, enum db_result result);
static void read_entrants(struct shuffling *shuffling);
static void entrants_read(struct queue_shuffle_op *op, enum db_result result);
static void order(struct shuffling *shuffling);
static void ordered(evutil_socket_t fd, short what, void *context);
static void add_part(struct shuffling *shuffling);
static void part_added(struct pg_op *op, enum db_result result);
static void publish(struct shuffling *shuffling);
static void published(struct pg_op *op, enum db_result result);
static void read_page(struct shuffling *shuffling);
static void page_read(struct pg_op *op, enum db_result result);
static void rank_own(struct shuffling *shuffling);
static void part_ranked(struct queue_shuffle_op *op, enum db_result result);

struct shuffler *shuffler_new(struct app *app)
{
	struct shuffler *shuffler = must_calloc(1, sizeof *shuffler);

	shuffler->app = app;
	LIST_INIT(&shuffler->running);
	return shuffler;
}

static void end_thread(struct shuffling *shuffling)
{
	CHECK(pthread_join(shuffling->thread, NULL) == 0);
	event_free(shuffling->wake);
	shuffling->wake = NULL;
	close(shuffling->wake_fd);
}

static void end(struct shuffling *shuffling, bool well)
{
	struct catalog_event *event = shuffling->event;

	event->shuffling = NULL;
	event->shuffle_not_before_ms = well ? 0 : clock_mono_ms() + RETRY_MS;
	LIST_REMOVE(shuffling, link);
	shuffling->shuffler->count--;
	free(shuffling->entrants);
	free(shuffling);
}

void shuffler_free(struct shuffler *shuffler)
{
	struct shuffling *shuffling;

	while ((shuffling = LIST_FIRST(&shuffler->running)) != NULL) {
		if (shuffling->wake != NULL)
			end_thread(shuffling);
		end(shuffling, false);
	}
	free(shuffler);
}

/* False where it has ended: the step before failed, or the server stops. */
static bool goes_on(struct shuffling *shuffling, enum db_result result)
{
	bool well = result == DB_OK && !shuffling->shuffler->app->stopping;

	if (!well)
		end(shuffling, false);
	return well;
}

static struct app *app_of(const struct shuffling *shuffling)
{
	return shuffling->shuffler->app;
}

/* --- the list is closed, and read --- */

void shuffler_start(struct shuffler *shuffler, struct catalog_event *event)
{
	if (event->shuffling != NULL || shuffler->count == AT_ONCE_MAX || shuffler->app->stopping ||
		clock_mono_ms() < event->shuffle_not_before_ms)
		return;
	struct shuffling *shuffling = must_calloc(1, sizeof *shuffling);

	shuffling->shuffler = shuffler;
	shuffling->event = event;
	shuffling->begun_ms = clock_mono_ms();
	event->shuffling = shuffling;
	LIST_INSERT_HEAD(&shuffler->running, shuffling, link);
	shuffler->count++;
	shuffling->line.owner = shuffling;
	shuffling->line.event_id = event->row.id;
	shuffling->line.done = list_closed;
	queue_shuffle_close(shuffler->app->redis, &shuffling->line, event->row.sale_opens_unix_ms);
}

static void list_closed(struct queue_shuffle_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;

	if (!goes_on(shuffling, result))
		return;
	if (op->state != QUEUE_SHUFFLE_CLOSED) { /* not open by Redis's clock, or done */
		end(shuffling, true);
		return;
	}
	shuffling->store.begin = (struct store_shuffle_begin){
		.op = {.done = draft_begun, .owner = shuffling},
		.event_id = shuffling->event->row.id};
	store_shuffle_begin(app_of(shuffling)->pg, &shuffling->store.begin);
}

static void draft_begun(struct pg_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;
	const struct store_shuffle_begin *begin = &shuffling->store.begin;

	if (!goes_on(shuffling, result == DB_OK && !begin->found ? DB_FAILED : result))
		return;
	if (begin->done) {
		read_page(shuffling);
		return;
	}
	for (size_t i = 0; i < sizeof shuffling->seed; i++)
		shuffling->seed[i] = begin->seed[i];
	shuffling->draft = begin->draft;
	read_entrants(shuffling);
}

static void read_entrants(struct shuffling *shuffling)
{
	shuffling->line.done = entrants_read;
	queue_shuffle_read(app_of(shuffling)->redis, &shuffling->line);
}

/* Room for so many more. */
static void make_room(struct shuffling *shuffling, size_t more)
{
	if (shuffling->count + more <= shuffling->room)
		return;
	shuffling->room = 2 * shuffling->room + more;
	shuffling->entrants = must_realloc(
		shuffling->entrants, shuffling->room * sizeof *shuffling->entrants);
}

static void entrants_read(struct queue_shuffle_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;
	int64_t event_id = shuffling->event->row.id;

	if (!goes_on(shuffling, result == DB_OK && op->gone ? DB_FAILED : result))
		return;
	if (shuffling->count + op->count > ENTRANTS_MAX) {
		log_error("event %lld: more than %d entrants cannot be shuffled",
			(long long)event_id, ENTRANTS_MAX);
		end(shuffling, false);
		return;
	}
	make_room(shuffling, op->count);
	for (size_t i = 0; i < op->count; i++) {
		struct shuffle_entrant *entrant = &shuffling->entrants[shuffling->count++];

		entrant->user_id = op->users[i];
		entrant_of(app_of(shuffling)->token_key, event_id, op->users[i], entrant->entrant);
	}
	if (op->count == QUEUE_SHUFFLE_PART)
		read_entrants(shuffling);
	else
		order(shuffling);
}

/* --- put in its order, on a thread: a fifth of a second for 100,000 --- */

static void *work(void *context)
{
	struct shuffling *shuffling = context;
	uint64_t one = 1;

	shuffle_order(shuffling->seed, shuffling->entrants, shuffling->count, shuffling->digest);
	CHECK(write(shuffling->wake_fd, &one, sizeof one) == sizeof one);
	return NULL;
}

/* Signals are the loop's: the thread starts with all of them blocked. */
static void order(struct shuffling *shuffling)
{
	sigset_t all, before;

	shuffling->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(shuffling->wake_fd >= 0);
	shuffling->wake = event_new(
		app_of(shuffling)->base, shuffling->wake_fd, EV_READ, ordered, shuffling);
	CHECK(shuffling->wake != NULL && event_add(shuffling->wake, NULL) == 0);
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&shuffling->thread, NULL, work, shuffling) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void ordered(evutil_socket_t fd UNUSED, short what UNUSED, void *context)
{
	struct shuffling *shuffling = context;

	end_thread(shuffling);
	if (goes_on(shuffling, DB_OK))
		add_part(shuffling);
}

/* --- written to PostgreSQL --- */

static void add_part(struct shuffling *shuffling)
{
	size_t left = shuffling->count - shuffling->written;

	if (left == 0) {
		publish(shuffling);
		return;
	}
	shuffling->store.add = (struct store_shuffle_add){
		.op = {.done = part_added, .owner = shuffling},
		.event_id = shuffling->event->row.id,
		.draft = shuffling->draft,
		.written = (int64_t)shuffling->written,
		.entrants = shuffling->entrants + shuffling->written,
		.count = left < STORE_SHUFFLE_PART ? left : STORE_SHUFFLE_PART,
	};
	store_shuffle_add(app_of(shuffling)->pg, &shuffling->store.add);
}

static void part_added(struct pg_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;

	if (!goes_on(shuffling, result))
		return;
	shuffling->written += shuffling->store.add.count;
	add_part(shuffling);
}

static void publish(struct shuffling *shuffling)
{
	struct store_shuffle_publish *store = &shuffling->store.publish;

	*store = (struct store_shuffle_publish){.op = {.done = published, .owner = shuffling},
		.event_id = shuffling->event->row.id,
		.draft = shuffling->draft,
		.count = (int64_t)shuffling->count,
		.base = shuffling->line.base};
	for (size_t i = 0; i < sizeof store->digest; i++)
		store->digest[i] = shuffling->digest[i];
	store_shuffle_publish(app_of(shuffling)->pg, store);
}

static void published(struct pg_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;
	bool done = shuffling->store.publish.done;

	if (!goes_on(shuffling, result == DB_OK && !done ? DB_FAILED : result))
		return;
	shuffling->written = 0;
	shuffling->own = shuffling->store.publish.own;
	if (shuffling->own)
		rank_own(shuffling);
	else
		read_page(shuffling);
}

/* --- what counts, given to Redis --- */

static void read_page(struct shuffling *shuffling)
{
	shuffling->count = 0;
	make_room(shuffling, QUEUE_SHUFFLE_PART);
	shuffling->store.page = (struct store_shuffle_page){
		.op = {.done = page_read, .owner = shuffling},
		.event_id = shuffling->event->row.id,
		.after = (int64_t)shuffling->written,
		.limit = QUEUE_SHUFFLE_PART,
		.entrants = shuffling->entrants,
	};
	store_shuffle_page(app_of(shuffling)->pg, &shuffling->store.page);
}

static void rank(struct shuffling *shuffling, const struct shuffle_entrant *entrants, size_t count,
	bool last)
{
	struct queue_shuffle_op *line = &shuffling->line;

	for (size_t i = 0; i < count; i++)
		line->users[i] = entrants[i].user_id;
	line->count = count;
	line->number = line->base + (int64_t)shuffling->written + 1;
	line->last = last;
	line->done = part_ranked;
	queue_shuffle_rank(app_of(shuffling)->redis, line);
}

static void page_read(struct pg_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;
	const struct store_shuffle_page *page = &shuffling->store.page;
	struct queue_shuffle_op *line = &shuffling->line;

	if (!goes_on(shuffling, result))
		return;
	line->base = page->base;
	rank(shuffling, page->entrants, page->count, page->count < QUEUE_SHUFFLE_PART);
}

static void rank_own(struct shuffling *shuffling)
{
	size_t left = shuffling->count - shuffling->written;
	bool last = left <= QUEUE_SHUFFLE_PART;

	rank(shuffling, shuffling->entrants + shuffling->written, last ? left : QUEUE_SHUFFLE_PART,
		last);
}

static void part_ranked(struct queue_shuffle_op *op, enum db_result result)
{
	struct shuffling *shuffling = op->owner;

	if (!goes_on(shuffling, result))
		return;
	shuffling->written += op->count;
	if (!op->last && !op->gone) {
		if (shuffling->own)
			rank_own(shuffling);
		else
			read_page(shuffling);
		return;
	}
	if (!op->gone) /* else another instance has done it, or Redis was lost */
		log_info("event %lld: its line of %zu is shuffled, after %llu ms",
			(long long)shuffling->event->row.id, shuffling->written,
			(unsigned long long)(clock_mono_ms() - shuffling->begun_ms));
	end(shuffling, true);
}
