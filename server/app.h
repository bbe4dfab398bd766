/* The one process-wide state, filled by serve.c and handed to whoever needs it. */
#ifndef ONSALE_SERVER_APP_H
#define ONSALE_SERVER_APP_H

#include <stdbool.h>
#include <stdint.h>
#include "config/settings.h"
#include "proto/address.h"
#include "queue/queue.h"
#include "server/eta_check.h"
#include "server/shed.h"

struct auditor;
struct event_base;
struct pg;
struct redis;
struct redlock;
struct seat_locks;
struct hasher;
struct token_key;
struct access_token_key;
struct catalog;
struct seat_maps;
struct in_flight_keys;
struct revocations;
struct limits;
struct loop_lag;
struct idp;
struct known_people;
struct docs;
struct web_files;
struct net;
struct observer;
struct access_log;
struct streams;
struct ticker;
struct shuffler;
struct sweeper;
struct outbox;

/* Plain counts, shown by /metrics. */
struct counters {
	uint64_t shed[PRIORITIES]; /* refused because there was too much to do */
	unsigned in_flight; /* flows begun and not ended */
	unsigned in_work[PRIORITIES]; /* … of each priority */
	unsigned in_flight_peak; /* the most there ever were at once */
	uint64_t limited; /* refused by a rate limit */
	uint64_t clients_gone; /* clients that left before their reply */
	unsigned streams; /* open */
	uint64_t pushes; /* events sent to streams */
	uint64_t streams_cut; /* whose clients did not read what was sent */
	uint64_t replays; /* replies given again under their key */
	uint64_t joins; /* new places in a line */
	uint64_t holds, payments; /* fresh 201s */
	uint64_t cancellations, refunds; /* holds given up, and payments given back */
	uint64_t expiries; /* holds that the sweeper ended */
	uint64_t holds_lost; /* that came as far as PostgreSQL and found their seats taken there */
	uint64_t
		seat_conflicts; /* seats changed between an optimistic look and the lock: judged again */
	uint64_t seat_map_hits, seat_map_misses; /* readers who found a young map, or had to wait */
	uint64_t seat_map_reads; /* letters of a seat map asked of PostgreSQL */
	uint64_t seat_map_copies; /* … taken from Redis instead */
	uint64_t seat_map_messages; /* changes that other instances told of */
	uint64_t computed_us; /* by the loop's thread, as of the last turn */
	uint64_t turn_max_us; /* the most that one turn computed */
};

struct app {
	struct settings settings;
	struct event_base *base;
	struct pg *pg;
	struct redis *redis;
	struct redis *listener; /* hears what other instances say */
	struct queue *queue;
	struct redlock *redlock; /* NULL where lock.mode is another */
	struct seat_locks *locks; /* NULL where lock.mode is none */
	struct hasher *hasher;
	struct token_key *token_key;
	struct access_token_key *access_token_key;
	struct idp *idp; /* NULL where there is none */
	struct known_people *known_tokens, *known_identities;
	struct queue_pace pace;
	struct catalog *catalog;
	struct seat_maps *seat_maps;
	struct in_flight_keys *keys;
	struct revocations *revocations;
	struct limits *limits;
	struct networks trusted_proxies;
	struct docs *docs;
	struct web_files *web_files;
	struct ticker *ticker;
	struct shuffler *shuffler;
	struct sweeper *sweeper;
	struct auditor *auditor;
	struct outbox *outbox; /* NULL where nobody is told */
	struct net *net;
	struct observer *observer;
	struct access_log *access_log; /* NULL: requests have no lines */
	struct streams *streams;
	struct loop_lag *loop_lag; /* NULL where it cannot be measured */
	struct counters counters;
	struct eta_checks eta_checks;
	uint64_t other_files; /* process_stats's */
	int64_t backlog_ms; /* how long an operation waits for PostgreSQL, as of this turn */
	int64_t operation_ns; /* what each one that waits adds to that */
	int64_t pg_pending; /* operations waiting or in flight, as of this turn */
	int64_t passed_percent; /* of holds: how many the locks in Redis let pass to PostgreSQL lately */
	bool optimistic; /* seat.strategy */
	bool redis_was_away;
	bool draining; /* SIGTERM came: finish what is in flight, take nothing new */
	bool stopping; /* all requests have ended: timers begin nothing more */
	bool stop_at_once; /* a second signal came */
};

/* All is there that selling needs; and, of what it goes on without, nothing is missing. */
bool app_ready(const struct app *app);
bool app_degraded(const struct app *app);

#endif
