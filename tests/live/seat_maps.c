/* Seat maps on two instances: what happens through one is seen by readers of the other within a second, whatever
 * becomes of the messages between them and of Redis; and they ask PostgreSQL no more than they need to. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum {
	PRICE = 1000,
	BALANCE = 10000000,
	SEEN_LIMIT_MS = 1000,
	HEARD_LIMIT_MS = 120, /* on average; where nobody hears of it, a map is 400 ms old */
	LIMIT_MS = 15000,
	ROUNDS = 8,
	TRIES = 4,
	LETTERS_SIZE = 64
};

TestSuite(seat_maps, .timeout = 120);

/* --- reading --- */

static const char *map_path(struct world *world, const char *rest)
{
	return textf(world, "/v1/performances/%lld/seats%s", (long long)world->sale.performance_id,
		rest);
}

static const char *letters_at(struct world *world, unsigned instance)
{
	struct call call = {.method = "GET", .path = map_path(world, "/status")};

	return answer_text(expect_at(world, instance, &call, 200, NULL), "status");
}

static const char *word_of(char letter)
{
	return letter == 'A' ? "available" : letter == 'H' ? "held" : "sold";
}

/* The list says what the letters say. */
static void check_list(struct world *world, unsigned instance, const char *letters)
{
	struct call call = {.method = "GET", .path = map_path(world, "")};
	struct answer *answer = expect_at(world, instance, &call, 200, NULL);
	const json_t *seats = json_object_get(answer_json(answer), "seats");

	cr_assert_eq(json_array_size(seats), strlen(letters));
	for (size_t i = 0; letters[i] != '\0'; i++)
		cr_assert_str_eq(
			json_string_value(json_object_get(json_array_get(seats, i), "status")),
			word_of(letters[i]));
}

struct awaited {
	struct world *world;
	unsigned instance;
	const char *letters;
};

static bool is_seen(void *context)
{
	struct awaited *awaited = context;

	return strcmp(letters_at(awaited->world, awaited->instance), awaited->letters) == 0;
}

/* How long it takes until a reader of the instance sees these letters; fails past limit_ms. */
static unsigned see(struct world *world, unsigned instance, const char *letters, unsigned limit_ms)
{
	struct awaited awaited = {world, instance, letters};
	uint64_t begun_ms = now_ms();

	cr_assert(wait_until(is_seen, &awaited, limit_ms), "instance %u shows %s, not %s, %u ms on",
		instance, letters_at(world, instance), letters, limit_ms);
	return (unsigned)(now_ms() - begun_ms);
}

static double metric(const struct world *world, unsigned instance, const char *name)
{
	return instance_metric(&world->instances[instance], name);
}

static double both(const struct world *world, const char *name)
{
	return metric(world, 0, name) + metric(world, 1, name);
}

static bool all_listen(void *context)
{
	return both(context, "onsale_redis_listening") == 2;
}

static struct world *open_two(const char *flag, int64_t seats)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {"--seat.per_user_max=100", flag}});

	world_fill(
		world, 2, BALANCE, &(struct sale_options){.seats_per_row = seats, .price = PRICE});
	cr_assert(wait_until(all_listen, world, LIMIT_MS));
	return world;
}

/* --- changing --- */

static int64_t hold_at(struct world *world, unsigned instance, size_t seat, const char *key)
{
	struct call call = {.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[0].jwt,
		.key = key,
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};

	return answer_int(expect_at(world, instance, &call, 201, NULL), "id");
}

static void pay_at(struct world *world, unsigned instance, int64_t id)
{
	struct call call = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.key = textf(world, "pay %lld", (long long)id),
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};

	expect_at(world, instance, &call, 201, NULL);
}

static void cancel_at(struct world *world, unsigned instance, int64_t id)
{
	struct call call = {.method = "DELETE",
		.jwt = world->people.list[0].jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)id)};

	expect_at(world, instance, &call, 200, NULL);
}

static unsigned longest(unsigned left, unsigned right)
{
	return left > right ? left : right;
}

/* A seat is held, paid for and given back through one instance, as a reader of the other sees it: how long these
 * three took together. */
static unsigned change_hands(struct world *world, unsigned round, unsigned limit_ms)
{
	unsigned one = round % 2, other = 1 - one;
	int64_t id = hold_at(world, one, 0, textf(world, "round %u", round));
	unsigned ms = see(world, other, "HA", limit_ms);

	pay_at(world, one, id);
	ms += see(world, other, "SA", limit_ms);
	cancel_at(world, one, id);
	return ms + see(world, other, "AA", limit_ms);
}

/* --- what is seen --- */

/* Of some more rounds; what else the machine does makes it longer for a while. */
static unsigned average_ms(struct world *world, unsigned *rounds)
{
	unsigned ms = 0;

	for (unsigned i = 0; i < ROUNDS; i++)
		ms += change_hands(world, (*rounds)++, SEEN_LIMIT_MS);
	return ms / (3 * ROUNDS);
}

Test(seat_maps, a_change_is_seen_on_the_other_instance)
{
	struct world *world = open_two(NULL, 2);
	unsigned rounds = 0, ms = HEARD_LIMIT_MS;

	see(world, 0, "AA", LIMIT_MS);
	see(world, 1, "AA", LIMIT_MS);
	double heard = both(world, "onsale_seat_map_messages_total");
	while (ms >= HEARD_LIMIT_MS && rounds < TRIES * ROUNDS)
		ms = average_ms(world, &rounds);
	printf("seen after %u ms on average, after %u rounds\n", ms, rounds);
	cr_expect_lt(ms, HEARD_LIMIT_MS, "%u ms: so long does it take where nobody hears", ms);
	cr_expect_geq(both(world, "onsale_seat_map_messages_total"), heard + 3 * rounds);
	check_list(world, 0, "AA");
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}

/* Runs a command on the world's Redis, and gives the integer that it replies, else 0. */
static long long redis_run(struct world *world, const char *command)
{
	redisContext *connection = redis_process_connect(&world->redis);
	redisReply *reply = redisCommand(connection, command);

	cr_assert(reply != NULL && reply->type != REDIS_REPLY_ERROR, "%s", command);
	long long number = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
	freeReplyObject(reply);
	redisFree(connection);
	return number;
}

static int64_t ms_past_lapse(struct world *world)
{
	return database_i64(world->db,
		"SELECT (extract(epoch FROM clock_timestamp() - max(hold_expires_at)) * 1000)::bigint"
		" FROM reservations",
		0, NULL);
}

static bool copy_is_kept(void *context)
{
	struct world *world = context;

	letters_at(world, 0);
	return redis_run(world, textf(world, "EXISTS onsale:{%lld}:seats:%lld",
					(long long)world->sale.event_id,
					(long long)world->sale.performance_id)) == 1;
}

/* The copy in Redis ends with the hold that it shows, at the latest. */
static void check_copy_lapses(struct world *world)
{
	enum { ROUNDED_MS = 2 };

	cr_assert(wait_until(copy_is_kept, world, SEEN_LIMIT_MS));
	int64_t left_ms = -ms_past_lapse(world);
	cr_expect_leq(redis_run(world, textf(world, "PTTL onsale:{%lld}:seats:%lld",
					       (long long)world->sale.event_id,
					       (long long)world->sale.performance_id)),
		left_ms + ROUNDED_MS);
}

Test(seat_maps, a_lapse_is_seen_on_both)
{
	struct world *world = open_two("--seat.hold_ttl_ms=3000", 2);

	for (unsigned round = 0; round < 3; round++) {
		hold_at(world, 0, 0, textf(world, "round %u", round));
		see(world, 0, "HA", SEEN_LIMIT_MS);
		see(world, 1, "HA", SEEN_LIMIT_MS);
		check_copy_lapses(world);
		cr_assert_lt(ms_past_lapse(world), 0);
		see(world, round % 2, "AA", LIMIT_MS);
		int64_t late_ms = ms_past_lapse(world);
		see(world, 1 - round % 2, "AA", SEEN_LIMIT_MS);
		printf("a lapse is seen %lld ms late\n", (long long)late_ms);
		cr_expect(late_ms >= 0 && late_ms < SEEN_LIMIT_MS, "%lld ms", (long long)late_ms);
	}
	world_close(world);
}

Test(seat_maps, a_lost_message_hides_nothing)
{
	struct world *world = open_two(NULL, 2);
	unsigned ms = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		redis_run(world, "CLIENT KILL TYPE pubsub");
		ms += change_hands(world, round, SEEN_LIMIT_MS);
	}
	printf("seen after %u ms on average\n", ms / (3 * ROUNDS));
	cr_expect(instance_logged(&world->instances[1], "connection lost"));
	cr_assert(wait_until(all_listen, world, LIMIT_MS), "nobody listens again");
	double heard = both(world, "onsale_seat_map_messages_total");
	change_hands(world, ROUNDS, SEEN_LIMIT_MS);
	cr_expect_geq(both(world, "onsale_seat_map_messages_total"), heard + 3);
	world_close(world);
}

static bool redis_is_back(void *context)
{
	return both(context, "onsale_redis_listening") == 2 &&
	       both(context, "onsale_redis_breaker_state") == 0;
}

/* Redis is killed between two changes, and comes back as it was, or empty. */
Test(seat_maps, without_redis_and_after_it)
{
	struct world *world = open_two(NULL, 2);

	for (unsigned round = 0; round < 3; round++) {
		int64_t id = hold_at(world, 0, 0, textf(world, "round %u", round));
		see(world, 0, "HA", SEEN_LIMIT_MS);
		see(world, 1, "HA", SEEN_LIMIT_MS);
		process_kill(world->redis.pid);
		pay_at(world, 0, id);
		unsigned ms = see(world, 1, "SA", SEEN_LIMIT_MS);
		int64_t other = hold_at(world, 1, 1, textf(world, "without %u", round));
		ms = longest(ms, see(world, 0, "SH", SEEN_LIMIT_MS));
		printf("seen after %u ms at most, without Redis\n", ms);
		redis_process_start(&world->redis);
		cr_assert(wait_until(redis_is_back, world, LIMIT_MS));
		if (round == 1)
			redis_run(world, "FLUSHALL");
		see(world, 1, "SH", SEEN_LIMIT_MS);
		cancel_at(world, 1, id);
		cancel_at(world, 0, other);
		see(world, 0, "AA", SEEN_LIMIT_MS);
		see(world, 1, "AA", SEEN_LIMIT_MS);
	}
	world_close(world);
}

/* It takes commands and answers none. */
Test(seat_maps, with_a_silent_redis)
{
	struct world *world = open_two(NULL, 3);
	static const char *const letters[] = {"HAA", "HHA", "HHH"};

	see(world, 1, "AAA", LIMIT_MS);
	kill(world->redis.pid, SIGSTOP);
	for (unsigned i = 0; i < ARRAY_LEN(letters); i++) {
		hold_at(world, 0, i, textf(world, "hold %u", i));
		unsigned ms = see(world, 1, letters[i], SEEN_LIMIT_MS);
		printf("seen after %u ms\n", ms);
	}
	kill(world->redis.pid, SIGCONT);
	cr_assert(wait_until(redis_is_back, world, LIMIT_MS));
	see(world, 0, "HHH", SEEN_LIMIT_MS);
	see(world, 1, "HHH", SEEN_LIMIT_MS);
	world_close(world);
}

Test(seat_maps, without_any_redis)
{
	struct world *world = world_open(&(struct world_options){.instances = 2, .no_redis = true});

	world_fill(world, 1, BALANCE, &(struct sale_options){.seats_per_row = 2, .price = PRICE});
	see(world, 1, "AA", LIMIT_MS);
	for (unsigned round = 0; round < 3; round++)
		change_hands(world, round, SEEN_LIMIT_MS);
	world_close(world);
}

/* An instance that dies after the commit tells nobody; what it has done is found by counting. */
Test(seat_maps, a_change_that_nobody_told_of_is_seen)
{
	static const char sell[] =
		"WITH held AS (INSERT INTO reservations (user_id, performance_id, status, seat_ids,"
		"  seat_versions, seat_count, total, hold_expires_at, hold_key, pass_nonce)"
		" SELECT 1, performance_id, 'held', ARRAY[id], ARRAY[version + 1], 1, price,"
		"  clock_timestamp() + interval '1 hour', 'x', 0"
		" FROM seats WHERE status = 'available' ORDER BY id LIMIT 1 RETURNING *)"
		" UPDATE seats s SET status = 'held', user_id = 1, reservation_id = h.id,"
		"  hold_expires_at = h.hold_expires_at, version = version + 1"
		" FROM held h WHERE s.id = h.seat_ids[1]";
	static const char *const letters[] = {"AAA", "HAA", "HHA", "HHH"};
	struct world *world = open_two(NULL, 3);

	for (unsigned i = 0; i < ARRAY_LEN(letters); i++) {
		see(world, 0, letters[i], LIMIT_MS);
		see(world, 1, letters[i], LIMIT_MS);
		if (i + 1 == ARRAY_LEN(letters))
			break;
		database_run(world->db, sell);
		unsigned ms = see(world, i % 2, letters[i + 1], 2 * SEEN_LIMIT_MS);
		printf("seen after %u ms\n", ms);
	}
	world_close(world);
}

/* --- what it costs --- */

/* A performance that no instance has heard of yet. */
static int64_t new_performance(struct world *world)
{
	const char *params[] = {textf(world, "%lld", (long long)world->admins.list[0].id),
		textf(world, "%lld", (long long)world->sale.event_id)};

	return database_i64(world->db,
		"SELECT id FROM create_performance($1::bigint, $2::bigint, 1900000000000,"
		" '{Floor}', '{10}', '{10}', '{1000}')",
		2, params);
}

Test(seat_maps, many_readers_of_a_cold_map_cost_one_read)
{
	enum { READERS = 200 };
	struct world *world = open_two(NULL, 2);
	struct crowd *crowd = crowd_new();
	struct call call = {.method = "GET",
		.path = textf(
			world, "/v1/performances/%lld/seats", (long long)new_performance(world))};
	double reads = metric(world, 0, "onsale_seat_map_reads_total"),
	       copies = metric(world, 0, "onsale_seat_map_copies_total");

	for (unsigned i = 0; i < READERS; i++)
		crowd_add(crowd, &world->instances[0], &call);
	crowd_run(crowd, LIMIT_MS);
	cr_expect_eq(crowd_count(crowd, 200, NULL), READERS);
	cr_expect_eq(metric(world, 0, "onsale_seat_map_reads_total"), reads + 1);
	cr_expect_eq(metric(world, 0, "onsale_seat_map_copies_total"), copies);
	crowd_free(crowd);
	world_close(world);
}

struct copies {
	struct world *world;
	unsigned instance;
	double wanted;
};

static bool copies_taken(void *context)
{
	const struct copies *copies = context;

	letters_at(copies->world, copies->instance);
	return metric(copies->world, copies->instance, "onsale_seat_map_copies_total") >=
	       copies->wanted;
}

/* The first to read leaves the copy that both then live on. */
Test(seat_maps, the_other_instance_reads_from_redis)
{
	struct world *world = open_two(NULL, 2);

	hold_at(world, 0, 0, "hold");
	see(world, 0, "HA", SEEN_LIMIT_MS);
	see(world, 1, "HA", SEEN_LIMIT_MS);
	double reads = both(world, "onsale_seat_map_reads_total");
	for (unsigned instance = 0; instance < 2; instance++) {
		struct copies copies = {world, instance,
			metric(world, instance, "onsale_seat_map_copies_total") + 3};
		cr_assert(wait_until(copies_taken, &copies, LIMIT_MS));
	}
	cr_expect_eq(both(world, "onsale_seat_map_reads_total"), reads,
		"PostgreSQL was asked of a map that nobody has changed");
	cr_expect_str_eq(letters_at(world, 1), "HA");
	world_close(world);
}

/* --- letters are always PostgreSQL's, once it is quiet --- */

enum { SEATS = 30, CROWD = 40, STORM_ROUNDS = 12 };

static const char *true_letters(struct world *world)
{
	const char *params[] = {textf(world, "%lld", (long long)world->sale.performance_id)};
	PGresult *result = database_query(
		world->db, "SELECT letters FROM seat_letters($1::bigint)", 1, params);
	const char *letters = textf(world, "%s", PQgetvalue(result, 0, 0));

	PQclear(result);
	return letters;
}

static struct call random_hold(struct world *world, unsigned *random, unsigned number)
{
	size_t seat = (size_t)rand_r(random) % SEATS;

	return (struct call){.method = "POST",
		.path = "/v1/reservations",
		.jwt = world->people.list[number % 2].jwt,
		.key = textf(world, "storm %u", number),
		.body = hold_body(world, &world->sale, &world->sale.seat_ids[seat], 1)};
}

/* Of a reservation that is: pay, or give it back; paid ones are given back too. */
static void add_changes(struct world *world, struct crowd *crowd, unsigned *random)
{
	PGresult *result = database_query(world->db,
		"SELECT id, user_id, status FROM reservations WHERE status IN ('held', 'paid')", 0,
		NULL);

	for (int i = 0; i < PQntuples(result); i++) {
		const char *id = PQgetvalue(result, i, 0);
		bool first = strtoll(PQgetvalue(result, i, 1), NULL, 10) ==
			     world->people.list[0].id;
		bool held = strcmp(PQgetvalue(result, i, 2), "held") == 0;
		unsigned what = (unsigned)rand_r(random) % 3;
		struct call call = {.method = what == 0 ? "DELETE" : "POST",
			.jwt = world->people.list[first ? 0 : 1].jwt,
			.key = what == 0 ? NULL : textf(world, "pay %s", id),
			.path = textf(
				world, "/v1/reservations/%s%s", id, what == 0 ? "" : "/payment")};
		if (what == 0 || (held && what == 1))
			crowd_add(crowd, &world->instances[(unsigned)rand_r(random) % 2], &call);
	}
	PQclear(result);
}

static void storm(struct world *world, unsigned *random, unsigned round)
{
	struct crowd *crowd = crowd_new();

	for (unsigned i = 0; i < CROWD; i++) {
		struct call hold = random_hold(world, random, round * CROWD + i);
		crowd_add(crowd, &world->instances[(unsigned)rand_r(random) % 2], &hold);
		hold = (struct call){.method = "GET", .path = map_path(world, "/status")};
		crowd_add(crowd, &world->instances[i % 2], &hold);
	}
	add_changes(world, crowd, random);
	crowd_run(crowd, LIMIT_MS);
	cr_expect_eq(crowd_count(crowd, 500, NULL), 0);
	crowd_free(crowd);
}

Test(seat_maps, both_show_what_postgresql_holds_once_it_is_quiet)
{
	struct world *world = open_two("--seat.hold_ttl_ms=20000", SEATS);
	unsigned seed = (unsigned)time(NULL), random = seed, ms = 0;

	for (unsigned round = 0; round < STORM_ROUNDS; round++) {
		storm(world, &random, round);
		const char *letters = true_letters(world);
		for (unsigned instance = 0; instance < 2; instance++) {
			ms = longest(ms, see(world, instance, letters, SEEN_LIMIT_MS));
			check_list(world, instance, letters);
		}
	}
	printf("seed %u: seen after %u ms at most; %.0f reads of PostgreSQL, %.0f copies\n", seed,
		ms, both(world, "onsale_seat_map_reads_total"),
		both(world, "onsale_seat_map_copies_total"));
	invariants_hold(&(struct invariants_input){.db = world->db});
	world_close(world);
}
