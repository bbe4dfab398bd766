/* The run: rounds, each a new sale with a few faults one after another while people buy; after each fault all must
 * be well again soon, and after each round, once everybody knows what became of what they asked for, the
 * invariants are checked. A seed picks the faults, their order, strength and moments; the same seed picks the
 * same again.
 *
 *   SEED=    default: the time, printed
 *   MINUTES= default: each of a short list once
 *   FAULTS=, PAID= until so many faults counted and so many reservations were paid; not to come so far in MINUTES
 *            fails
 *   KINDS=   of these alone: names, separated by commas
 *   INSTANCES=, BUYERS=, CAPACITY= of the line, ROWS_LEAST=, ROWS= of seats, A_ROUND= faults, PAUSE= at most
 *            before one, in ms */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "proto/base/check.h"
#include "tests/faults/kinds.h"
#include "tests/faults/report.h"
#include "tests/support/wait.h"

enum {
	A_ROUND = 6, /* faults */
	A_ROUND_MOST = 32,
	DECK_MOST = 64,
	BACK_LIMIT_MS = 60000, /* in which a store that was ended comes up again */
	WELL_LIMIT_MS = 5000, /* from then, until every instance has all that it needs */
	SEEN_LIMIT_MS = 4000, /* in which an effect may show after the healing */
	KNOWN_LIMIT_MS =
		30000, /* in which all outcomes become known once nobody begins anything new */
	LOOK_EVERY_MS = 30,
	PAUSE_MIN_MS = 150,
	PAUSE_MOST_MS = 900,
	ROWS_MIN = 1, /* a sale in which nearly all lose … */
	ROWS_MOST = 40, /* … or one that goes on to the end */
	CAPACITY = 25,
	/* Admissions a second: in every third round the rate holds the line back, else the capacity does. */
	SLOW_SHARE = 60, /* of the capacity, in a hundred */
	QUICK_SHARE = 2000,
	ROUND_LEAST_MS = 4000 /* of buying */
};

/* At least one of each sort, quick ones. */
static const char short_list[] =
	"redis_closed,redis_mute,redis_garbled,redis_frozen,redis_killed,redis_emptied,"
	"postgresql_commits_lost,postgresql_reset,postgresql_cut_midway,"
	"postgresql_backends_ended,postgresql_restarted,postgresql_seats_locked,"
	"server_killed,server_frozen,server_restarted,clients_reset";

struct run {
	struct arena arena;
	const struct kind *deck[DECK_MOST];
	size_t deck_count, dealt;
	unsigned random, rounds;
	unsigned rows_least, rows_most, capacity, a_round, pause_most_ms;
	unsigned faults_wanted, paid_wanted; /* 0: whatever comes */
	bool verbose;
	struct row *rows; /* a kind each */
	unsigned faults, counted;
	unsigned violated[INVARIANTS + 1];
	bool wrong;
};

TestSuite(faults, .timeout = 8 * 3600.0);

static unsigned between(struct run *run, unsigned min, unsigned max)
{
	return min + (unsigned)rand_r(&run->random) % (max - min + 1);
}

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* --- the deck --- */

static void make_deck(struct run *run, const char *names)
{
	char list[2048], *rest = NULL;

	if (names == NULL) {
		cr_assert(kind_count <= DECK_MOST);
		for (size_t i = 0; i < kind_count; i++)
			run->deck[run->deck_count++] = &kinds[i];
		return;
	}
	snprintf(list, sizeof list, "%s", names);
	for (char *name = strtok_r(list, ",", &rest); name != NULL;
		name = strtok_r(NULL, ",", &rest)) {
		const struct kind *kind = kind_find(name);
		cr_assert(kind != NULL && run->deck_count < DECK_MOST, "no such fault: %s", name);
		run->deck[run->deck_count++] = kind;
	}
}

static void shuffle(struct run *run)
{
	for (size_t i = run->deck_count; i > 1; i--) {
		size_t other = between(run, 0, (unsigned)i - 1);
		const struct kind *kind = run->deck[i - 1];
		run->deck[i - 1] = run->deck[other];
		run->deck[other] = kind;
	}
	run->dealt = 0;
}

/* --- the loop goes on meanwhile --- */

typedef bool (*condition)(struct arena *arena, struct injection *injection);

static void pump(struct run *run, unsigned ms)
{
	uint64_t end_ms = now_ms() + ms;

	while (now_ms() < end_ms)
		buyers_turn(run->arena.buyers);
}

/* False where it does not hold within limit_ms. */
static bool pump_until(
	struct run *run, condition holds, struct injection *injection, unsigned limit_ms)
{
	uint64_t end_ms = now_ms() + limit_ms;

	while (!holds(&run->arena, injection)) {
		if (now_ms() >= end_ms)
			return false;
		pump(run, LOOK_EVERY_MS);
	}
	return true;
}

static bool in_flight(struct arena *arena, struct injection *injection)
{
	(void)injection;
	return buyers_counts(arena->buyers)->in_flight > 0;
}

static bool is_well(struct arena *arena, struct injection *injection)
{
	(void)injection;
	return arena_is_well(arena);
}

static bool all_known(struct arena *arena, struct injection *injection)
{
	(void)injection;
	return buyers_busy(arena->buyers) == 0;
}

/* --- one fault --- */

static struct injection aim(struct run *run, const struct kind *kind)
{
	struct arena *arena = &run->arena;
	struct injection injection = {.kind = kind,
		.instance = between(run, 0, arena->world->options.instances - 1),
		.amount = between(run, kind->amount_min, kind->amount_max),
		.lasts_ms = between(run, kind->lasts_min_ms, kind->lasts_max_ms)};

	pump(run, between(run, PAUSE_MIN_MS, run->pause_most_ms));
	pump_until(run, in_flight, NULL, SEEN_LIMIT_MS);
	injection.before = *buyers_counts(arena->buyers);
	for (int store = 0; store < PROXIES_STORES; store++)
		injection.before_at[store] = proxies_seen(&arena->proxies, store);
	return injection;
}

static bool suffer(struct run *run, struct injection *injection)
{
	uint64_t end_ms = now_ms() + injection->lasts_ms;
	bool seen = false;

	while (now_ms() < end_ms) {
		pump(run, LOOK_EVERY_MS);
		seen = seen || injection->kind->seen(&run->arena, injection);
	}
	return seen;
}

static void count(
	struct run *run, const struct injection *injection, bool counted, unsigned well_ms)
{
	struct row *row = &run->rows[injection->kind - kinds];
	const struct buyers_counts *now = buyers_counts(run->arena.buyers);
	unsigned refused = now->refused - injection->before.refused,
		 unknown = now->unknown - injection->before.unknown,
		 lost = now->lost - injection->before.lost;

	row->injected++;
	row->counted += counted;
	row->refused += refused;
	row->unknown += unknown;
	row->lost += lost;
	row->worst_ms = well_ms > row->worst_ms ? well_ms : row->worst_ms;
	for (int store = 0; store < PROXIES_STORES; store++) {
		struct proxies_seen seen = proxies_seen(&run->arena.proxies, store);
		row->connections += seen.accepted + seen.hit -
				    injection->before_at[store].accepted -
				    injection->before_at[store].hit;
		row->bytes += seen.bytes_hit - injection->before_at[store].bytes_hit;
	}
	run->faults++;
	run->counted += counted;
	if (run->verbose)
		printf("  %-28s at %u, %4" PRIu64
		       ", %4u ms: %3u in flight, %s; 503 %u, unknown %u, lost "
		       "%u; well after %u ms\n",
			injection->kind->name, injection->instance, injection->amount,
			injection->lasts_ms, injection->before.in_flight,
			counted ? "seen" : "not seen", refused, unknown, lost, well_ms);
	fflush(stdout);
}

static void inject(struct run *run, const struct kind *kind)
{
	struct injection injection = aim(run, kind);
	struct arena *arena = &run->arena;

	if (kind->redis_lost)
		buyers_history(arena->buyers)->redis_lost = true;
	kind->inject(arena, &injection);
	bool seen = suffer(run, &injection);
	kind->heal(arena, &injection);
	bool back = kind->back == NULL || pump_until(run, kind->back, &injection, BACK_LIMIT_MS);
	uint64_t back_ms = now_ms();
	bool well = back && pump_until(run, is_well, &injection, WELL_LIMIT_MS);
	unsigned well_ms = (unsigned)(now_ms() - back_ms);
	seen = seen || pump_until(run, kind->seen, &injection, SEEN_LIMIT_MS);
	run->rows[kind - kinds].late += !well;
	run->wrong = run->wrong || !well;
	count(run, &injection, seen && injection.before.in_flight > 0, well_ms);
}

/* --- rounds --- */

static void print_round(const struct run *run, const char *text, unsigned judged_ms)
{
	const struct buyers_counts *counts = buyers_counts(run->arena.buyers);

	if (run->verbose || text[0] != '\0')
		printf("round %u: %zu seats; %u answers, %u holds, %u payments, %u cancellations, %u lapsed; %zu keys, %zu "
		       "unknown; judged in %u ms: %s\n",
			run->rounds, run->arena.sale.seat_count, counts->answered, counts->holds,
			counts->payments, counts->cancellations, counts->lapses,
			buyers_history(run->arena.buyers)->count,
			history_unknowns(buyers_history(run->arena.buyers)), judged_ms,
			text[0] == '\0' ? "all is as it should be" : "WRONG:");
	printf("%s", text);
	fflush(stdout);
}

static void end_round(struct run *run, const struct kind *const *dealt, size_t dealt_count)
{
	static char text[ARENA_VERDICT_SIZE];
	struct violations violations = {0};
	char where[256];

	buyers_stop(run->arena.buyers);
	bool known = pump_until(run, all_known, NULL, KNOWN_LIMIT_MS);
	uint64_t begun_ms = now_ms();
	bool good = arena_check(&run->arena, &violations, text) && known;
	print_round(run, text, (unsigned)(now_ms() - begun_ms));
	if (!known) {
		buyers_describe(run->arena.buyers, where, sizeof where);
		printf("outcomes did not become known: %s\n", where);
	}
	for (unsigned i = 1; i <= INVARIANTS; i++)
		run->violated[i] += violations.of[i];
	for (size_t i = 0; !good && i < dealt_count; i++)
		run->rows[dealt[i] - kinds].suspect++;
	run->wrong = run->wrong || !good;
}

/* The next few of the deck, which is shuffled anew where it ends; at its end where it is dealt once. */
static void play_round(struct run *run, bool once)
{
	const struct kind *dealt[A_ROUND_MOST];
	uint64_t least_ms = now_ms() + ROUND_LEAST_MS;
	size_t count = 0;

	run->rounds++;
	buyers_history(run->arena.buyers)->redis_lost = false;
	unsigned rows = between(run, run->rows_least, run->rows_most);
	unsigned share = run->rounds % 3 == 2 ? SLOW_SHARE : QUICK_SHARE;
	arena_begin(&run->arena, rows, run->capacity, run->capacity * share / 100);
	while (count < run->a_round && (!once || run->dealt < run->deck_count)) {
		if (run->dealt == run->deck_count)
			shuffle(run);
		dealt[count] = run->deck[run->dealt++];
		inject(run, dealt[count++]);
	}
	if (now_ms() < least_ms)
		pump(run, (unsigned)(least_ms - now_ms()));
	end_round(run, dealt, count);
}

/* Chance may let a fault hit nothing: those that did not count come once more. */
static void keep_uncounted(struct run *run)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->deck_count; i++)
		if (run->rows[run->deck[i] - kinds].counted == 0)
			run->deck[kept++] = run->deck[i];
	run->deck_count = kept;
	run->dealt = 0;
}

static void play_once(struct run *run)
{
	for (int tries = 0; tries < 3 && run->deck_count > 0 && !run->wrong; tries++) {
		while (run->dealt < run->deck_count && !run->wrong)
			play_round(run, true);
		keep_uncounted(run);
	}
}

static bool has_all(const struct run *run)
{
	return run->counted >= run->faults_wanted &&
	       buyers_counts(run->arena.buyers)->payments >= run->paid_wanted;
}

/* Until the time is over, or, where so much is wanted, until all of it is there. */
static void play_on(struct run *run, uint64_t end_ms)
{
	bool wants = run->faults_wanted > 0 || run->paid_wanted > 0;

	while (now_ms() < end_ms && !run->wrong && !(wants && has_all(run)))
		play_round(run, false);
}

static void print_end(const struct run *run, unsigned seed)
{
	const struct buyers_counts *counts = buyers_counts(run->arena.buyers);

	report_print(run->rows);
	printf("seed %u: %u faults in %u rounds, %u counted; %u paid reservations, %zu keys, %zu unknown outcomes, "
	       "all resolved: %s\n",
		seed, run->faults, run->rounds, run->counted, counts->payments,
		buyers_history(run->arena.buyers)->count,
		history_unknowns(buyers_history(run->arena.buyers)), run->wrong ? "NO" : "yes");
	for (unsigned i = 1; i <= INVARIANTS; i++)
		if (run->violated[i] > 0)
			printf("violated invariant %u: %u times\n", i, run->violated[i]);
	fflush(stdout);
}

static void read_environment(struct run *run, unsigned seed, unsigned minutes)
{
	const char *names = getenv("KINDS");

	run->random = seed;
	run->verbose = minutes > 0 || getenv("VERBOSE") != NULL;
	run->rows = must_calloc(kind_count, sizeof *run->rows);
	run->rows_least = env_number("ROWS_LEAST", ROWS_MIN);
	run->rows_most = env_number("ROWS", ROWS_MOST);
	run->capacity = env_number("CAPACITY", CAPACITY);
	run->a_round = env_number("A_ROUND", A_ROUND);
	cr_assert(run->a_round <= A_ROUND_MOST);
	run->pause_most_ms = env_number("PAUSE", PAUSE_MOST_MS);
	run->faults_wanted = env_number("FAULTS", 0);
	run->paid_wanted = env_number("PAID", 0);
	make_deck(run, names != NULL && names[0] != '\0' ? names : minutes > 0 ? NULL : short_list);
}

Test(faults, run)
{
	static struct run run;
	unsigned minutes = env_number("MINUTES", 0),
		 seed = env_number("SEED", (unsigned)time(NULL));
	uint64_t end_ms = now_ms() + (uint64_t)minutes * 60 * 1000;

	printf("seed %u\n", seed);
	fflush(stdout);
	read_environment(&run, seed, minutes);
	shuffle(&run);
	arena_open(&run.arena, env_number("INSTANCES", minutes > 0 ? 3 : 2),
		env_number("BUYERS", 60), seed);
	if (minutes == 0)
		play_once(&run);
	play_on(&run, end_ms);
	print_end(&run, seed);
	report_write(run.rows);
	if (run.wrong)
		cluster_close(&run.arena.cluster); /* the logs stay */
	cr_assert(!run.wrong, "seed %u: something was wrong", seed);
	cr_assert(has_all(&run), "not enough in %u minutes", minutes);
	for (size_t i = 0; i < kind_count; i++)
		cr_assert(run.rows[i].injected == 0 || row_is_good(&run.rows[i]), "seed %u: %s",
			seed, kinds[i].name);
	arena_close(&run.arena);
	free(run.rows);
}
