/* No memory: a request is refused with 503, or loses its connection; what was acknowledged stays; the server lives,
 * and is as it was once there is memory again. The running server's address space is closed at what it has; on the
 * plain build, since a sanitizer's allocator is another one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/shoppers.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"

enum { PEOPLE = 300, ROWS = 10, SEATS_PER_ROW = 20, PRICE = 1000, BALANCE = 2 * PRICE };
enum { WITHOUT_MS = 3000, LIMIT_MS = 60000, HOLDERS = 2000, TEXT_SIZE = 256 };

TestSuite(memory, .timeout = 180);

static const char gone[] = "no memory: ", back[] = "memory can be had again";

/* --- memory, taken away and given back --- */

struct scarcity {
	struct world *world;
	uint64_t end_ms;
	bool scarce;
};

static long address_space_kib(pid_t pid)
{
	char path[64], line[TEXT_SIZE];
	long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL);
	while (kib == 0 && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "VmSize:", 7) == 0)
			kib = strtol(line + 7, NULL, 10);
	fclose(file);
	cr_assert(kib > 0);
	return kib;
}

static void close_address_space(struct world *world, bool scarce)
{
	pid_t pid = world->instances[0].pid;
	struct rlimit limit;

	cr_assert(prlimit(pid, RLIMIT_AS, NULL, &limit) == 0);
	limit.rlim_cur = scarce ? (rlim_t)address_space_kib(pid) * 1024 : limit.rlim_max;
	cr_assert(prlimit(pid, RLIMIT_AS, &limit, NULL) == 0);
}

static void set_scarce(struct scarcity *scarcity, bool scarce)
{
	close_address_space(scarcity->world, scarce);
	scarcity->scarce = scarce;
	scarcity->end_ms = now_ms() + WITHOUT_MS;
}

static void maybe_give_back(struct shoppers *shoppers, void *context)
{
	struct scarcity *scarcity = context;
	(void)shoppers;

	if (scarcity->scarce && now_ms() >= scarcity->end_ms)
		set_scarce(scarcity, false);
}

/* --- the night --- */

/* Everybody is known. */
static void show_tokens(struct world *world)
{
	struct crowd *crowd = crowd_new();

	for (size_t i = 0; i < world->people.count; i++)
		crowd_add(crowd, &world->instances[0],
			&(struct call){.method = "GET",
				.path = "/v1/me",
				.jwt = world->people.list[i].jwt});
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 200, NULL) == PEOPLE);
	crowd_free(crowd);
}

static void fill(struct world *world)
{
	world_fill(world, PEOPLE, BALANCE,
		&(struct sale_options){.queue = true,
			.capacity = 50,
			.rows = ROWS,
			.seats_per_row = SEATS_PER_ROW,
			.price = PRICE});
	show_tokens(world);
}

static bool has_it_back(void *context)
{
	const struct world *world = context;

	return instance_logged(&world->instances[0], back);
}

/* All seats are bought, some of them while there was no memory; then all is as ever. */
static void sell_out(struct scarcity *scarcity)
{
	struct world *world = scarcity->world;
	struct shoppers *shoppers = shoppers_new(world, &world->sale, &world->people, 1);
	const struct shoppers_counts *counts = shoppers_counts(shoppers);

	set_scarce(scarcity, true);
	shoppers_run(shoppers, LIMIT_MS, maybe_give_back, scarcity);
	printf("%u paid, %u refused with 503, %u connections lost\n", counts->paid, counts->shed,
		counts->lost);
	cr_expect(counts->paid == ROWS * SEATS_PER_ROW && counts->shed + counts->lost > 0);
	if (scarcity->scarce)
		set_scarce(scarcity, false);
	cr_expect(instance_logged(&world->instances[0], gone));
	cr_expect(wait_until(has_it_back, world, LIMIT_MS));
	show_tokens(world);
	struct admissions admissions;
	admissions_read(&admissions, &world->redis, world->sale.event_id);
	invariants_hold(&(struct invariants_input){.db = world->db,
		.history = shoppers_history(shoppers),
		.admissions = &admissions,
		.capacity = world->sale.capacity,
		.admit_per_second = world->sale.admit_per_second});
	admissions_free(&admissions);
	shoppers_free(shoppers);
}

/* Connections that stay, each with half a request, take what is left in the heap. */
Test(memory, there_is_no_more)
{
	static struct wire holders[HOLDERS];
	struct scarcity scarcity = {0};

	setenv("ONSALE_TEST_SERVER", need_env("ONSALE_TEST_SERVER_PLAIN"), 1);
	scarcity.world = world_open(NULL);
	fill(scarcity.world);
	set_scarce(&scarcity, true);
	for (unsigned i = 0; i < HOLDERS; i++) {
		wire_open(&holders[i], world_port(scarcity.world, 0), 0);
		wire_send_text(&holders[i], "GET /v1/events HTTP/1.1\r\n");
	}
	sell_out(&scarcity);
	for (unsigned i = 0; i < HOLDERS; i++)
		wire_close(&holders[i]);
	world_close(scarcity.world);
}
