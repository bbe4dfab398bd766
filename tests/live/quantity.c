/* Five hundred people at once who ask for one to four seats each, and leave the choice to the server: every seat goes
 * to somebody, none to two, and who is refused could not have been given as many. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/crowd.h"
#include "tests/support/deadlocks.h"
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { BUYERS = 500, SEATS_EACH_MAX = 4, LIMIT_MS = 60000 };

TestSuite(quantity, .timeout = 120);

static size_t quantity_of(size_t buyer)
{
	return 1 + buyer % SEATS_EACH_MAX;
}

static void add_call(
	struct world *world, struct crowd *crowd, size_t buyer, const char *key, const char *body)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[buyer].jwt,
		.key = key,
		.body = body};

	crowd_add(crowd, &world->instances[buyer % world->options.instances], &call);
}

/* Everybody asks for a quantity. */
static void ask_all(
	struct world *world, const struct sale *sale, struct crowd *crowd, const char *key)
{
	for (size_t i = 0; i < BUYERS; i++)
		add_call(world, crowd, i, key,
			textf(world, "{\"performance_id\":%lld,\"quantity\":%zu}",
				(long long)sale->performance_id, quantity_of(i)));
	crowd_run(crowd, LIMIT_MS);
}

/* Everybody names seats that nobody else wants. */
static void name_all(struct world *world, const struct sale *sale, struct crowd *crowd)
{
	size_t next = 0;

	for (size_t i = 0; i < BUYERS; i++) {
		add_call(world, crowd, i, "named",
			hold_body(world, sale, &sale->seat_ids[next], quantity_of(i)));
		next += quantity_of(i);
	}
	crowd_run(crowd, LIMIT_MS);
}

/* --- who got what --- */

static int compare_ids(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* Adds the seats of a reply to those that were given, and says whether they are neighbours. */
static bool take_seats(struct answer *answer, size_t quantity, int64_t *given, size_t *count)
{
	const json_t *seats = json_object_get(answer_json(answer), "seats");
	bool neighbours = true;

	cr_assert(json_array_size(seats) == quantity, "%s", answer->body);
	for (size_t i = 0; i < quantity; i++) {
		given[*count] = json_integer_value(json_object_get(json_array_get(seats, i), "id"));
		neighbours &= i == 0 || given[*count] == given[*count - 1] + 1;
		++*count;
	}
	return neighbours;
}

static void check_answers(struct world *world, struct crowd *crowd)
{
	int64_t given[BUYERS * SEATS_EACH_MAX];
	size_t count = 0, held = 0, apart = 0, least_refused = SEATS_EACH_MAX + 1;

	for (size_t i = 0; i < BUYERS; i++) {
		struct answer *answer = crowd_answer(crowd, i);
		cr_assert(answer != NULL, "a reply was lost");
		if (answer->status == 201) {
			held++;
			apart += !take_seats(answer, quantity_of(i), given, &count);
			continue;
		}
		check_problem(answer, 409, "sold_out");
		if (quantity_of(i) < least_refused)
			least_refused = quantity_of(i);
	}
	qsort(given, count, sizeof *given, compare_ids);
	for (size_t i = 1; i < count; i++)
		cr_assert(given[i] != given[i - 1], "seat %lld went to two", (long long)given[i]);
	printf("%zu of %d people hold %zu of %zu seats, %zu of them not side by side\n", held,
		BUYERS, count, world->sale.seat_count, apart);
	cr_assert(held < BUYERS && world->sale.seat_count - count < least_refused,
		"%zu seats are left, and %zu were refused", world->sale.seat_count - count,
		least_refused);
	cr_assert(database_i64(world->db, "SELECT count(*) FROM seats WHERE status = 'held'", 0,
			  NULL) == (int64_t)count);
	invariants_hold(&(struct invariants_input){.db = world->db});
}

static void more_than_there_are(const struct world_options *options)
{
	struct world *world = deadlocks_world_open(options);
	struct crowd *crowd = crowd_new();

	world_fill(world, BUYERS, 0, &(struct sale_options){.rows = 20, .seats_per_row = 50});
	ask_all(world, &world->sale, crowd, "chosen");
	check_answers(world, crowd);
	deadlocks_check(world);
	crowd_free(crowd);
	world_close(world);
}

Test(quantity, more_than_there_are_with_redis)
{
	more_than_there_are(&(struct world_options){.instances = 2});
}

Test(quantity, more_than_there_are_without_locks_in_redis)
{
	more_than_there_are(&(struct world_options){.instances = 2, .flags = {"--lock.mode=none"}});
}

Test(quantity, more_than_there_are_with_redlock)
{
	more_than_there_are(&(struct world_options){.instances = 2, .redlock = 3});
}

Test(quantity, more_than_there_are_without_redis)
{
	more_than_there_are(&(struct world_options){.instances = 2, .no_redis = true});
}

/* --- while others are deciding about the last seats --- */

static bool somebody_waits(void *context)
{
	struct world *world = context;

	return database_i64(world->db,
		       "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
		       " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))",
		       0, NULL) > 0;
}

/* Somebody else's transaction has all seats, and ends while two wait for them: the answers. */
static void wait_for_all(struct world *world, const char *end_sql, struct answer answers[2])
{
	struct wire wires[2];

	world_fill(world, 2, 0, &(struct sale_options){.seats_per_row = 3});
	database_run(world->db, "BEGIN; SELECT FROM seats FOR UPDATE");
	for (unsigned i = 0; i < 2; i++) {
		struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
		struct call call = {.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[i].jwt,
			.key = "last",
			.body = textf(world, "{\"performance_id\":%lld,\"quantity\":2}",
				(long long)world->sale.performance_id)};
		call_write(&call, &bytes);
		wire_open(&wires[i], world_port(world, i), 0);
		cr_assert(wire_send(&wires[i], bytes.data, bytes.len));
		buf_free(&bytes);
	}
	cr_assert(wait_until(somebody_waits, world, LIMIT_MS));
	database_run(world->db, end_sql);
	for (unsigned i = 0; i < 2; i++) {
		answers[i] = (struct answer){0};
		cr_assert(wire_answer(&wires[i], &answers[i], false, LIMIT_MS) == WIRE_ANSWER);
		wire_close(&wires[i]);
	}
}

static void clear_both(struct answer answers[2])
{
	answer_clear(&answers[0]);
	answer_clear(&answers[1]);
}

Test(quantity, what_comes_back_is_not_sold_out)
{
	struct world *world = deadlocks_world_open(&(struct world_options){.instances = 2});
	struct answer answers[2];

	wait_for_all(world, "ROLLBACK", answers);
	unsigned winner = answers[0].status == 201 ? 0 : 1;
	cr_assert(answers[winner].status == 201, "%s", answers[winner].body);
	check_problem(&answers[1 - winner], 409, "sold_out");
	invariants_hold(&(struct invariants_input){.db = world->db});
	deadlocks_check(world);
	clear_both(answers);
	world_close(world);
}

Test(quantity, what_is_gone_is_sold_out)
{
	struct world *world = deadlocks_world_open(&(struct world_options){.instances = 2});
	struct answer answers[2];

	wait_for_all(world,
		"UPDATE seats SET status = 'sold', reservation_id = 0 WHERE number > 1; COMMIT",
		answers);
	check_problem(&answers[0], 409, "sold_out");
	check_problem(&answers[1], 409, "sold_out");
	deadlocks_check(world);
	clear_both(answers);
	world_close(world);
}

/* --- beside seats that are named --- */

/* Looks, as often as it can, how many sessions wait for somebody else's row. */
struct watch {
	const char *url;
	pthread_t thread;
	atomic_bool over;
	unsigned looks, waits;
	long most;
};

/* Asserts nothing: a failed assertion must end the test, on its own thread. */
static void *look(void *context)
{
	static const char sql[] =
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
		" AND wait_event_type = 'Lock' AND wait_event IN ('tuple', 'transactionid')";
	struct watch *watch = context;
	PGconn *db = PQconnectdb(watch->url);

	while (!atomic_load(&watch->over)) {
		PGresult *result = PQexec(db, sql);
		if (PQresultStatus(result) == PGRES_TUPLES_OK) {
			long waiting = strtol(PQgetvalue(result, 0, 0), NULL, 10);
			watch->looks++;
			watch->waits += waiting > 0;
			if (waiting > watch->most)
				watch->most = waiting;
		}
		PQclear(result);
	}
	PQfinish(db);
	return NULL;
}

static void watch_begin(struct watch *watch, const struct world *world)
{
	*watch = (struct watch){.url = world->database_url};
	cr_assert(pthread_create(&watch->thread, NULL, look, watch) == 0);
}

static void watch_end(struct watch *watch)
{
	atomic_store(&watch->over, true);
	cr_assert(pthread_join(watch->thread, NULL) == 0);
	cr_assert(watch->looks > 0);
}

Test(quantity, no_crowd_on_the_same_row_lock)
{
	struct world *world = world_open(&(struct world_options){.instances = 2});
	struct crowd *named = crowd_new(), *chosen = crowd_new();
	struct sale other;
	struct watch watch;

	world_fill(world, BUYERS, 0, &(struct sale_options){.rows = 40, .seats_per_row = 50});
	sale_open(world, &other, &(struct sale_options){.rows = 40, .seats_per_row = 50});
	name_all(world, &world->sale, named);
	watch_begin(&watch, world);
	ask_all(world, &other, chosen, "chosen");
	watch_end(&watch);
	cr_assert(crowd_count(named, 201, NULL) == BUYERS &&
		  crowd_count(chosen, 201, NULL) == BUYERS);
	printf("%d holds of named seats in %llu ms, of chosen ones in %llu ms; in %u of %u looks "
	       "somebody waited for a row, %ld at once at most\n",
		BUYERS, (unsigned long long)crowd_took_ms(named),
		(unsigned long long)crowd_took_ms(chosen), watch.waits, watch.looks, watch.most);
	cr_expect(watch.waits == 0, "in %u of %u looks up to %ld sessions waited for a row",
		watch.waits, watch.looks, watch.most);
	invariants_hold(&(struct invariants_input){.db = world->db});
	crowd_free(named);
	crowd_free(chosen);
	sale_close(&other);
	world_close(world);
}
