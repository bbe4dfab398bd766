/* Part by part, in the order in which they stand on the page. */
#include "server/metrics.h"

#include <event2/event.h>
#include <stdio.h>
#include "db/pg.h"
#include "db/redis.h"
#include "lock/redlock.h"
#include "lock/seat_lock.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/app.h"
#include "server/auditor.h"
#include "server/catalog.h"
#include "server/hasher.h"
#include "server/known_people.h"
#include "server/loop_lag.h"
#include "server/metrics_text.h"
#include "server/net.h"
#include "server/outbox.h"
#include "server/process_stats.h"
#include "server/revocations.h"

enum { LINES_SHOWN_MAX = 100 };

/* A family of one histogram. */
static void times(
	struct buf *out, const char *name, const char *help, const struct histogram *histogram)
{
	metric_family(out, name, "histogram", help);
	metric_histogram_us(out, name, "", histogram);
}

/* --- load --- */

static void write_shed(struct buf *out, const struct counters *counters)
{
	char labels[METRIC_LABELS_SIZE];

	metric_family(out, "onsale_requests_shed_total", "counter",
		"Requests refused because there was too much to do.");
	for (enum priority priority = 0; priority < PRIORITIES; priority++) {
		snprintf(labels, sizeof labels, "priority=\"%s\"", priority_name(priority));
		metric_sample(out, "onsale_requests_shed_total", labels, counters->shed[priority]);
	}
}

static void write_load(struct buf *out, const struct app *app)
{
	const struct counters *counters = &app->counters;

	write_shed(out, counters);
	metric_counter(out, "onsale_requests_limited_total", "Requests refused by a rate limit.",
		counters->limited);
	metric_gauge(out, "onsale_in_flight", "Requests in work.", counters->in_flight);
	metric_gauge(out, "onsale_in_flight_peak",
		"The most requests that were ever in work at once.", counters->in_flight_peak);
	metric_gauge(
		out, "onsale_connections", "Client connections open.", net_connections(app->net));
	metric_gauge(out, "onsale_streams", "Event streams open.", counters->streams);
	metric_counter(
		out, "onsale_stream_events_total", "Events sent to streams.", counters->pushes);
	metric_counter(out, "onsale_streams_cut_total",
		"Streams closed since their clients did not read.", counters->streams_cut);
	metric_counter(out, "onsale_clients_gone_total", "Clients that left before their reply.",
		counters->clients_gone);
	metric_counter(out, "onsale_replays_total",
		"Replies given again under their Idempotency-Key.", counters->replays);
	metric_gauge(out, "onsale_hasher_queue",
		"Passwords that wait to be hashed behind the one at work.",
		hasher_waiting(app->hasher));
	metric_gauge(out, "onsale_revocations",
		"Access tokens that were logged out and have not expired.",
		revocations_count(app->revocations));
	metric_gauge(out, "onsale_known_tokens",
		"Access tokens that were verified and are remembered.",
		known_people_count(app->known_tokens));
	metric_gauge(out, "onsale_known_identities",
		"People of the identity provider whose users are remembered.",
		known_people_count(app->known_identities));
}

static void write_loop(struct buf *out, const struct app *app)
{
	if (app->loop_lag != NULL)
		times(out, "onsale_loop_lag_seconds",
			"How long after a timer of the kernel's was due, each 20 ms, the loop came to "
			"it; waiting for a core included.",
			loop_lag_us(app->loop_lag));
	metric_gauge_us(out, "onsale_loop_turn_max_seconds",
		"The most that one turn of the loop ever computed.", app->counters.turn_max_us);
	metric_counter_us(out, "onsale_loop_computed_seconds_total",
		"What the loop's thread has computed.", app->counters.computed_us);
}

/* --- lines --- */

static bool is_shown(const struct catalog_event *event, uint64_t now_ms)
{
	return event->row.queue_enabled &&
	       (event->admitted_total > 0 || event->waiting > 0 || event->live > 0 ||
		       event->active_until_ms > now_ms);
}

/* The newest ones that somebody has asked for. */
static unsigned choose_lines(
	const struct catalog *catalog, const struct catalog_event *lines[LINES_SHOWN_MAX])
{
	uint64_t now_ms = clock_mono_ms();
	unsigned count = 0;

	for (size_t i = catalog_event_count(catalog); i > 0 && count < LINES_SHOWN_MAX; i--) {
		const struct catalog_event *event = catalog_event_at(catalog, i - 1);

		if (is_shown(event, now_ms))
			lines[count++] = event;
	}
	return count;
}

static int64_t waiting_of(const struct catalog_event *event)
{
	return event->waiting;
}

static int64_t live_of(const struct catalog_event *event)
{
	return event->live;
}

static int64_t admitted_of(const struct catalog_event *event)
{
	return event->admitted_total;
}

static int64_t abandoned_of(const struct catalog_event *event)
{
	return event->abandoned_total;
}

static int64_t available_of(const struct catalog_event *event)
{
	return event->seats_available;
}

static int64_t sold_of(const struct catalog_event *event)
{
	return event->seats_sold;
}

static void write_lines(struct buf *out, const struct app *app)
{
	static const struct {
		const char *name, *type, *help;
		int64_t (*value)(const struct catalog_event *event);
	} families[] = {
		{"onsale_line_waiting", "gauge", "People in the line of an event.", waiting_of},
		{"onsale_line_passes", "gauge", "Passes that are live.", live_of},
		{"onsale_line_admitted_total", "counter",
			"People admitted by all instances, as Redis counts.", admitted_of},
		{"onsale_line_abandoned_total", "counter",
			"Places dropped by all instances because nobody polled, as Redis counts.",
			abandoned_of},
		{"onsale_seats_available", "gauge", "Seats of an event that may be held.",
			available_of},
		{"onsale_seats_sold", "gauge", "Seats of an event that are sold.", sold_of},
	};
	const struct catalog_event *lines[LINES_SHOWN_MAX];
	unsigned count = choose_lines(app->catalog, lines);
	char labels[METRIC_LABELS_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		metric_family(out, families[i].name, families[i].type, families[i].help);
		for (unsigned line = 0; line < count; line++) {
			snprintf(labels, sizeof labels, "event=\"%lld\"",
				(long long)lines[line]->row.id);
			metric_sample(out, families[i].name, labels,
				(uint64_t)families[i].value(lines[line]));
		}
	}
}

static void write_eta(struct buf *out, const struct eta_checks *checks)
{
	metric_family(out, "onsale_eta_checks_total", "counter",
		"Places that were watched from a tick until admitted: whether the wait was what was told.");
	metric_sample(out, "onsale_eta_checks_total", "result=\"within\"", checks->within);
	metric_sample(out, "onsale_eta_checks_total", "result=\"outside\"", checks->outside);
	times(out, "onsale_eta_error_seconds",
		"By how much the wait of those missed the middle of what was told.",
		&checks->errors_us);
}

static void write_queueing(struct buf *out, const struct app *app)
{
	metric_counter(out, "onsale_joins_total", "New places in a line that this instance gave.",
		app->counters.joins);
	metric_counter(out, "onsale_polls_from_picture_total",
		"Polls answered as of the last tick, without asking Redis.",
		queue_pictured(app->queue));
	write_lines(out, app);
	write_eta(out, &app->eta_checks);
}

/* --- locks --- */

static void write_seat_locks(struct buf *out, const struct seat_locks *locks)
{
	struct seat_lock_stats stats = seat_lock_stats(locks);
	char labels[METRIC_LABELS_SIZE];

	metric_counter(out, "onsale_lock_attempts_total", "Requests that asked for seat locks.",
		stats.attempts);
	metric_family(out, "onsale_lock_results_total", "counter",
		"How those ended: ours, taken (somebody else has a seat), away (no answer: PostgreSQL "
		"decides alone), no_pass, or by what was known of the key.");
	for (int result = 0; result < SEAT_LOCK_RESULTS; result++) {
		snprintf(labels, sizeof labels, "result=\"%s\"",
			seat_lock_result_name((enum seat_lock_result)result));
		metric_sample(out, "onsale_lock_results_total", labels, stats.results[result]);
	}
	times(out, "onsale_lock_wait_seconds", "Time from asking for seat locks to the answer.",
		&stats.waits_us);
	metric_gauge(out, "onsale_lock_queue",
		"Requests whose turn to ask for seat locks has not come.", stats.queued);
	metric_gauge(out, "onsale_lock_asking", "Requests that Redis is being asked about.",
		stats.asked);
	metric_gauge(out, "onsale_lock_waiting",
		"Requests that wait for a seat which others are just locking.", stats.waiting);
}

static void write_redlock(struct buf *out, const struct redlock *redlock)
{
	const struct redlock_stats *stats = redlock_stats(redlock);

	metric_gauge(out, "onsale_redlock_nodes_up", "Redis of the Redlock that are up.",
		redlock_nodes_up(redlock));
	metric_counter(out, "onsale_redlock_split_total",
		"Seat locks that nobody had most of the Redlock's Redis for.", stats->split);
	metric_counter(out, "onsale_redlock_away_total",
		"Seat locks that most of the Redlock's Redis did not answer for.", stats->away);
}

static void write_locks(struct buf *out, const struct app *app)
{
	if (app->locks != NULL)
		write_seat_locks(out, app->locks);
	if (app->redlock != NULL)
		write_redlock(out, app->redlock);
}

/* --- selling --- */

static void write_seat_maps(struct buf *out, const struct counters *counters)
{
	metric_family(out, "onsale_seat_map_requests_total", "counter",
		"Readers of a seat map: hits found a young one in the process, misses waited for one.");
	metric_sample(
		out, "onsale_seat_map_requests_total", "result=\"hit\"", counters->seat_map_hits);
	metric_sample(out, "onsale_seat_map_requests_total", "result=\"miss\"",
		counters->seat_map_misses);
	metric_counter(out, "onsale_seat_map_reads_total", "Seat maps read from PostgreSQL.",
		counters->seat_map_reads);
	metric_counter(out, "onsale_seat_map_copies_total",
		"Seat maps taken from Redis, where another instance left them.",
		counters->seat_map_copies);
	metric_counter(out, "onsale_seat_map_messages_total",
		"Changes of seats that other instances told of.", counters->seat_map_messages);
}

static void write_sales(struct buf *out, const struct counters *counters)
{
	metric_counter(out, "onsale_holds_total", "Holds made.", counters->holds);
	metric_counter(out, "onsale_holds_lost_total",
		"Holds that PostgreSQL refused, since their seats were taken.",
		counters->holds_lost);
	metric_counter(out, "onsale_seat_conflicts_total",
		"Holds judged again, since a seat changed between an optimistic look and its lock.",
		counters->seat_conflicts);
	metric_counter(out, "onsale_holds_cancelled_total", "Holds that were given up.",
		counters->cancellations);
	metric_counter(out, "onsale_holds_expired_total",
		"Lapsed holds that the sweeper ended, which are those whose seats nobody held again before.",
		counters->expiries);
	metric_counter(out, "onsale_payments_total", "Payments made.", counters->payments);
	metric_counter(
		out, "onsale_refunds_total", "Payments that were given back.", counters->refunds);
	write_seat_maps(out, counters);
}

/* --- stores --- */

static void write_redis(struct buf *out, const struct app *app)
{
	const struct redis_stats *stats = redis_stats(app->redis);

	metric_gauge(out, "onsale_redis_up", "1 while Redis is connected and the breaker closed.",
		redis_up(app->redis));
	metric_gauge(out, "onsale_redis_pending", "Redis commands in flight.",
		redis_pending(app->redis));
	metric_gauge(out, "onsale_redis_breaker_state", "0 closed, 1 open, 2 half-open.",
		redis_breaker(app->redis));
	metric_counter(out, "onsale_redis_breaker_openings_total",
		"Times that the breaker has opened.", stats->breaker_openings);
	metric_counter(out, "onsale_redis_commands_total", "Commands sent.", stats->commands);
	metric_counter(out, "onsale_redis_timeouts_total", "Commands not answered in time.",
		stats->timeouts);
	metric_counter(out, "onsale_redis_refused_total",
		"Commands not sent: no connection, breaker open, or too many in flight.",
		stats->refused);
	metric_counter(out, "onsale_redis_connections_total",
		"Connections that became ready, the first one included.", stats->connections);
	metric_gauge(out, "onsale_redis_listening", "1 while other instances' messages are heard.",
		redis_up(app->listener));
	times(out, "onsale_redis_round_trip_seconds",
		"Time from asking for a command until the turn of the loop that read its reply.",
		&stats->round_trips_us);
}

/* What waited too long; a batch that did for a lock is only run again, its members each alone. */
static void write_timeouts(struct buf *out, const struct pg_stats *stats)
{
	static const char name[] = "onsale_transaction_timeouts_total";

	metric_family(out, name, "counter",
		"Work given up by time: at db.deadline_ms, by statement_timeout, or alone for a lock.");
	metric_sample(out, name, "cause=\"deadline\"", stats->overdue);
	metric_sample(out, name, "cause=\"statement\"", stats->statement_timeouts);
	metric_sample(out, name, "cause=\"lock\"", stats->alone_lock_timeouts);
	metric_counter(out, "onsale_postgresql_batch_lock_timeouts_total",
		"Batches that waited too long for a lock and were taken apart.",
		stats->lock_timeouts - stats->statement_timeouts - stats->alone_lock_timeouts);
	metric_counter(out, "onsale_postgresql_run_alone_total",
		"Operations run again alone after their batch had failed.", stats->alone);
}

static void write_results(struct buf *out, const struct pg_stats *stats)
{
	static const char name[] = "onsale_postgresql_operations_total";

	metric_family(out, name, "counter", "Operations, by how they ended.");
	metric_sample(out, name, "result=\"ok\"", stats->ok);
	metric_sample(out, name, "result=\"unavailable\"", stats->unavailable);
	metric_sample(out, name, "result=\"busy\"", stats->busy);
	metric_sample(out, name, "result=\"failed\"", stats->failed);
	metric_sample(out, name, "result=\"unknown\"", stats->unknown);
}

static void write_postgresql(struct buf *out, const struct app *app)
{
	const struct pg_stats *stats = pg_stats(app->pg);

	metric_gauge(out, "onsale_postgresql_lanes", "Lanes (connections) that there should be.",
		(uint64_t)app->settings.db_lanes);
	metric_gauge(out, "onsale_postgresql_lanes_up", "Lanes that are connected and ready.",
		pg_lanes_up(app->pg));
	metric_counter(out, "onsale_postgresql_lanes_lost_total",
		"Lanes lost after they were ready.", stats->reconnects);
	metric_gauge(out, "onsale_postgresql_pending",
		"PostgreSQL operations waiting or in flight.", pg_pending(app->pg));
	metric_gauge_us(out, "onsale_postgresql_backlog_seconds",
		"How long an operation waits for a lane.", (uint64_t)app->backlog_ms * 1000);
	write_results(out, stats);
	write_timeouts(out, stats);
	times(out, "onsale_postgresql_lane_wait_seconds", "Time that operations waited for a lane.",
		&stats->lane_waits_us);
	times(out, "onsale_postgresql_round_trip_seconds",
		"Time from sending a batch until its transaction was over.",
		&stats->round_trips_us);
	metric_family(out, "onsale_postgresql_batch_size", "histogram",
		"Operations that shared a transaction.");
	metric_histogram(out, "onsale_postgresql_batch_size", "", &stats->batch_sizes);
}

static void write_outbox(struct buf *out, const struct outbox *outbox)
{
	struct outbox_counts counts = outbox_counts(outbox);

	metric_counter(out, "onsale_outbox_published_total",
		"Events of the outbox that this instance has delivered.", counts.published);
	metric_counter(out, "onsale_outbox_failures_total",
		"Batches of the outbox that PostgreSQL or the target did not take.",
		counts.failures);
	metric_gauge_us(out, "onsale_outbox_lag_seconds",
		"Age of the oldest event that is not delivered.", counts.lag_ms * 1000);
}

/* --- the books, the process --- */

static void write_audit(struct buf *out, const struct auditor *auditor)
{
	static const char name[] = "onsale_audit_findings";
	struct audit_counts counts = auditor_counts(auditor);

	metric_counter(out, "onsale_audit_failures_total", "Audits that PostgreSQL did not make.",
		auditor_failures(auditor));
	if (!counts.known)
		return;
	metric_family(out, name, "gauge",
		"What must be 0, as the last audit counted; only of the instance that made it.");
	metric_sample(out, name, "kind=\"double_sold\"", (uint64_t)counts.double_sold);
	metric_sample(out, name, "kind=\"negative_balances\"", (uint64_t)counts.negative_balances);
	metric_sample(out, name, "kind=\"ledger_imbalance\"", (uint64_t)counts.ledger_imbalance);
	metric_sample(out, name, "kind=\"orphan_holds\"", (uint64_t)counts.orphan_holds);
	metric_gauge(out, "onsale_audit_unpublished_events",
		"Events of the outbox that the last audit found undelivered.",
		(uint64_t)counts.unpublished_events);
	metric_gauge_us(out, "onsale_audit_timestamp_seconds", "When that audit was made.",
		(uint64_t)counts.made_unix_ms * 1000);
}

static void write_process(struct buf *out, struct app *app)
{
	struct process_stats stats = process_stats(net_connections(app->net), &app->other_files);

	metric_counter_us(
		out, "process_cpu_seconds_total", "What all threads have computed.", stats.cpu_us);
	metric_counter_us(out, "onsale_core_wait_seconds_total",
		"Time that the loop's thread was ready to compute and had no core.",
		stats.core_wait_us);
	metric_gauge(
		out, "process_resident_memory_bytes", "Resident memory.", stats.resident_bytes);
	metric_gauge(out, "process_virtual_memory_bytes", "Virtual memory.", stats.virtual_bytes);
	metric_gauge(out, "process_open_fds", "Open files.", stats.open_files);
	metric_gauge(out, "process_max_fds", "Files that may be open.", stats.files_max);
	metric_gauge(out, "process_start_time_seconds", "When the process began (Unix time).",
		stats.started_unix_s);
}

static void write_log(struct buf *out)
{
	metric_counter(out, "onsale_log_dropped_total",
		"Lines of the log that came faster than they could be written, or could not be.",
		log_dropped());
}

static void write_build(struct buf *out)
{
	char labels[METRIC_LABELS_SIZE];

	metric_family(out, "onsale_build_info", "gauge", "What it was built with; always 1.");
	snprintf(labels, sizeof labels, "compiler=\"%s\",libevent=\"%s\"", __VERSION__,
		event_get_version());
	metric_sample(out, "onsale_build_info", labels, 1);
}

void metrics_write(struct buf *out, struct app *app)
{
	metrics_write_requests(out, app->observer);
	write_load(out, app);
	write_loop(out, app);
	write_queueing(out, app);
	write_locks(out, app);
	write_sales(out, &app->counters);
	write_redis(out, app);
	write_postgresql(out, app);
	write_outbox(out, app->outbox);
	write_audit(out, app->auditor);
	write_process(out, app);
	write_log(out);
	write_build(out);
}
