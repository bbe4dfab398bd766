/* The loop, and what is set up for it. A turn: events; then what they gathered is sent, Redis first, since
 * its failures may go on to PostgreSQL; then replies go out. */
#include "server/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "db/outbox_stream.h"
#include "db/pg.h"
#include "db/redis.h"
#include "db/shared_seats.h"
#include "db/store.h"
#include "lock/redlock.h"
#include "lock/seat_lock.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/event_priority.h"
#include "proto/base/log.h"
#include "proto/base/reserve.h"
#include "proto/idp.h"
#include "proto/jwt.h"
#include "proto/token.h"
#include "server/access_log.h"
#include "server/adopt.h"
#include "server/app.h"
#include "server/auditor.h"
#include "server/authenticate.h"
#include "server/catalog.h"
#include "server/docs.h"
#include "server/hasher.h"
#include "server/idp_keys.h"
#include "server/keys.h"
#include "server/known_people.h"
#include "server/limits.h"
#include "server/loop_lag.h"
#include "server/net.h"
#include "server/observe.h"
#include "server/outbox.h"
#include "server/revocations.h"
#include "server/route.h"
#include "server/seat_map.h"
#include "server/shuffler.h"
#include "server/stream.h"
#include "server/sweeper.h"
#include "server/ticker.h"
#include "server/web_files.h"

enum { SCRIPTS_MAX = 32, SETTLE_MS = 2000, START_PATIENCE_MS = 2000 };

/* --- stores --- */

static bool open_pg(struct app *app, char *why, size_t why_size)
{
	const struct settings *s = &app->settings;
	struct pg_settings settings = {
		.url = s->db_url,
		.lanes = (unsigned)s->db_lanes,
		.batch_max = (unsigned)s->db_batch_max,
		.waiting_max = (unsigned)s->db_waiting_max,
		.deadline_ms = (unsigned)s->db_deadline_ms,
		.batch_lock_timeout_ms = (unsigned)s->db_batch_lock_timeout_ms,
		.lock_timeout_ms = (unsigned)s->db_lock_timeout_ms,
		.statement_timeout_ms = (unsigned)s->db_statement_timeout_ms,
	};

	app->pg = pg_new(app->base, &settings, store_statements, why, why_size);
	return app->pg != NULL;
}

/* Redis is back: what it may have lost is told again. Markers that were set before the outage may be stale
 * by now, so that a new generation of locks begins; at the first connect there are none to mistrust. */
static void redis_changed(void *context, bool up)
{
	struct app *app = context;

	if (!up) {
		log_warn("Redis is away: seats are guarded by PostgreSQL alone, lines rest");
		app->redis_was_away = true;
		return;
	}
	if (app->redis_was_away)
		log_info("Redis is back");
	if (app->seat_maps != NULL)
		seat_maps_redis_back(app->seat_maps);
	for (size_t i = 0; app->catalog != NULL && i < catalog_event_count(app->catalog); i++) {
		struct catalog_event *event = catalog_event_at(app->catalog, i);

		if (app->locks != NULL && app->redis_was_away)
			seat_lock_new_generation(app->locks, event->row.id);
		adopt_keys(app, event);
	}
}

/* The second connection, which only listens: what was said while it was away is lost. */
static void listener_changed(void *context, bool up)
{
	struct app *app = context;

	if (up)
		seat_maps_missed(app->seat_maps);
}

static void heard(void *context, const char *text, size_t len)
{
	struct app *app = context;

	seat_maps_heard(app->seat_maps, text, len);
}

static bool open_listener(
	struct app *app, const struct redis_settings *settings, char *why, size_t why_size)
{
	static const struct redis_script *const no_scripts[] = {NULL};

	app->listener = redis_new(app->base, settings, no_scripts, why, why_size);
	if (app->listener == NULL)
		return false;
	redis_listen(app->listener, SHARED_SEATS_CHANNEL, heard, app);
	redis_on_change(app->listener, listener_changed, app);
	return true;
}

static bool open_locks(
	struct app *app, const struct redis_settings *redis, char *why, size_t why_size)
{
	const struct settings *s = &app->settings;
	struct seat_lock_settings settings = {
		.locking_ms = (unsigned)s->lock_locking_ms, .wait_ms = (unsigned)s->lock_wait_ms};

	if (strcmp(s->lock_mode, "none") == 0 || strcmp(s->redis_url, "none") == 0)
		return true;
	if (strcmp(s->lock_mode, "redlock") == 0) {
		struct redlock_settings nodes = {.urls = s->lock_redlock_urls,
			.node = *redis,
			.life_ms = settings.locking_ms};
		nodes.node.deadline_ms = (unsigned)s->lock_redlock_deadline_ms;
		app->redlock = redlock_new(app->base, &nodes, why, why_size);
		if (app->redlock == NULL)
			return false;
		settings.redlock = app->redlock;
	}
	app->locks = seat_locks_new(app->base, app->redis, &settings);
	return true;
}

static bool open_redis(struct app *app, char *why, size_t why_size)
{
	const struct settings *s = &app->settings;
	const struct redis_script *scripts[SCRIPTS_MAX] = {NULL};
	const struct redis_script *const *lists[] = {
		queue_scripts, lock_scripts, shared_seats_scripts, outbox_stream_scripts};
	struct redis_settings settings = {
		.url = s->redis_url,
		.deadline_ms = (unsigned)s->redis_deadline_ms,
		.in_flight_max = (unsigned)s->redis_in_flight_max,
		.breaker_failures = (unsigned)s->redis_breaker_failures,
		.breaker_open_ms = (unsigned)s->redis_breaker_open_ms,
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; lists[i][j] != NULL; j++) {
			CHECK(count < SCRIPTS_MAX - 1);
			scripts[count++] = lists[i][j];
		}
	app->redis = redis_new(app->base, &settings, scripts, why, why_size);
	if (app->redis == NULL || !open_listener(app, &settings, why, why_size))
		return false;
	redis_on_change(app->redis, redis_changed, app);
	app->queue = queue_new(app->redis);
	return open_locks(app, &settings, why, why_size);
}

/* --- the app --- */

static void make_keys(struct app *app)
{
	const struct settings *s = &app->settings;

	app->token_key = token_key_new(s->auth_queue_secret, strlen(s->auth_queue_secret));
	app->access_token_key = authenticate_key(s);
	app->optimistic = strcmp(s->seat_strategy, "optimistic") == 0;
	app->pace = (struct queue_pace){
		s->queue_poll_min_ms, s->queue_poll_max_ms, s->queue_polls_per_second};
}

static bool open_identity_provider(struct app *app, char *why, size_t why_size)
{
	app->known_tokens = known_people_new(KNOWN_PEOPLE_MAX);
	app->known_identities = known_people_new(KNOWN_PEOPLE_MAX);
	if (app->settings.auth_idp_issuer[0] == '\0')
		return true;
	app->idp = idp_keys_read(&app->settings, why, why_size);
	return app->idp != NULL;
}

static bool app_open(struct app *app, char *why, size_t why_size)
{
	app->base = event_base_new();
	CHECK(app->base != NULL);
	CHECK(event_base_priority_init(app->base, EVENT_PRIORITIES) == 0);
	app->observer = observer_new(route_count());
	app->loop_lag = loop_lag_new(app->base);
	histogram_init(&app->eta_checks.errors_us, &histogram_waits_us);
	clock_turn();
	make_keys(app);
	if (!open_identity_provider(app, why, why_size) || !open_redis(app, why, why_size) ||
		!open_pg(app, why, why_size))
		return false;
	app->hasher = hasher_new(app->base, (unsigned)app->settings.auth_argon2_memory_kib,
		(unsigned)app->settings.auth_argon2_passes);
	app->keys = keys_new(app);
	app->revocations = revocations_new(app);
	app->limits = limits_new(&app->settings, LIMITS_BUCKETS_MAX);
	CHECK(networks_parse(app->settings.http_trusted_proxies, &app->trusted_proxies));
	app->access_log = access_log_new(&app->settings, &app->trusted_proxies);
	if (app->access_log != NULL)
		observer_tell(app->observer, access_log_note, app->access_log);
	app->docs = docs_new(app->settings.http_docs_folder);
	app->web_files = web_files_new();
	app->seat_maps = seat_maps_new(app);
	app->catalog = catalog_new(app);
	app->shuffler = shuffler_new(app);
	app->ticker = ticker_new(app);
	app->sweeper = sweeper_new(app);
	app->auditor = auditor_new(app);
	if (!outbox_new(app, &app->outbox, why, why_size))
		return false;
	app->streams = streams_new(app);
	app->net = net_new(app, why, why_size);
	return app->net != NULL;
}

/* Nothing is in flight any more. */
static void app_close(struct app *app)
{
	if (app->net != NULL)
		net_free(app->net);
	if (app->streams != NULL)
		streams_free(app->streams);
	if (app->pg != NULL)
		pg_free(app->pg);
	if (app->queue != NULL)
		queue_free(app->queue);
	if (app->redlock != NULL)
		redlock_free(app->redlock); /* what it answers goes on to Redis */
	if (app->redis != NULL)
		redis_free(app->redis);
	if (app->listener != NULL)
		redis_free(app->listener);
	if (app->hasher != NULL) {
		hasher_free(app->hasher);
		keys_free(app->keys);
		revocations_free(app->revocations);
		limits_free(app->limits);
		seat_maps_free(app->seat_maps);
		ticker_free(app->ticker);
		shuffler_free(app->shuffler);
		sweeper_free(app->sweeper);
		auditor_free(app->auditor);
		outbox_free(app->outbox);
		catalog_free(app->catalog);
	}
	if (app->locks != NULL)
		seat_locks_free(app->locks);
	observer_free(app->observer);
	access_log_free(app->access_log);
	loop_lag_free(app->loop_lag);
	docs_free(app->docs);
	web_files_free(app->web_files);
	token_key_free(app->token_key);
	access_token_key_free(app->access_token_key);
	idp_free(app->idp);
	known_people_free(app->known_tokens);
	known_people_free(app->known_identities);
	event_base_free(app->base);
}

/* --- the loop --- */

/* What a turn computed is what everybody else waited for: the time of its thread, whoever else had the processor
 * meanwhile. */
static void note_turn(struct counters *counters)
{
	struct timespec time;

	CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
	uint64_t now_us = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
	uint64_t turn_us = now_us - counters->computed_us;

	if (counters->computed_us != 0 && turn_us > counters->turn_max_us)
		counters->turn_max_us = turn_us;
	counters->computed_us = now_us;
}

static void turn(struct app *app, bool *again)
{
	clock_turn();
	reserve_fill();
	event_base_loop(app->base, EVLOOP_ONCE | (*again ? EVLOOP_NONBLOCK : 0));
	*again = net_turn(app->net);
	*again = streams_turn(app->streams) || *again;
	queue_turn(app->queue);
	if (app->locks != NULL)
		seat_locks_turn(app->locks);
	seat_maps_turn(app->seat_maps);
	if (app->redlock != NULL)
		redlock_turn(app->redlock);
	redis_turn(app->redis);
	redis_turn(app->listener);
	pg_turn(app->pg);
	app->backlog_ms = (int64_t)pg_backlog_ms(app->pg);
	app->operation_ns = (int64_t)pg_operation_ns(app->pg);
	app->pg_pending = pg_pending(app->pg);
	app->passed_percent = app->locks != NULL ? seat_locks_passed_percent(app->locks) : 100;
	*again = net_turn(app->net) || *again;
	note_turn(&app->counters);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct app *app = arg;
	(void)what;

	if (app->draining) {
		log_warn("signal %d again: stopping at once", (int)signal);
		app->stop_at_once = true;
		return;
	}
	log_info("signal %d: finishing what is in flight", (int)signal);
	app->draining = true;
	net_drain(app->net);
}

bool app_ready(const struct app *app)
{
	return pg_up(app->pg) && catalog_loaded(app->catalog) &&
	       revocations_loaded(app->revocations);
}

bool app_degraded(const struct app *app)
{
	if (app->redlock != NULL && !redlock_up(app->redlock))
		return true;
	return strcmp(app->settings.redis_url, "none") != 0 && !redis_up(app->redis);
}

/* Clients may come once all is there, so that none is refused while others serve on the same port. What is
 * down at the start is not waited for long: /readyz should name it. */
static bool wait_until_ready(struct app *app)
{
	uint64_t end_ms = clock_mono_ms() + START_PATIENCE_MS;
	bool again = false;

	while ((!app_ready(app) || app_degraded(app)) && !app->draining && clock_mono_ms() < end_ms)
		turn(app, &again);
	return app->draining || net_listen(app->net);
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct app *app = arg;
	(void)signal;
	(void)what;

	log_reopen();
	if (app->idp != NULL)
		idp_keys_read_again(app);
}

static bool settled(const struct app *app)
{
	return app->counters.in_flight == 0 && net_connections(app->net) == 0;
}

static bool stores_pending(const struct app *app)
{
	return pg_pending(app->pg) > 0 || redis_pending(app->redis) > 0 ||
	       (app->redlock != NULL && redlock_pending(app->redlock) > 0) ||
	       outbox_busy(app->outbox);
}

/* Serves until a signal; then until what is in flight has ended. False where it did not end in time. */
static bool run(struct app *app)
{
	bool again = false;

	while (!app->draining)
		turn(app, &again);
	uint64_t end_ms = clock_mono_ms() + (uint64_t)app->settings.http_drain_ms;
	while (!settled(app) && !app->stop_at_once && clock_mono_ms() < end_ms)
		turn(app, &again);
	if (!settled(app))
		log_warn("%u requests in flight and %u connections cut", app->counters.in_flight,
			net_connections(app->net));
	/* Ticks and sweeps under way, and what nobody waits for. */
	app->stopping = true;
	end_ms = clock_mono_ms() + SETTLE_MS;
	while (stores_pending(app) && !app->stop_at_once && clock_mono_ms() < end_ms)
		turn(app, &again);
	return settled(app) && !stores_pending(app);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size > 0 ? must_malloc(size) : NULL;
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size > 0)
		return must_realloc(old, size);
	free(old);
	return NULL;
}

static void crypto_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* The libraries that would end the process without memory, or call a good token a bad one. libpq handles it. */
static void open_reserve(void)
{
	event_set_mem_functions(must_malloc, must_realloc, free);
	json_set_alloc_funcs(must_malloc, free);
	if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
		log_warn("OpenSSL keeps its own way of allocating");
	reserve_fill();
}

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static struct event *heed(struct app *app, int signal_number, event_callback_fn callback)
{
	struct event *event = evsignal_new(app->base, signal_number, callback, app);

	CHECK(event != NULL);
	event_add(event, NULL);
	return event;
}

/* People read text, and programs JSON. */
static bool open_log(const struct settings *settings)
{
	const char *format = settings->log_format, *file = settings->log_file;
	bool text = strcmp(format, "text") == 0 ||
		    (strcmp(format, "auto") == 0 && log_is_read_along(file));

	log_set_format(text ? LOG_AS_TEXT : LOG_AS_JSON);
	if (log_open(file))
		return true;
	log_error("cannot start: log.file: %s: %s", file, strerror(errno));
	return false;
}

/* All has ended well: whoever says so once more changes nothing of that. */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
}

int serve(const struct settings *settings)
{
	struct app app = {.settings = *settings};
	char why[512];

	signal(SIGPIPE, SIG_IGN);
	if (!open_log(settings))
		return 1;
	raise_file_limit();
	open_reserve();
	if (!app_open(&app, why, sizeof why)) {
		log_error("cannot start: %s", why);
		app_close(&app);
		log_close();
		return 1;
	}
	struct event *signals[] = {heed(&app, SIGTERM, on_signal), heed(&app, SIGINT, on_signal),
		heed(&app, SIGHUP, on_hangup)};
	bool listening = wait_until_ready(&app);
	log_settled();
	bool clean = listening && run(&app);
	log_info("stopped");
	if (!clean) { /* flows are still at work in the stores: they have no end to be brought to */
		log_flush();
		_exit(listening ? 0 : 1);
	}
	block_signals();
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		event_free(signals[i]);
	app_close(&app);
	log_close();
	return 0;
}
