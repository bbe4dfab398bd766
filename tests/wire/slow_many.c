/* Hundreds of slow clients of every kind at once, and honest ones beside them, who should hardly notice: their
 * 99th percentile is measured in pairs, without and with the slow ones. What else the machine does makes either
 * longer, and never shorter: the least of each counts, and there are more pairs where that is not enough. What the
 * slow ones cost is in every one of theirs. The slow ones are a process of their own, which comes back with each
 * connection that the server cuts. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/base/clock.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"
#include "tests/wire/wiring.h"

enum { PAIRS = 3, PAIRS_MAX = 9, EACH_KIND = 150, REQUESTS = 2000, STEP_MS = 20, LIMIT_MS = 20000 };

TestSuite(wire_slow_many, .timeout = 240);

enum kind { HEAD_DRIP, BODY_DRIP, SLOW_READ, IDLE, KINDS };

struct slow {
	int fd;
	enum kind kind;
};

/* What the slow ones tell the test. */
struct tally {
	atomic_uint connected, cut;
};

static void slow_begin(struct slow *slow, int port, int64_t performance_id)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int small = 2048;
	char request[200];

	slow->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (connect(slow->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
		errno != EINPROGRESS)
		_exit(1);
	struct pollfd ready = {.fd = slow->fd, .events = POLLOUT};
	if (poll(&ready, 1, LIMIT_MS) != 1)
		_exit(1);
	snprintf(request, sizeof request,
		slow->kind == HEAD_DRIP ? "GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: "
		: slow->kind == BODY_DRIP
			? "POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: "
			  "application/json\r\nContent-Length: 1000\r\n\r\n"
		: slow->kind == SLOW_READ
			? "GET /v1/performances/%lld/seats HTTP/1.1\r\nHost: a\r\n\r\n"
			: "",
		(long long)performance_id);
	if (send(slow->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		_exit(1);
}

/* A byte out, or in. False where the server has closed the connection. */
static bool slow_step(struct slow *slow)
{
	char byte = 'x';
	ssize_t done = slow->kind == SLOW_READ || slow->kind == IDLE
			       ? recv(slow->fd, &byte, 1, 0)
			       : send(slow->fd, &byte, 1, MSG_NOSIGNAL);

	return done == 1 || (done < 0 && errno == EAGAIN);
}

static void be_slow(struct tally *tally, int port, int64_t performance_id)
{
	struct slow slow[KINDS * EACH_KIND];

	for (unsigned i = 0; i < ARRAY_LEN(slow); i++) {
		slow[i].kind = i % KINDS;
		slow_begin(&slow[i], port, performance_id);
		atomic_fetch_add(&tally->connected, 1);
	}
	for (;;) {
		poll(NULL, 0, STEP_MS);
		for (unsigned i = 0; i < ARRAY_LEN(slow); i++) {
			if (slow_step(&slow[i]))
				continue;
			close(slow[i].fd);
			atomic_fetch_add(&tally->cut, 1);
			slow_begin(&slow[i], port, performance_id);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The 99th percentile of honest requests, in microseconds. */
static uint64_t honest_p99_us(struct world *world)
{
	static uint64_t took_us[REQUESTS];
	struct wire wire = wiring_connect(world);

	for (unsigned i = 0; i < REQUESTS; i++) {
		uint64_t begun_us = clock_mono_us_now();
		cr_assert(wire_send_text(&wire, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n"));
		wiring_expect_only(&wire, 200);
		took_us[i] = clock_mono_us_now() - begun_us;
	}
	wire_close(&wire);
	qsort(took_us, REQUESTS, sizeof took_us[0], compare);
	return took_us[REQUESTS * 99 / 100];
}

static bool all_there(void *context)
{
	struct tally *tally = context;

	return atomic_load(&tally->connected) >= KINDS * EACH_KIND &&
	       atomic_load(&tally->cut) >= EACH_KIND;
}

static uint64_t p99_beside_slow_us(struct world *world, struct tally *tally)
{
	atomic_store(&tally->connected, 0);
	atomic_store(&tally->cut, 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0)
		be_slow(tally, world_port(world, 0), world->sale.performance_id);
	cr_assert(wait_until(all_there, tally, LIMIT_MS), "%u slow ones, %u cut",
		atomic_load(&tally->connected), atomic_load(&tally->cut));
	uint64_t p99_us = honest_p99_us(world);
	process_kill(child);
	return p99_us;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool hardly_noticed(uint64_t alone_us, uint64_t beside_us)
{
	return beside_us <= alone_us + alone_us / 5 || beside_us <= alone_us + 2000;
}

Test(wire_slow_many, beside_honest_clients)
{
	struct world *world = wiring_open();
	struct tally *tally = mmap(
		NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t alone = UINT64_MAX, beside = UINT64_MAX;
	unsigned cut = 0, pairs = 0;

	cr_assert(tally != MAP_FAILED);
	sale_open(world, &world->sale, &(struct sale_options){.rows = 100, .seats_per_row = 50});
	honest_p99_us(world); /* the first is not like the others */
	for (; pairs < PAIRS || (pairs < PAIRS_MAX && !hardly_noticed(alone, beside)); pairs++) {
		alone = least(alone, honest_p99_us(world));
		beside = least(beside, p99_beside_slow_us(world, tally));
		cut += atomic_load(&tally->cut);
	}
	printf("p99 of honest requests in %u pairs: %llu us alone, %llu us beside %d slow clients (%u were cut)\n",
		pairs, (unsigned long long)alone, (unsigned long long)beside, KINDS * EACH_KIND,
		cut);
	cr_expect(hardly_noticed(alone, beside));
	munmap(tally, sizeof *tally);
	world_close(world);
}
