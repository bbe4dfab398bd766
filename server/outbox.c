/*   on_timer -> taken -> delivered -> marked -> (a full batch: taken …) -> rest
 * A step that fails ends it; after a rest it begins anew, with the same events. */
#include "server/outbox.h"

#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "db/kafka.h"
#include "db/outbox_stream.h"
#include "db/redis.h"
#include "db/store_outbox.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/app.h"

enum {
	LEASE_MS = 3000, /* a relay that needs longer for a batch has its events told twice */
	OTHERS_REST_MS = 1000, /* while another relay has the lease */
	FAILED_REST_MAX_MS = 5000
};

struct outbox {
	struct app *app;
	struct event *timer;
	struct kafka *kafka; /* NULL: Redis is told */
	int64_t relay; /* this one's number, random */
	struct store_outbox_take take;
	struct store_outbox_mark mark;
	int64_t pending_ids[STORE_OUTBOX_MAX]; /* of the batch under way */
	size_t pending_count, count; /* … and how many events it has */
	unsigned failed; /* in a row */
	bool behind; /* as of the last look: some are not published */
	uint64_t oldest_ms; /* … and when the first of them happened, by the monotonic clock */
	struct outbox_counts counts;
};

static void taken(struct pg_op *op, enum db_result result);
static void delivered(void *context, enum db_result result);
static void marked(struct pg_op *op, enum db_result result);

static void rest(struct outbox *outbox, int64_t ms)
{
	struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (!outbox->app->stopping)
		event_add(outbox->timer, &time);
}

static void fail(struct outbox *outbox, const char *what)
{
	int64_t ms = outbox->app->settings.outbox_interval_ms;

	if (outbox->failed == 0 && !outbox->app->stopping)
		log_warn("outbox: events wait: %s", what);
	for (unsigned i = 0; i < outbox->failed && ms < FAILED_REST_MAX_MS; i++)
		ms *= 2;
	outbox->failed++;
	outbox->counts.failures++;
	rest(outbox, ms < FAILED_REST_MAX_MS ? ms : FAILED_REST_MAX_MS);
}

static void look(struct outbox *outbox, int64_t limit)
{
	outbox->take = (struct store_outbox_take){.op = {.done = taken, .owner = outbox},
		.taker = outbox->relay,
		.lease_ms = LEASE_MS,
		.limit = limit};
	store_outbox_take(outbox->app->pg, &outbox->take);
}

static void on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct outbox *outbox = arg;
	bool open = outbox->kafka != NULL || redis_up(outbox->app->redis);

	look(outbox, open ? outbox->app->settings.outbox_batch_max : 0);
}

static void note_age(struct outbox *outbox)
{
	outbox->behind = outbox->take.any;
	outbox->oldest_ms = clock_mono_ms() - (uint64_t)outbox->take.age_ms;
}

static void appended(void *context, enum db_result result, const struct redis_value *value UNUSED)
{
	delivered(context, result);
}

static void deliver(struct outbox *outbox)
{
	const struct store_outbox_take *take = &outbox->take;

	outbox->pending_count = 0;
	for (size_t i = 0; i < take->count; i++)
		if (i == 0 || take->events[i].pending_id != take->events[i - 1].pending_id)
			outbox->pending_ids[outbox->pending_count++] = take->events[i].pending_id;
	outbox->count = take->count;
	if (outbox->kafka != NULL)
		kafka_send(outbox->kafka, take->events, take->count, delivered, outbox);
	else
		outbox_stream_append(outbox->app->redis, take->events, take->count,
			outbox->app->settings.outbox_stream_length, appended, outbox);
	store_outbox_take_free(&outbox->take);
}

static void taken(struct pg_op *op, enum db_result result)
{
	struct outbox *outbox = op->owner;
	const struct store_outbox_take *take = &outbox->take;

	if (result != DB_OK) {
		fail(outbox, "PostgreSQL does not give them");
		return;
	}
	note_age(outbox);
	if (take->count > 0)
		deliver(outbox);
	else if (take->any && take->limit > 0)
		rest(outbox, OTHERS_REST_MS);
	else
		rest(outbox, outbox->app->settings.outbox_interval_ms);
}

/* Only what was acknowledged is marked: who dies in between leaves duplicates, never a gap. */
static void delivered(void *context, enum db_result result)
{
	struct outbox *outbox = context;

	if (result != DB_OK) {
		fail(outbox, outbox->kafka != NULL ? "Kafka does not take them"
						   : "Redis does not take them");
		return;
	}
	outbox->mark = (struct store_outbox_mark){.op = {.done = marked, .owner = outbox},
		.pending_ids = outbox->pending_ids,
		.count = outbox->pending_count};
	store_outbox_mark(outbox->app->pg, &outbox->mark);
}

/* With people waiting for PostgreSQL, what is left comes at the pace of the timer. */
static void marked(struct pg_op *op, enum db_result result)
{
	struct outbox *outbox = op->owner;
	const struct app *app = outbox->app;
	bool more = (int64_t)outbox->count + STORE_OUTBOX_STATEMENT_MAX >
		    app->settings.outbox_batch_max; /* the next statement's did not fit, perhaps */

	if (result != DB_OK) {
		fail(outbox, "PostgreSQL does not note them as told");
		return;
	}
	if (outbox->failed > 0)
		log_info("outbox: events are told again");
	outbox->failed = 0;
	outbox->counts.published += outbox->count;
	outbox->behind = more;
	if (more && app->backlog_ms == 0 && !app->stopping)
		look(outbox, app->settings.outbox_batch_max);
	else
		rest(outbox, app->settings.outbox_interval_ms);
}

static bool open_kafka(struct outbox *outbox, char *why, size_t why_size)
{
	const struct settings *settings = &outbox->app->settings;

	return kafka_new(outbox->app->base,
		&(struct kafka_settings){.brokers = settings->outbox_kafka_brokers,
			.topic = settings->outbox_kafka_topic,
			.options = settings->outbox_kafka_options},
		&outbox->kafka, why, why_size);
}

bool outbox_new(struct app *app, struct outbox **made, char *why, size_t why_size)
{
	const struct settings *settings = &app->settings;
	bool to_redis = strcmp(settings->outbox_target, "redis") == 0;

	if (strcmp(settings->outbox_target, "none") == 0 ||
		(to_redis && strcmp(settings->redis_url, "none") == 0)) {
		*made = NULL;
		return true;
	}
	struct outbox *outbox = *made = must_calloc(1, sizeof *outbox);
	outbox->app = app;
	randombytes_buf(&outbox->relay, sizeof outbox->relay);
	outbox->timer = evtimer_new(app->base, on_timer, outbox);
	CHECK(outbox->timer != NULL);
	rest(outbox, settings->outbox_interval_ms);
	return to_redis || open_kafka(outbox, why, why_size);
}

bool outbox_busy(const struct outbox *outbox)
{
	return outbox != NULL && kafka_busy(outbox->kafka);
}

void outbox_free(struct outbox *outbox)
{
	if (outbox == NULL)
		return;
	event_free(outbox->timer);
	kafka_free(outbox->kafka);
	store_outbox_take_free(&outbox->take);
	free(outbox);
}

struct outbox_counts outbox_counts(const struct outbox *outbox)
{
	struct outbox_counts counts = {0};

	if (outbox == NULL)
		return counts;
	counts = outbox->counts;
	counts.lag_ms = outbox->behind ? clock_mono_ms() - outbox->oldest_ms : 0;
	return counts;
}
