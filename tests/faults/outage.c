/* PostgreSQL killed, and frozen, while a line is let in by its rate: nobody is admitted while it is away, every lane
 * is back within five seconds of its return, people are admitted again, and what was in flight has one outcome. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include "proto/base/clock.h"
#include "tests/faults/arena.h"
#include "tests/support/shoppers.h"
#include "tests/support/wait.h"

enum {
	BUYERS = 400,
	SEATS = 300,
	ROWS = 10,
	CAPACITY = 400, /* never full: the rate alone holds the line back */
	RATE = 25, /* admissions a second */
	BALANCE = 10000,
	LANES = 4,
	AWAY_MS = 5000,
	STALE_MS = 2500, /* after which what was known of the seats admits nobody any more */
	PATIENCE_MS = 2500,
	BACK_LIMIT_MS = 20000, /* for a killed one to start */
	LANES_LIMIT_MS = 5000,
	LIMIT_MS = 120000
};

TestSuite(outage, .timeout = 180);

enum outage { OUTAGE_KILLED, OUTAGE_FROZEN, OUTAGES };
enum act { ACT_WAIT, ACT_AWAY, ACT_START, ACT_BACK, ACT_END };

struct drama {
	struct arena *arena;
	enum outage outage;
	enum act act;
	uint64_t since_ms; /* of the act */
	/* by the clock that admissions are noted by */
	int64_t away_unix_ms[OUTAGES], back_unix_ms[OUTAGES];
	unsigned lanes_lost[OUTAGES], lanes_ms[OUTAGES];
};

static const char *const names[OUTAGES] = {"killed", "frozen"};

static void go(struct drama *drama, enum act act)
{
	drama->act = act;
	drama->since_ms = now_ms();
}

static int64_t unix_ms(void)
{
	clock_turn();
	return clock_unix_ms();
}

static void take_away(struct drama *drama)
{
	struct arena *arena = drama->arena;

	drama->away_unix_ms[drama->outage] = unix_ms();
	if (drama->outage == OUTAGE_FROZEN) {
		cluster_signal(&arena->cluster, SIGSTOP);
	} else {
		proxies_set(&arena->proxies, ~0U, PROXIES_POSTGRESQL, PROXY_CLOSES, 0);
		cluster_restart(&arena->cluster);
	}
	go(drama, ACT_AWAY);
}

static void give_back(struct drama *drama)
{
	struct arena *arena = drama->arena;

	if (drama->outage == OUTAGE_FROZEN)
		cluster_signal(&arena->cluster, SIGCONT);
	else
		proxies_set(&arena->proxies, ~0U, PROXIES_POSTGRESQL, PROXY_PASSES, 0);
	drama->back_unix_ms[drama->outage] = unix_ms();
	go(drama, ACT_BACK);
}

static void look_for_start(struct drama *drama)
{
	struct arena *arena = drama->arena;

	if (drama->outage == OUTAGE_FROZEN) {
		give_back(drama);
		return;
	}
	cr_assert(now_ms() < drama->since_ms + BACK_LIMIT_MS, "PostgreSQL does not start");
	if (!cluster_is_back(&arena->cluster))
		return;
	PQreset(arena->world->db);
	if (PQstatus(arena->world->db) == CONNECTION_OK)
		give_back(drama);
}

static unsigned lanes_up(const struct drama *drama)
{
	return (unsigned)instance_metric(
		&drama->arena->world->instances[0], "onsale_postgresql_lanes_up");
}

static void look_for_lanes(struct drama *drama)
{
	uint64_t took_ms = now_ms() - drama->since_ms;

	cr_assert(took_ms < LANES_LIMIT_MS, "%s: not all lanes are not back after %d ms",
		names[drama->outage], LANES_LIMIT_MS);
	if (lanes_up(drama) < LANES || !arena_is_well(drama->arena))
		return;
	drama->lanes_ms[drama->outage] = (unsigned)took_ms;
	drama->outage++;
	go(drama, drama->outage < OUTAGES ? ACT_WAIT : ACT_END);
}

static void play(struct shoppers *shoppers, void *context)
{
	struct drama *drama = context;
	const struct shoppers_counts *counts = shoppers_counts(shoppers);

	switch (drama->act) {
	case ACT_WAIT:
		if (counts->paid >= (drama->outage + 1) * SEATS / 4 && counts->keyed_in_flight > 0)
			take_away(drama);
		break;
	case ACT_AWAY:
		if (now_ms() < drama->since_ms + AWAY_MS)
			break;
		drama->lanes_lost[drama->outage] = LANES - lanes_up(drama);
		go(drama, ACT_START);
		break;
	case ACT_START: look_for_start(drama); break;
	case ACT_BACK: look_for_lanes(drama); break;
	case ACT_END: break;
	}
}

/* --- the line --- */

static unsigned admitted_between(
	const struct admissions *admissions, int64_t from_unix_ms, int64_t to_unix_ms)
{
	unsigned count = 0;

	for (size_t i = 0; i < admissions->count; i++)
		count += admissions->list[i].at_ms >= from_unix_ms &&
			 admissions->list[i].at_ms < to_unix_ms;
	return count;
}

static void check_line(struct drama *drama, struct shoppers *shoppers)
{
	const struct world *world = drama->arena->world;
	struct admissions admissions;

	admissions_read(&admissions, &world->redis, world->sale.event_id);
	for (int i = 0; i < OUTAGES; i++) {
		int64_t away = drama->away_unix_ms[i], back = drama->back_unix_ms[i];
		unsigned before = admitted_between(&admissions, away - 1000, away),
			 meanwhile = admitted_between(&admissions, away + STALE_MS, back),
			 after = admitted_between(&admissions, back, back + LANES_LIMIT_MS);
		printf("%s, away for %lld ms: %u admitted in the second before, %u meanwhile, %u after; "
		       "%u lanes lost, back after %u ms\n",
			names[i], (long long)(back - away), before, meanwhile, after,
			drama->lanes_lost[i], drama->lanes_ms[i]);
		cr_expect(drama->lanes_lost[i] > 0);
		cr_expect(before > 0 && meanwhile == 0 && after > 0);
	}
	invariants_hold(&(struct invariants_input){.db = world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = CAPACITY,
		.admit_per_second = RATE});
	admissions_free(&admissions);
}

Test(outage, killed_and_frozen)
{
	static struct arena arena;
	unsigned seed = (unsigned)time(NULL);

	printf("seed %u\n", seed);
	arena_open(&arena, 1, 1, seed);
	world_fill(arena.world, BUYERS, BALANCE,
		&(struct sale_options){.queue = true,
			.capacity = CAPACITY,
			.admit_per_second = RATE,
			.pass_ttl_seconds = 10,
			.rows = ROWS,
			.seats_per_row = SEATS / ROWS});
	struct drama drama = {.arena = &arena};
	struct shoppers *shoppers = shoppers_new(
		arena.world, &arena.world->sale, &arena.world->people, seed);
	shoppers_patience(shoppers, PATIENCE_MS);
	shoppers_run(shoppers, LIMIT_MS, play, &drama);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);
	size_t unknown = history_unknowns(shoppers_history(shoppers));
	printf("%u paid, %u sold out, %u refused with 503, %zu outcomes unknown at first\n",
		counts->paid, counts->sold_out, counts->shed, unknown);
	cr_assert(drama.act == ACT_END && unknown > 0);
	cr_assert(counts->paid == SEATS && counts->sold_out == BUYERS - SEATS);
	check_line(&drama, shoppers);
	shoppers_free(shoppers);
	arena_close(&arena);
}
