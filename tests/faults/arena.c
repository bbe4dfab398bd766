/* Times are short here, so that what a fault outlasts in minutes outlasts it in seconds: a hold lives for three
 * seconds, an operation for one and a half. */
#include "tests/faults/arena.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/admissions.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum {
	BALANCE = 6000,
	PRICE = 1000,
	SEATS_PER_ROW = 30,
	QUIET_LIMIT_MS = 10000,
	SWEPT_LIMIT_MS = 3000,
	TOLD_LIMIT_MS = 10000 /* a relay rests for 5 s at most */
};

static const char *const flags[] = {"--seat.hold_ttl_ms=3000", "--seat.sweep_ms=300",
	"--seat.per_user_max=0", "--lock.locking_ms=2500", "--db.deadline_ms=1500",
	"--db.statement_timeout_ms=1400", "--db.lock_timeout_ms=1200", "--redis.deadline_ms=250",
	"--redis.breaker_open_ms=200", "--queue.poll_min_ms=50", "--queue.poll_max_ms=800",
	"--queue.tick_ms=50", "--queue.claim_within_ms=3000", "--idempotency.wait_ms=1500",
	"--outbox.interval_ms=20", "--outbox.batch_max=50", "--outbox.stream_length=100000000"};

static void set_flags(struct arena *arena, unsigned instance)
{
	struct world *world = arena->world;
	size_t count = 0;

	for (; count < ARRAY_LEN(flags); count++)
		world->instances[instance].flags[count] = flags[count];
	snprintf(arena->urls[instance][PROXIES_REDIS], sizeof arena->urls[0][0],
		"--redis.url=redis://127.0.0.1:%u/0",
		proxies_port(&arena->proxies, instance, PROXIES_REDIS));
	snprintf(arena->urls[instance][PROXIES_POSTGRESQL], sizeof arena->urls[0][0],
		"--db.url=host=127.0.0.1 port=%u sslmode=disable user='%s' dbname='%s'",
		proxies_port(&arena->proxies, instance, PROXIES_POSTGRESQL), PQuser(world->db),
		world->database_name);
	for (int store = 0; store < PROXIES_STORES; store++)
		world->instances[instance].flags[count++] = arena->urls[instance][store];
	world->instances[instance].flags[count] = NULL;
}

void arena_open(struct arena *arena, unsigned instances, unsigned people, unsigned seed)
{
	struct sockaddr_un targets[PROXIES_STORES] = {{0}};

	*arena = (struct arena){0};
	cluster_open(&arena->cluster);
	arena->world = world_open(
		&(struct world_options){.instances = instances, .unmigrated = true});
	targets[PROXIES_POSTGRESQL] = arena->cluster.socket;
	targets[PROXIES_REDIS].sun_family = AF_UNIX;
	snprintf(targets[PROXIES_REDIS].sun_path, sizeof targets[0].sun_path, "%s",
		arena->world->redis.socket);
	proxies_open(&arena->proxies, instances, targets);
	for (unsigned i = 0; i < instances; i++)
		set_flags(arena, i);
	world_migrate(arena->world);
	world_start(arena->world);
	world_people(arena->world, &arena->people, people, BALANCE);
	arena->buyers = buyers_new(arena->world, &arena->people, seed);
}

void arena_close(struct arena *arena)
{
	buyers_free(arena->buyers);
	deliveries_free(&arena->deliveries);
	sale_close(&arena->sale);
	people_free(&arena->people);
	world_close(arena->world);
	proxies_close(&arena->proxies);
	cluster_close(&arena->cluster);
}

void arena_begin(struct arena *arena, unsigned rows, unsigned capacity, unsigned admit_per_second)
{
	arena->capacity = capacity;
	sale_close(&arena->sale);
	sale_open(arena->world, &arena->sale,
		&(struct sale_options){.queue = true,
			.capacity = capacity,
			.admit_per_second = admit_per_second,
			.pass_ttl_seconds = 10,
			.rows = rows,
			.seats_per_row = SEATS_PER_ROW,
			.price = PRICE});
	buyers_begin(arena->buyers, &arena->sale, ARENA_HOLD_TTL_MS);
}

bool arena_is_well(struct arena *arena)
{
	struct call call = {.method = "GET", .path = "/readyz"};
	bool well = true;

	for (unsigned i = 0; i < arena->world->options.instances && well; i++) {
		struct answer answer = {0};
		well = wire_call(world_port(arena->world, i), &call, &answer) &&
		       answer.status == 200 &&
		       json_array_size(json_object_get(answer_json(&answer), "degraded")) == 0;
		answer_clear(&answer);
	}
	return well;
}

/* --- the verdict --- */

static void complain(char text[ARENA_VERDICT_SIZE], const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(char text[ARENA_VERDICT_SIZE], const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, ARENA_VERDICT_SIZE - len, format, arguments);
	va_end(arguments);
}

/* Nothing but the question itself is in work. */
static bool is_quiet(void *context)
{
	const struct instance *instance = context;

	return instance_metric(instance, "onsale_in_flight") <= 1;
}

static void check_quiet(struct arena *arena, char text[ARENA_VERDICT_SIZE])
{
	for (unsigned i = 0; i < arena->world->options.instances; i++) {
		struct instance *instance = &arena->world->instances[i];
		if (!wait_until(is_quiet, instance, QUIET_LIMIT_MS))
			complain(text, "%s still has %.0f requests in work\n", instance->name,
				instance_metric(instance, "onsale_in_flight"));
	}
}

/* One order of locks everywhere: PostgreSQL never has to break a circle. */
static void check_deadlocks(struct arena *arena, char text[ARENA_VERDICT_SIZE])
{
	int64_t deadlocks = database_i64(arena->world->db,
		"SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", 0,
		NULL);

	if (deadlocks > 0)
		complain(text, "PostgreSQL reports %lld deadlocks\n", (long long)deadlocks);
}

static bool is_swept(void *context)
{
	return database_i64(context,
		       "SELECT count(*) FROM reservations WHERE status = 'held' "
		       "AND hold_expires_at < clock_timestamp() - interval '1 second'",
		       0, NULL) == 0;
}

/* While PostgreSQL is away nothing can be swept; once it is there, the sweepers come by in a moment. What they
 * leave violates invariant 6. */
static void await_sweepers(struct arena *arena)
{
	wait_until(is_swept, arena->world->db, SWEPT_LIMIT_MS);
}

/* What the server itself counts must come out the same. PostgreSQL is asked for it: after a long run it takes
 * longer than a request may, with deadlines as short as they are here. */
static void check_audit(struct arena *arena, char text[ARENA_VERDICT_SIZE])
{
	PGresult *audit = database_query(arena->world->db,
		"SELECT double_sold, negative_balances, ledger_imbalance, orphan_holds FROM audit()",
		0, NULL);

	for (int i = 0; i < PQnfields(audit); i++)
		if (strcmp(PQgetvalue(audit, 0, i), "0") != 0)
			complain(text, "the audit says: %s %s\n", PQfname(audit, i),
				PQgetvalue(audit, 0, i));
	PQclear(audit);
}

/* What is not delivered by then violates invariant 8. */
static void read_deliveries(struct arena *arena)
{
	deliveries_await(arena->world->db, TOLD_LIMIT_MS);
	deliveries_read(&arena->deliveries, arena->world->db, &arena->world->redis);
}

bool arena_check(struct arena *arena, struct violations *violations, char text[ARENA_VERDICT_SIZE])
{
	struct admissions admissions;

	text[0] = '\0';
	check_quiet(arena, text);
	check_deadlocks(arena, text);
	await_sweepers(arena);
	check_audit(arena, text);
	read_deliveries(arena);
	admissions_read(&admissions, &arena->world->redis, arena->sale.event_id);
	invariants_check(&(struct invariants_input){.db = arena->world->db,
				 .history = buyers_history(arena->buyers),
				 .admissions = &admissions,
				 .capacity = arena->capacity,
				 .admit_per_second = arena->sale.admit_per_second,
				 .deliveries = &arena->deliveries},
		violations);
	admissions_free(&admissions);
	complain(text, "%s%s", violations->text, buyers_surprises(arena->buyers));
	return text[0] == '\0';
}
