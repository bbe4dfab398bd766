/* A fault's effect is looked for where it must show: in the proxies' counts, in requests that are stuck, lost or
 * refused, in the line's epoch, or in the process that is gone. */
#include "tests/faults/kinds.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/support/process.h"

enum { STUCK_MS = 300 };

static struct instance *instance_of(struct arena *arena, const struct injection *injection)
{
	return &arena->world->instances[injection->instance];
}

/* --- between the server and its stores --- */

static void set_proxies(struct arena *arena, struct injection *injection)
{
	const struct kind *kind = injection->kind;

	proxies_set(&arena->proxies, kind->one_instance ? 1U << injection->instance : ~0U,
		kind->store, kind->fault, injection->amount);
}

static void clear_proxies(struct arena *arena, struct injection *injection)
{
	proxies_set(&arena->proxies, ~0U, injection->kind->store, PROXY_PASSES, 0);
}

/* Joins are refused, and polls answered without a position. */
static bool line_is_away(struct arena *arena, struct injection *injection)
{
	const struct buyers_counts *now = buyers_counts(arena->buyers);

	return now->stale > injection->before.stale || now->refused > injection->before.refused;
}

static bool proxies_hit(struct arena *arena, struct injection *injection)
{
	enum proxies_store store = injection->kind->store;
	struct proxies_seen now = proxies_seen(&arena->proxies, store);
	const struct proxies_seen *before = &injection->before_at[store];

	switch (injection->kind->fault) {
	case PROXY_LOSES_COMMITS: return now.commits_lost > before->commits_lost;
	case PROXY_CLOSES:
	case PROXY_RESETS: return now.hit > before->hit;
	case PROXY_STALLS:
		return store == PROXIES_REDIS ? line_is_away(arena, injection)
					      : buyers_stuck(arena->buyers, ~0U, STUCK_MS) > 0;
	default: return now.bytes_hit > before->bytes_hit;
	}
}

/* --- what the buyers see --- */

static bool buyers_lost(struct arena *arena, struct injection *injection)
{
	return buyers_counts(arena->buyers)->lost > injection->before.lost;
}

static bool buyers_are_stuck(struct arena *arena, struct injection *injection)
{
	unsigned instances = injection->kind->one_instance ? 1U << injection->instance : ~0U;

	return buyers_stuck(arena->buyers, instances, STUCK_MS) > 0;
}

static bool some_were_hit(struct arena *arena, struct injection *injection)
{
	(void)arena;
	return injection->hit > 0;
}

static void reset_clients(struct arena *arena, struct injection *injection)
{
	injection->hit = buyers_reset(arena->buyers);
}

static void heal_nothing(struct arena *arena, struct injection *injection)
{
	(void)arena;
	(void)injection;
}

/* --- the server --- */

static void kill_server(struct arena *arena, struct injection *injection)
{
	instance_kill(instance_of(arena, injection));
}

static void start_server(struct arena *arena, struct injection *injection)
{
	instance_launch(instance_of(arena, injection));
}

static void freeze_server(struct arena *arena, struct injection *injection)
{
	kill(instance_of(arena, injection)->pid, SIGSTOP);
}

static void thaw_server(struct arena *arena, struct injection *injection)
{
	kill(instance_of(arena, injection)->pid, SIGCONT);
}

static void tell_server_to_end(struct arena *arena, struct injection *injection)
{
	kill(instance_of(arena, injection)->pid, SIGTERM);
}

/* It drains, ends with status 0, and comes again. */
static bool server_is_back(struct arena *arena, struct injection *injection)
{
	struct instance *instance = instance_of(arena, injection);
	int status = 0;

	if (injection->ended_well)
		return true;
	if (waitpid(instance->pid, &status, WNOHANG) == 0)
		return false;
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"%s did not end well: status %d; its log: %s", instance->name, status,
		instance->log_path);
	injection->ended_well = true;
	instance->pid = 0;
	instance_launch(instance);
	return true;
}

static bool server_has_ended(struct arena *arena, struct injection *injection)
{
	(void)arena;
	return injection->ended_well;
}

/* It may open no more descriptors than it has; clients come anew. */
static void starve_server(struct arena *arena, struct injection *injection)
{
	struct rlimit none = {3, 0}, had;
	pid_t pid = instance_of(arena, injection)->pid;

	cr_assert(prlimit(pid, RLIMIT_NOFILE, NULL, &had) == 0);
	none.rlim_max = had.rlim_max;
	cr_assert(prlimit(pid, RLIMIT_NOFILE, &none, NULL) == 0);
	injection->amount = had.rlim_cur;
	buyers_reset(arena->buyers);
}

static void feed_server(struct arena *arena, struct injection *injection)
{
	struct rlimit limit;
	pid_t pid = instance_of(arena, injection)->pid;

	cr_assert(prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0);
	limit.rlim_cur = injection->amount;
	cr_assert(prlimit(pid, RLIMIT_NOFILE, &limit, NULL) == 0);
}

/* --- Redis --- */

static int64_t line_epoch(struct arena *arena)
{
	redisContext *connection = redis_process_connect(&arena->world->redis);
	redisReply *reply = redisCommand(
		connection, "HGET onsale:{%lld}:meta epoch", (long long)arena->sale.event_id);
	int64_t epoch = reply != NULL && reply->type == REDIS_REPLY_STRING
				? strtoll(reply->str, NULL, 10)
				: 0;

	freeReplyObject(reply);
	redisFree(connection);
	return epoch;
}

static void command_redis(struct arena *arena, const char *command, redisReply **reply)
{
	redisContext *connection = redis_process_connect(&arena->world->redis);

	*reply = redisCommand(connection, command);
	cr_assert(*reply != NULL && (*reply)->type != REDIS_REPLY_ERROR, "%s", command);
	redisFree(connection);
}

static void kill_redis(struct arena *arena, struct injection *injection)
{
	(void)injection;
	process_kill(arena->world->redis.pid);
	arena->world->redis.pid = 0;
	deliveries_lost(&arena->deliveries, arena->world->db); /* what it had not written yet */
}

static void stop_redis(struct arena *arena, struct injection *injection)
{
	(void)injection;
	redis_process_stop(&arena->world->redis);
}

static void start_redis(struct arena *arena, struct injection *injection)
{
	(void)injection;
	redis_process_start(&arena->world->redis);
}

static void freeze_redis(struct arena *arena, struct injection *injection)
{
	(void)injection;
	kill(arena->world->redis.pid, SIGSTOP);
}

static void thaw_redis(struct arena *arena, struct injection *injection)
{
	(void)injection;
	kill(arena->world->redis.pid, SIGCONT);
}

static void empty_redis(struct arena *arena, struct injection *injection)
{
	redisReply *reply;

	injection->epoch = line_epoch(arena);
	command_redis(arena, "FLUSHALL", &reply);
	deliveries_lost(&arena->deliveries, arena->world->db);
	freeReplyObject(reply);
}

static int remove_file(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

/* Killed, and its files are gone. */
static void wipe_redis(struct arena *arena, struct injection *injection)
{
	char path[REDIS_PATH_SIZE + 32];

	injection->epoch = line_epoch(arena);
	kill_redis(arena, injection);
	snprintf(path, sizeof path, "%s/appendonlydir", arena->world->redis.folder);
	cr_assert(nftw(path, remove_file, 4, FTW_DEPTH | FTW_PHYS) == 0);
}

static bool epoch_has_grown(struct arena *arena, struct injection *injection)
{
	return arena->world->redis.pid != 0 && line_epoch(arena) > injection->epoch;
}

static void drop_redis_clients(struct arena *arena, struct injection *injection)
{
	redisReply *reply;

	command_redis(arena, "CLIENT KILL TYPE normal", &reply);
	injection->hit = (unsigned)reply->integer;
	freeReplyObject(reply);
}

/* --- PostgreSQL --- */

static bool lanes_came_back(struct arena *arena, struct injection *injection)
{
	return proxies_seen(&arena->proxies, PROXIES_POSTGRESQL).accepted >
	       injection->before_at[PROXIES_POSTGRESQL].accepted;
}

static void end_backends(struct arena *arena, struct injection *injection)
{
	injection->hit = (unsigned)database_i64(arena->world->db,
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
		"WHERE datname = current_database() AND pid <> pg_backend_pid()",
		0, NULL);
}

static void restart_postgresql(struct arena *arena, struct injection *injection)
{
	(void)injection;
	cluster_restart(&arena->cluster);
}

/* The run's own session is made anew, a step at each look. */
static bool accepts_again(struct arena *arena, struct injection *injection)
{
	PGconn *db = arena->world->db;

	if (!injection->connecting)
		injection->connecting = PQresetStart(db);
	PostgresPollingStatusType status = injection->connecting ? PQresetPoll(db)
								 : PGRES_POLLING_FAILED;
	if (status == PGRES_POLLING_FAILED)
		injection->connecting = false;
	return status == PGRES_POLLING_OK;
}

static bool postgresql_is_back(struct arena *arena, struct injection *injection)
{
	return cluster_is_back(&arena->cluster) && accepts_again(arena, injection);
}

static void freeze_postgresql(struct arena *arena, struct injection *injection)
{
	(void)injection;
	cluster_signal(&arena->cluster, SIGSTOP);
}

static void thaw_postgresql(struct arena *arena, struct injection *injection)
{
	(void)injection;
	cluster_signal(&arena->cluster, SIGCONT);
}

/* One dies of SIGKILL: PostgreSQL ends all the others and recovers. */
static void kill_backend(struct arena *arena, struct injection *injection)
{
	(void)injection;
	pid_t pid = (pid_t)database_i64(arena->world->db,
		"SELECT min(pid) FROM pg_stat_activity "
		"WHERE datname = current_database() AND pid <> pg_backend_pid()",
		0, NULL);

	cr_assert(kill(pid, SIGKILL) == 0);
}

static void lock_seats(struct arena *arena, struct injection *injection)
{
	char performance[24];
	const char *params[] = {performance};

	snprintf(performance, sizeof performance, "%lld", (long long)arena->sale.performance_id);
	injection->locker = database_connect(arena->world->database_url);
	database_run(injection->locker, "BEGIN");
	PQclear(database_query(injection->locker,
		"SELECT FROM (SELECT FROM seats WHERE performance_id = $1 ORDER BY id LIMIT 20 "
		"FOR UPDATE) s",
		1, params));
}

static void unlock_seats(struct arena *arena, struct injection *injection)
{
	(void)arena;
	database_run(injection->locker, "COMMIT");
	PQfinish(injection->locker);
}

static bool sessions_wait(struct arena *arena, struct injection *injection)
{
	(void)injection;
	return database_i64(arena->world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
		       "AND wait_event_type = 'Lock'",
		       0, NULL) > 0;
}

/* --- the table --- */

#define BETWEEN(store_, fault_, ...) \
	.inject = set_proxies, .heal = clear_proxies, .seen = proxies_hit, .store = store_, \
	.fault = fault_, __VA_ARGS__
#define REDIS(fault, ...) BETWEEN(PROXIES_REDIS, fault, .redis_lost = true, __VA_ARGS__)
#define POSTGRESQL(fault, ...) BETWEEN(PROXIES_POSTGRESQL, fault, __VA_ARGS__)
#define LASTS(min, max) .lasts_min_ms = min, .lasts_max_ms = max
#define AMOUNT(min, max) .amount_min = min, .amount_max = max

const struct kind kinds[] = {
	{"redis_slow", REDIS(PROXY_DELAYS, AMOUNT(20, 400), LASTS(500, 1500))},
	{"redis_closed", REDIS(PROXY_CLOSES, LASTS(200, 1500))},
	{"redis_reset", REDIS(PROXY_RESETS, LASTS(10, 800))},
	{"redis_cut_midway", REDIS(PROXY_CUTS, AMOUNT(1, 2000), LASTS(300, 1000))},
	{"redis_in_single_bytes", REDIS(PROXY_SPLITS, LASTS(500, 1500))},
	{"redis_throttled", REDIS(PROXY_THROTTLES, AMOUNT(2000, 20000), LASTS(500, 2000))},
	{"redis_stalled", REDIS(PROXY_STALLS, LASTS(600, 2000))},
	{"redis_swallows", REDIS(PROXY_SWALLOWS, LASTS(500, 2000))},
	{"redis_mute", REDIS(PROXY_MUTES, LASTS(100, 1500))},
	{"redis_garbled", REDIS(PROXY_GARBLES, LASTS(50, 800))},
	{"redis_swallows_for_one", REDIS(PROXY_SWALLOWS, LASTS(500, 2500), .one_instance = true)},
	{"postgresql_slow", POSTGRESQL(PROXY_DELAYS, AMOUNT(20, 900), LASTS(500, 1500))},
	{"postgresql_closed", POSTGRESQL(PROXY_CLOSES, LASTS(200, 1500))},
	{"postgresql_reset", POSTGRESQL(PROXY_RESETS, LASTS(10, 800))},
	{"postgresql_cut_midway", POSTGRESQL(PROXY_CUTS, AMOUNT(1, 5000), LASTS(300, 1000))},
	{"postgresql_in_single_bytes", POSTGRESQL(PROXY_SPLITS, LASTS(500, 1500))},
	{"postgresql_throttled",
		POSTGRESQL(PROXY_THROTTLES, AMOUNT(3000, 30000), LASTS(500, 2000))},
	{"postgresql_stalled", POSTGRESQL(PROXY_STALLS, LASTS(600, 4000))},
	{"postgresql_swallows", POSTGRESQL(PROXY_SWALLOWS, LASTS(500, 4000))},
	{"postgresql_mute", POSTGRESQL(PROXY_MUTES, LASTS(100, 3000))},
	{"postgresql_garbled", POSTGRESQL(PROXY_GARBLES, LASTS(50, 800))},
	{"postgresql_commits_lost", POSTGRESQL(PROXY_LOSES_COMMITS, LASTS(50, 2500))},
	{"postgresql_swallows_for_one",
		POSTGRESQL(PROXY_SWALLOWS, LASTS(500, 4000), .one_instance = true)},
	{"clients_reset", reset_clients, heal_nothing, NULL, some_were_hit, LASTS(10, 50)},
	{"server_killed", kill_server, start_server, NULL, buyers_lost, LASTS(50, 1500)},
	{"server_frozen", freeze_server, thaw_server, NULL, buyers_are_stuck,
		LASTS(ARENA_LOCKING_MS + 300, 5500), .one_instance = true, .redis_lost = true},
	{"server_restarted", tell_server_to_end, heal_nothing, server_is_back, server_has_ended,
		LASTS(50, 100)},
	{"server_without_descriptors", starve_server, feed_server, NULL, buyers_are_stuck,
		LASTS(600, 2000), .one_instance = true},
	{"redis_killed", kill_redis, start_redis, NULL, line_is_away, LASTS(300, 1500),
		.redis_lost = true},
	{"redis_restarted", stop_redis, start_redis, NULL, line_is_away, LASTS(300, 1500),
		.redis_lost = true},
	{"redis_frozen", freeze_redis, thaw_redis, NULL, line_is_away, LASTS(600, 3000),
		.redis_lost = true},
	{"redis_emptied", empty_redis, heal_nothing, NULL, epoch_has_grown, LASTS(200, 3000),
		.redis_lost = true},
	{"redis_wiped", wipe_redis, start_redis, NULL, epoch_has_grown, LASTS(300, 1500),
		.redis_lost = true},
	{"redis_clients_dropped", drop_redis_clients, heal_nothing, NULL, some_were_hit,
		LASTS(10, 50), .redis_lost = true},
	{"postgresql_backends_ended", end_backends, heal_nothing, NULL, some_were_hit,
		LASTS(10, 100)},
	{"postgresql_restarted", restart_postgresql, heal_nothing, postgresql_is_back,
		lanes_came_back, LASTS(10, 50)},
	{"postgresql_frozen", freeze_postgresql, thaw_postgresql, NULL, buyers_are_stuck,
		LASTS(600, 4000)},
	{"postgresql_backend_killed", kill_backend, heal_nothing, postgresql_is_back,
		lanes_came_back, LASTS(100, 200)},
	{"postgresql_seats_locked", lock_seats, unlock_seats, NULL, sessions_wait,
		LASTS(300, 2500)},
};

const size_t kind_count = ARRAY_LEN(kinds);

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < kind_count; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}
