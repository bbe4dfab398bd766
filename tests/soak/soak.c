/* The long run: two instances under the mixed load for SOAK_MINUTES. After a warm-up of a quarter of
 * it, memory may gain less than 1 % over the rest, and descriptors nothing.
 *
 * The same load, shorter, where ONSALE_TEST_SERVER runs the server under valgrind, which judges it by its exit
 * status: see config/run/soak.sh. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/support/load.h"
#include "tests/soak/samples.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum {
	INSTANCES = 2,
	ROUND_MS = 1000,
	SAMPLE_MS = 5000,
	STEP_LIMIT_MS = 20000,
	VALGRIND_ROUNDS = 30,
	VALGRIND_LIMIT_MS = 60000,
	TABLE_ROWS = 20,
	DAY_S = 24 * 60 * 60
};

static const double rss_percent_max = 1.0, fds_gained_max = 0.5, warm_up = 0.25;

TestSuite(soak, .timeout = DAY_S);

/* Asked on a connection that stays open while it is counted: this one, and no other. */
static bool is_alone(void *context)
{
	static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
	struct wire *wire = context;
	struct answer answer = {0};
	bool alone = wire_send_text(wire, ask) &&
		     wire_answer(wire, &answer, false, STEP_LIMIT_MS) == WIRE_ANSWER &&
		     strstr(answer.body, "\nonsale_connections 1\n") != NULL;

	answer_clear(&answer);
	return alone;
}

static void take_samples(struct world *world, struct samples *samples, double at_s)
{
	for (unsigned i = 0; i < INSTANCES; i++) {
		const struct instance *instance = &world->instances[i];
		struct wire wire;

		wire_open(&wire, instance->port, 0);
		cr_assert(wait_until(is_alone, &wire, STEP_LIMIT_MS),
			"%s keeps connections that are closed", instance->name);
		samples_take(&samples[i], instance->pid, at_s);
		wire_close(&wire);
	}
}

/* The load is steady: a round begins each second, as long as the servers keep up. */
static void rest_until(uint64_t next_ms)
{
	uint64_t now = now_ms();
	struct timespec rest = {.tv_nsec = 1000000L * (long)(next_ms > now ? next_ms - now : 0)};

	if (rest.tv_nsec >= 1000000000L)
		rest = (struct timespec){.tv_sec = 1};
	nanosleep(&rest, NULL);
}

static void run(struct world *world, struct load *load, struct samples *samples, double seconds)
{
	uint64_t start_ms = now_ms(), sample_ms = start_ms, next_ms = start_ms;

	while ((double)(now_ms() - start_ms) < seconds * 1000) {
		load_round(load, STEP_LIMIT_MS);
		if (now_ms() >= sample_ms) {
			sample_ms += SAMPLE_MS;
			take_samples(world, samples, (double)(now_ms() - start_ms) / 1000);
		}
		next_ms += ROUND_MS;
		if (next_ms < now_ms())
			next_ms = now_ms();
		rest_until(next_ms);
	}
}

static void print_table(const struct samples *samples)
{
	size_t every = samples[0].count / TABLE_ROWS + 1;

	printf("%8s", "second");
	for (unsigned i = 0; i < INSTANCES; i++)
		printf("  RSS %u, KiB  fds %u", i + 1, i + 1);
	printf("\n");
	for (size_t row = 0; row < samples[0].count; row += every) {
		printf("%8.0f", samples[0].list[row].at_s);
		for (unsigned i = 0; i < INSTANCES; i++)
			printf("  %10.0f  %5.0f", samples[i].list[row].rss_kib,
				samples[i].list[row].fds);
		printf("\n");
	}
}

static void print_counts(const struct load_counts *counts)
{
	printf("%llu requests: %llu served, %llu refused, %llu failed, %llu without a reply; "
	       "%llu held, %llu paid, %llu refunded, %llu cancelled\n",
		(unsigned long long)counts->requests, (unsigned long long)counts->ok,
		(unsigned long long)counts->refused, (unsigned long long)counts->failed,
		(unsigned long long)counts->lost, (unsigned long long)counts->held,
		(unsigned long long)counts->paid, (unsigned long long)counts->refunded,
		(unsigned long long)counts->cancelled);
	fflush(stdout);
}

/* What was asked for did happen. */
static void check_counts(const struct load_counts *counts)
{
	cr_expect(counts->held > 0 && counts->paid > 0 && counts->refunded > 0 &&
		  counts->cancelled > 0 && counts->refused > 0);
	cr_expect(counts->refunded == counts->paid);
	cr_expect(counts->failed == 0 && counts->lost == 0);
}

static bool judge(const struct samples *samples, unsigned instance, double seconds)
{
	struct trend trend = samples_trend(samples, seconds * warm_up);
	bool well = trend.rss_percent < rss_percent_max && trend.fds_gained < fds_gained_max;

	printf("instance %u, %zu samples after the warm-up: RSS %.0f KiB %+.2f %%, fds %.1f %+.2f: "
	       "%s\n",
		instance + 1, trend.count, trend.rss_kib, trend.rss_percent, trend.fds,
		trend.fds_gained, well ? "steady" : "IT GROWS");
	return well;
}

Test(soak, memory)
{
	static struct samples samples[INSTANCES];
	double seconds = strtod(need_env("SOAK_MINUTES"), NULL) * 60;
	struct world *world = world_open(&(struct world_options){.instances = INSTANCES});
	struct load *load = load_new(world);
	bool well = true;

	run(world, load, samples, seconds);
	print_table(samples);
	for (unsigned i = 0; i < INSTANCES; i++)
		well = judge(&samples[i], i, seconds) && well;
	print_counts(load_counts(load));
	check_counts(load_counts(load));
	cr_expect(well, "an instance grows");
	invariants_hold(&(struct invariants_input){.db = world->db});
	load_free(load);
	world_close(world);
}

/* world_close fails where an instance does not end with status 0. */
Test(soak, valgrind)
{
	struct world *world = world_open(&(struct world_options){.instances = INSTANCES});
	struct load *load = load_new(world);

	for (unsigned i = 0; i < VALGRIND_ROUNDS; i++)
		load_round(load, VALGRIND_LIMIT_MS);
	print_counts(load_counts(load));
	cr_expect(load_counts(load)->paid > 0 && load_counts(load)->lost == 0);
	invariants_hold(&(struct invariants_input){.db = world->db});
	load_free(load);
	world_close(world);
}
