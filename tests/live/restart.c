/* Instances that share a port are restarted in turn, under load: nobody's request fails. The clients are
 * processes of their own, each with one connection that it keeps as long as the server lets it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "tests/support/invariants.h"
#include "tests/support/wait.h"
#include "tests/support/wire.h"
#include "tests/support/world.h"

enum { CLIENTS = 8, ROUNDS = 3, LIMIT_MS = 20000 };

TestSuite(restart, .timeout = 120);

/* What the clients share with the test. */
struct tally {
	atomic_bool stop;
	atomic_uint begun, done, failed, connections;
	char first_failure[200];
};

static bool connect_to(struct wire *wire, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	*wire = (struct wire){socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), BUF_INIT(1 << 20)};
	return wire->fd >= 0 && connect(wire->fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static void note_failure(struct tally *tally, const char *what, int status)
{
	if (atomic_fetch_add(&tally->failed, 1) == 0)
		snprintf(tally->first_failure, sizeof tally->first_failure, "%s, status %d", what,
			status);
}

/* One request and its whole reply. False where the server closed the connection with it, as it said. */
static bool one_call(struct tally *tally, struct wire *wire, const struct call *call, int status)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);
	struct answer answer = {0};

	atomic_fetch_add(&tally->begun, 1);
	call_write(call, &bytes);
	if (!wire_send(wire, bytes.data, bytes.len))
		note_failure(tally, "could not send", 0);
	else if (wire_answer(wire, &answer, false, LIMIT_MS) != WIRE_ANSWER)
		note_failure(tally, "no reply", 0);
	else if (answer.status != status)
		note_failure(tally, "refused", answer.status);
	else
		atomic_fetch_add(&tally->done, 1);
	bool goes_on = answer.status != 0 && !answer_header_is(&answer, "connection", "close");
	answer_clear(&answer);
	buf_free(&bytes);
	return goes_on;
}

/* Reads seats and charges its balance, in turn, until it is told to stop. */
static void client(struct world *world, struct tally *tally, unsigned number)
{
	int port = world_port(world, 0);
	char path[80], key[32];
	struct wire wire;

	snprintf(path, sizeof path, "/v1/performances/%lld/seats/status",
		(long long)world->sale.performance_id);
	struct call read = {.method = "GET", .path = path};
	struct call charge = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = world->people.list[number].jwt,
		.key = key,
		.body = "{\"amount\":1}"};
	for (unsigned i = 0; !atomic_load(&tally->stop);) {
		atomic_fetch_add(&tally->connections, 1);
		bool open = connect_to(&wire, port);
		if (!open)
			note_failure(tally, "could not connect", 0);
		while (open && !atomic_load(&tally->stop)) {
			snprintf(key, sizeof key, "%u-%u", number, i++);
			open = one_call(tally, &wire, &read, 200) &&
			       one_call(tally, &wire, &charge, 201);
		}
		wire_close(&wire);
	}
}

struct progress {
	struct tally *tally;
	unsigned beyond;
};

static bool has_gone_on(void *context)
{
	struct progress *progress = context;

	return atomic_load(&progress->tally->done) > progress->beyond;
}

static void let_work(struct tally *tally, unsigned requests)
{
	struct progress progress = {tally, atomic_load(&tally->done) + requests};

	cr_assert(wait_until(has_gone_on, &progress, LIMIT_MS), "%s", tally->first_failure);
}

Test(restart, in_turn)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .share_port = true, .flags = {"--http.share_port=true"}});
	struct tally *tally = mmap(
		NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t clients[CLIENTS];

	cr_assert(tally != MAP_FAILED);
	world_fill(world, CLIENTS, 0, &(struct sale_options){.rows = 10});
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = fork();
		cr_assert(clients[i] >= 0);
		if (clients[i] == 0) {
			client(world, tally, i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		let_work(tally, 200);
		instance_stop(&world->instances[i % 2]);
		instance_start(&world->instances[i % 2]);
	}
	let_work(tally, 200);
	atomic_store(&tally->stop, true);
	for (unsigned i = 0; i < CLIENTS; i++)
		waitpid(clients[i], NULL, 0);
	printf("%u requests on %u connections, %u failed, while each of 2 instances was restarted %d times\n",
		atomic_load(&tally->begun), atomic_load(&tally->connections),
		atomic_load(&tally->failed), ROUNDS);
	cr_expect(atomic_load(&tally->failed) == 0, "%s", tally->first_failure);
	cr_expect(atomic_load(&tally->connections) > CLIENTS, "nobody was moved");
	invariants_hold(&(struct invariants_input){.db = world->db});
	munmap(tally, sizeof *tally);
	world_close(world);
}

/* An impatient operator: it ends well, in whichever of its last steps a further signal comes. */
Test(restart, however_often_it_is_told_to_stop)
{
	struct world *world = world_open(NULL);
	struct instance *instance = &world->instances[0];
	int status;

	for (int round = 0; round < 5; round++) {
		unsigned told = 0;

		do {
			cr_assert_eq(kill(instance->pid, SIGTERM), 0);
			told++;
		} while (waitpid(instance->pid, &status, WNOHANG) == 0);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
		cr_assert(told > 1);
		instance->pid = 0;
		instance_start(instance);
	}
	world_close(world);
}
