/* Ports and counts lie in memory that both processes see; orders go through a pipe, each in one write. */
#include "tests/faults/proxies.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "tests/support/process.h"
#include "tests/support/wait.h"

enum { LIMIT_MS = 10000 };

struct proxies_shared {
	struct proxy_counts counts[PROXIES_INSTANCES_MAX][PROXIES_STORES];
	unsigned ports[PROXIES_INSTANCES_MAX][PROXIES_STORES];
	atomic_uint done; /* orders carried out; the first is that all listen */
	unsigned given;
};

struct order {
	unsigned instances;
	enum proxies_store store;
	enum proxy_fault fault;
	uint64_t amount;
};

/* --- the process --- */

struct house {
	struct event_base *base;
	struct proxies_shared *shared;
	struct proxy *list[PROXIES_INSTANCES_MAX][PROXIES_STORES];
};

static void on_order(evutil_socket_t fd, UNUSED short what, void *context)
{
	struct house *house = context;
	struct order order;

	if (read(fd, &order, sizeof order) != sizeof order)
		_exit(0);
	for (unsigned i = 0; i < PROXIES_INSTANCES_MAX; i++)
		if (order.instances & 1U << i && house->list[i][order.store] != NULL)
			proxy_set(house->list[i][order.store], order.fault, order.amount);
	house->shared->done++;
}

static _Noreturn void serve(int control, unsigned instances, struct proxies_shared *shared,
	const struct sockaddr_un targets[PROXIES_STORES])
{
	struct house house = {.base = event_base_new(), .shared = shared};

	for (unsigned i = 0; i < instances; i++)
		for (int store = 0; store < PROXIES_STORES; store++) {
			struct proxy *proxy = proxy_new(house.base,
				(const struct sockaddr *)&targets[store], sizeof targets[store],
				&shared->counts[i][store]);
			shared->ports[i][store] = proxy_listen_tcp(proxy);
			house.list[i][store] = proxy;
		}
	struct event *orders = event_new(
		house.base, control, EV_READ | EV_PERSIST, on_order, &house);
	if (orders == NULL || event_add(orders, NULL) != 0)
		_exit(1);
	shared->done++;
	event_base_dispatch(house.base);
	_exit(1);
}

/* --- its owner --- */

static bool all_done(void *context)
{
	const struct proxies *proxies = context;

	return proxies->shared->done == proxies->shared->given;
}

static void wait_done(struct proxies *proxies)
{
	proxies->shared->given++;
	cr_assert(wait_until(all_done, proxies, LIMIT_MS), "the proxies do not answer");
}

void proxies_open(struct proxies *proxies, unsigned instances,
	const struct sockaddr_un targets[PROXIES_STORES])
{
	int ends[2];
	pid_t parent = getpid();

	*proxies = (struct proxies){.instances = instances};
	proxies->shared = mmap(NULL, sizeof *proxies->shared, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(proxies->shared != MAP_FAILED && pipe2(ends, O_CLOEXEC) == 0);
	proxies->pid = fork();
	cr_assert(proxies->pid >= 0, "fork: %s", strerror(errno));
	if (proxies->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		close(ends[1]);
		if (getppid() != parent)
			_exit(1);
		serve(ends[0], instances, proxies->shared, targets);
	}
	close(ends[0]);
	proxies->control = ends[1];
	wait_done(proxies);
}

void proxies_close(struct proxies *proxies)
{
	process_kill(proxies->pid);
	close(proxies->control);
	munmap(proxies->shared, sizeof *proxies->shared);
}

unsigned proxies_port(const struct proxies *proxies, unsigned instance, enum proxies_store store)
{
	return proxies->shared->ports[instance][store];
}

void proxies_set(struct proxies *proxies, unsigned instances, enum proxies_store store,
	enum proxy_fault fault, uint64_t amount)
{
	struct order order;

	memset(&order, 0, sizeof order); /* its padding goes out too */
	order.instances = instances;
	order.store = store;
	order.fault = fault;
	order.amount = amount;
	cr_assert(write(proxies->control, &order, sizeof order) == sizeof order);
	wait_done(proxies);
}

struct proxies_seen proxies_seen(const struct proxies *proxies, enum proxies_store store)
{
	struct proxies_seen seen = {0};

	for (unsigned i = 0; i < proxies->instances; i++) {
		const struct proxy_counts *counts = &proxies->shared->counts[i][store];
		seen.accepted += counts->accepted;
		seen.hit += counts->hit;
		seen.commits_lost += counts->commits_lost;
		seen.bytes_hit += counts->bytes_hit;
	}
	return seen;
}
