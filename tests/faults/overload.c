/* Ten times the holds that the stores can make: a proxy slows PostgreSQL down to about a thousand a second, and a
 * load, open loop, offers a thousand, two, five and ten thousand. What is served stays what it was at its best,
 * within a bounded time; the rest is refused early and cheaply; who holds a seat gets to pay; nothing is lost.
 * The server has a core of its own, the load and both stores have the other. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "proto/base/clock.h"
#include "tests/faults/cluster.h"
#include "tests/faults/proxies.h"
#include "tests/support/callers.h"
#include "tests/support/invariants.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

enum {
	PEOPLE = 1000,
	CLIENTS = 5000, /* connections, each with one request at most */
	ROWS = 200,
	SEATS_PER_ROW = 200,
	DELAY_MS = 115, /* each way to PostgreSQL: four lanes, sixty holds at a time */
	STEP_MS = 5000,
	WARM_UP_MS = 2000, /* of these, in which nothing is counted */
	REST_LIMIT_MS = 15000,
	TAKEN_EVERY = 10, /* holds of a seat that somebody holds */
	PAY_EVERY = 10, /* holds that are paid, at once */
	LATENCY_MOST_MS = 10000,
	SERVED_LIMIT_MS = 3000, /* the slowest in a hundred */
	REFUSED_LIMIT_MS = 500,
	GOODPUT_PERCENT = 90,
	STORES_PRIORITY = -15,
	LOAD_PRIORITY = -8
};

static const unsigned offers[] = {1000, 2000, 5000, 10000};

TestSuite(overload, .timeout = 180);

/* How long replies took, counted by the millisecond. */
struct latencies {
	unsigned count, of[LATENCY_MOST_MS + 1];
};

struct step {
	unsigned offer, sent, unsent, made, taken, paid, refused, payments_refused;
	struct latencies served, refusals, payments;
	double server_cpu, load_cpu; /* of their cores */
};

struct client {
	struct caller caller;
	struct load *load;
	struct client *next; /* of those that idle */
	enum keyed_kind kind;
	int64_t seat_id;
	bool of_other; /* somebody holds the seat */
	uint64_t due_us;
	size_t entry;
};

struct load {
	struct world *world;
	struct callers callers;
	struct client *clients, *idle;
	int64_t *free_seats; /* a ring */
	size_t first_free, free_count;
	unsigned holds, made, in_flight;
	int64_t last_held;
	struct step *step;
	bool counting;
	struct history history;
};

/* --- cores --- */

static void stay_on(pid_t pid, size_t core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	cr_assert(sched_setaffinity(pid, sizeof set, &set) == 0);
}

/* Seconds of the processor that a process has used. */
static double cpu_seconds(pid_t pid)
{
	char path[32], text[512] = "";
	enum { UTIME_FIELD = 14, AFTER_NAME_FIELD = 3 }; /* proc(5) */

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	cr_assert(file != NULL && fread(text, 1, sizeof text - 1, file) > 0);
	fclose(file);
	char *at = strrchr(text, ')');
	cr_assert(at != NULL);
	at += 2;
	for (int field = AFTER_NAME_FIELD; field < UTIME_FIELD; field++) {
		at = strchr(at, ' ');
		cr_assert(at != NULL);
		at++;
	}
	unsigned long user = strtoul(at, &at, 10), kernel = strtoul(at, NULL, 10);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* --- figures --- */

static void note(struct latencies *latencies, uint64_t took_us)
{
	uint64_t ms = took_us / 1000;

	latencies->of[ms < LATENCY_MOST_MS ? ms : LATENCY_MOST_MS]++;
	latencies->count++;
}

/* The time within which so many of a hundred had their reply. */
static unsigned percentile(const struct latencies *latencies, unsigned percent)
{
	unsigned ms = 0, sum = latencies->of[0];

	while (ms < LATENCY_MOST_MS && sum * 100ULL < latencies->count * (uint64_t)percent)
		sum += latencies->of[++ms];
	return ms;
}

static double per_second(unsigned count)
{
	return count * 1000.0 / (STEP_MS - WARM_UP_MS);
}

/* What was decided: sales, and refusals because somebody else was first. */
static unsigned goodput(const struct step *step)
{
	return step->made + step->taken;
}

static void print_step(const struct step *step)
{
	printf("%5u offered, %5.0f sent: %4.0f held, %3.0f taken, %3.0f paid, %4.0f refused a second; "
	       "served p50 %u p99 %u ms, paid p99 %u ms, refused p50 %u p99 %u ms; server %.0f %%, load %.0f %%\n",
		step->offer, per_second(step->sent), per_second(step->made),
		per_second(step->taken), per_second(step->paid), per_second(step->refused),
		percentile(&step->served, 50), percentile(&step->served, 99),
		percentile(&step->payments, 99), percentile(&step->refusals, 50),
		percentile(&step->refusals, 99), step->server_cpu * 100, step->load_cpu * 100);
	fflush(stdout);
}

/* --- the load --- */

static void give_back(struct load *load, int64_t seat_id)
{
	const struct sale *sale = &load->world->sale;

	load->free_seats[(load->first_free + load->free_count++) % sale->seat_count] = seat_id;
}

static void choose_seat(struct load *load, struct client *client)
{
	client->of_other = load->holds % TAKEN_EVERY == 0 && load->last_held != 0;
	if (client->of_other) {
		client->seat_id = load->last_held;
		return;
	}
	cr_assert(load->free_count > 0, "all seats are held");
	client->seat_id = load->free_seats[load->first_free];
	load->first_free = (load->first_free + 1) % load->world->sale.seat_count;
	load->free_count--;
}

static struct client *take_idle(struct load *load, enum keyed_kind kind, uint64_t due_us)
{
	struct client *client = load->idle;

	if (client == NULL)
		return NULL;
	load->idle = client->next;
	load->in_flight++;
	client->kind = kind;
	client->due_us = due_us;
	load->step->sent += load->counting;
	return client;
}

static void ask(struct client *client, int64_t user_id, struct call call)
{
	struct load *load = client->load;
	char key[HISTORY_KEY_SIZE];

	snprintf(key, sizeof key, "%zu", load->history.count);
	client->entry = history_add(&load->history, client->kind, user_id, key);
	history_sent(&load->history, client->entry);
	call.method = "POST";
	call.key = key;
	caller_send(&client->caller, &call);
}

static void begin_hold(struct load *load, uint64_t due_us)
{
	struct client *client = take_idle(load, KEYED_HOLD, due_us);
	const struct person *person = &load->world->people.list[load->holds % PEOPLE];
	char body[96];

	if (client == NULL) {
		load->step->unsent += load->counting;
		return;
	}
	choose_seat(load, client);
	load->holds++;
	snprintf(body, sizeof body, "{\"performance_id\":%lld,\"seat_ids\":[%lld]}",
		(long long)load->world->sale.performance_id, (long long)client->seat_id);
	ask(client, person->id,
		(struct call){.path = "/v1/reservations", .jwt = person->jwt, .body = body});
}

static void begin_payment(struct load *load, int64_t user_id, int64_t reservation_id)
{
	struct client *client = take_idle(load, KEYED_PAY, clock_mono_us_now());
	const struct people *people = &load->world->people;
	char path[96];

	cr_assert(client != NULL, "no connection is left for a payment");
	snprintf(path, sizeof path, "/v1/reservations/%lld/payment", (long long)reservation_id);
	const struct person *person = &people->list[user_id - people->list[0].id];
	cr_assert(person->id == user_id);
	ask(client, user_id, (struct call){.path = path, .jwt = person->jwt});
	history_at(&load->history, client->entry)->reservation_id = reservation_id;
}

static void on_held(struct client *client, struct answer *answer)
{
	struct load *load = client->load;
	int64_t user_id = history_at(&load->history, client->entry)->user_id;

	load->last_held = client->seat_id;
	if (load->made++ % PAY_EVERY == 0)
		begin_payment(load, user_id, answer_int(answer, "id"));
}

static void count(struct client *client, const struct answer *answer)
{
	struct step *step = client->load->step;
	uint64_t took_us = clock_mono_us_now() - client->due_us;
	bool holds = client->kind == KEYED_HOLD;

	if (!client->load->counting)
		return;
	step->made += holds && answer->status == 201;
	step->taken += holds && answer->status == 409;
	step->refused += holds && answer->status == 503;
	step->paid += !holds && answer->status == 201;
	step->payments_refused += !holds && answer->status == 503;
	note(answer->status == 503 ? &step->refusals
		: holds            ? &step->served
				   : &step->payments,
		took_us);
}

static void on_answer(struct caller *caller, struct answer *answer)
{
	struct client *client = caller->owner;
	struct load *load = client->load;
	char seconds[8];

	count(client, answer);
	history_reply(&load->history, client->entry, answer);
	load->in_flight--;
	client->next = load->idle;
	load->idle = client;
	if (answer->status == 503) {
		cr_assert(strstr(answer->body, "\"code\":\"busy\"") != NULL, "%s", answer->body);
		cr_assert(answer_header(answer, "retry-after", seconds, sizeof seconds) &&
			  strtol(seconds, NULL, 10) > 0);
		if (client->kind == KEYED_HOLD && !client->of_other)
			give_back(load, client->seat_id);
	} else if (client->kind == KEYED_HOLD && answer->status == 201) {
		on_held(client, answer);
	} else {
		cr_assert(answer->status == (client->kind == KEYED_HOLD ? 409 : 201), "%d %s",
			answer->status, answer->body);
	}
}

static void on_lost(struct caller *caller, bool sent)
{
	(void)caller;
	cr_assert_fail("a connection was lost, its request %ssent", sent ? "" : "un");
}

static struct load *load_new(struct world *world)
{
	struct load *load = must_calloc(1, sizeof *load);
	const struct sale *sale = &world->sale;

	load->world = world;
	load->callers = (struct callers){.world = world, .hooks = {NULL, on_answer, on_lost}};
	callers_open(&load->callers);
	load->clients = must_calloc(CLIENTS, sizeof *load->clients);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &load->clients[i];
		caller_init(&load->callers, &client->caller, 0, client);
		client->load = load;
		client->next = load->idle;
		load->idle = client;
	}
	load->free_seats = must_calloc(sale->seat_count, sizeof *load->free_seats);
	for (size_t i = 0; i < sale->seat_count; i++)
		give_back(load, sale->seat_ids[i]);
	return load;
}

static void load_free(struct load *load)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		caller_close(&load->clients[i].caller);
	callers_close(&load->callers);
	history_free(&load->history);
	free(load->clients);
	free(load->free_seats);
	free(load);
}

/* Each hold is due at its moment, whatever became of those before. */
static void offer(struct load *load, struct step *step)
{
	const uint64_t begun_us = clock_mono_us_now(), interval_us = 1000000 / step->offer;
	const pid_t server = load->world->instances[0].pid;
	uint64_t due_us = begun_us;
	double cpu = 0, own_cpu = 0;

	load->step = step;
	load->counting = false;
	for (uint64_t now_us = begun_us; now_us < begun_us + STEP_MS * 1000;
		now_us = clock_mono_us_now()) {
		if (!load->counting && now_us >= begun_us + WARM_UP_MS * 1000) {
			load->counting = true;
			cpu = cpu_seconds(server);
			own_cpu = cpu_seconds(getpid());
		}
		for (; due_us <= now_us; due_us += interval_us)
			begin_hold(load, due_us);
		callers_turn(&load->callers, 1);
	}
	step->server_cpu = (cpu_seconds(server) - cpu) * 1000 / (STEP_MS - WARM_UP_MS);
	step->load_cpu = (cpu_seconds(getpid()) - own_cpu) * 1000 / (STEP_MS - WARM_UP_MS);
	load->counting = false;
	for (uint64_t end_ms = now_ms() + REST_LIMIT_MS; load->in_flight > 0;) {
		cr_assert(now_ms() < end_ms, "%u requests are not answered", load->in_flight);
		callers_turn(&load->callers, 10);
	}
	print_step(step);
}

/* --- the test --- */

struct site {
	struct cluster cluster;
	struct proxies proxies;
	struct world *world;
	char url[512];
};

static void site_open(struct site *site, const cpu_set_t *cores)
{
	struct sockaddr_un targets[PROXIES_STORES] = {{0}};
	size_t server_core = 0, load_core = CPU_SETSIZE - 1;

	while (!CPU_ISSET(server_core, cores))
		server_core++;
	while (!CPU_ISSET(load_core, cores))
		load_core--;
	stay_on(0, load_core);
	/* Where it may, the server and the stores go before whatever else the machine does, and before the load. */
	setpriority(PRIO_PROCESS, 0, STORES_PRIORITY);
	setenv("ONSALE_TEST_SERVER", need_env("ONSALE_TEST_SERVER_PLAIN"), 1);
	cluster_open(&site->cluster);
	struct world *world = site->world = world_open(&(struct world_options){.unmigrated = true});
	targets[PROXIES_POSTGRESQL] = targets[PROXIES_REDIS] = site->cluster.socket;
	proxies_open(&site->proxies, 1, targets);
	snprintf(site->url, sizeof site->url,
		"--db.url=host=127.0.0.1 port=%u sslmode=disable user='%s' dbname='%s'",
		proxies_port(&site->proxies, 0, PROXIES_POSTGRESQL), PQuser(world->db),
		world->database_name);
	const char *flags[] = {
		site->url, "--db.lanes=4", "--db.batch_max=60", "--seat.per_user_max=0"};
	memcpy(world->instances[0].flags, flags, sizeof flags);
	world_migrate(world);
	/* The proxy is what is slow, not the disk. */
	database_run(world->db, textf(world, "ALTER DATABASE %s SET synchronous_commit = off",
					world->database_name));
	world_start(world);
	stay_on(world->instances[0].pid, server_core);
}

static void site_close(struct site *site)
{
	world_close(site->world);
	proxies_close(&site->proxies);
	cluster_close(&site->cluster);
}

/* Counted by the server itself, since its start. */
static double shed(const struct world *world, const char *priority)
{
	char name[64];

	snprintf(name, sizeof name, "onsale_requests_shed_total{priority=\"%s\"}", priority);
	return instance_metric(&world->instances[0], name);
}

static void judge(struct load *load, const struct step *steps)
{
	const struct step *last = &steps[ARRAY_LEN(offers) - 1];
	unsigned peak = 0, payments_refused = 0;

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		peak = goodput(&steps[i]) > peak ? goodput(&steps[i]) : peak;
		payments_refused += steps[i].payments_refused;
		cr_expect(steps[i].unsent == 0, "%u holds could not be sent", steps[i].unsent);
		cr_expect(steps[i].paid > 0);
		cr_expect(percentile(&steps[i].served, 99) <= SERVED_LIMIT_MS);
	}
	printf("goodput with %.1f times its peak offered: %.1f %% of it; %.0f holds and %.0f payments shed\n",
		(double)last->sent / peak, 100.0 * goodput(last) / peak, shed(load->world, "hold"),
		shed(load->world, "pay"));
	cr_expect(goodput(last) * 100 >= peak * GOODPUT_PERCENT, "%u of %u", goodput(last), peak);
	cr_expect(last->sent >= 5 * peak, "the load was too slow: %u with a peak of %u", last->sent,
		peak);
	cr_expect(last->refused > 0 && percentile(&last->refusals, 99) <= REFUSED_LIMIT_MS);
	cr_expect(payments_refused == 0 && shed(load->world, "pay") == 0);
}

Test(overload, ten_times_the_holds)
{
	static struct step steps[ARRAY_LEN(offers)];
	struct site site = {0};
	cpu_set_t cores;

	cr_assert(sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) > 1,
		"it takes two cores");
	site_open(&site, &cores);
	world_fill(site.world, PEOPLE, 1000000,
		&(struct sale_options){.rows = ROWS, .seats_per_row = SEATS_PER_ROW});
	struct load *load = load_new(site.world);
	proxies_set(&site.proxies, 1, PROXIES_POSTGRESQL, PROXY_DELAYS, DELAY_MS);
	setpriority(PRIO_PROCESS, 0, LOAD_PRIORITY);
	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		steps[i].offer = offers[i];
		offer(load, &steps[i]);
	}
	judge(load, steps);
	proxies_set(&site.proxies, 1, PROXIES_POSTGRESQL, PROXY_PASSES, 0);
	invariants_hold(
		&(struct invariants_input){.db = site.world->db, .history = &load->history});
	load_free(load);
	site_close(&site);
}
