/* A process of its own with a proxy between each instance and each store. */
#ifndef ONSALE_TESTS_FAULTS_PROXIES_H
#define ONSALE_TESTS_FAULTS_PROXIES_H

#include <sys/types.h>
#include <sys/un.h>
#include "tests/support/proxy.h"

enum proxies_store { PROXIES_REDIS, PROXIES_POSTGRESQL, PROXIES_STORES };
enum { PROXIES_INSTANCES_MAX = 4 };

struct proxies_shared;

struct proxies {
	pid_t pid;
	int control; /* the pipe that switches faults */
	unsigned instances;
	struct proxies_shared *shared;
};

struct proxies_seen {
	unsigned accepted, hit, commits_lost;
	uint64_t bytes_hit;
};

void proxies_open(struct proxies *proxies, unsigned instances,
	const struct sockaddr_un targets[PROXIES_STORES]);
void proxies_close(struct proxies *proxies);

unsigned proxies_port(const struct proxies *proxies, unsigned instance, enum proxies_store store);

/* instances: a bit for each. In force when it returns. */
void proxies_set(struct proxies *proxies, unsigned instances, enum proxies_store store,
	enum proxy_fault fault, uint64_t amount);

/* What was done between all instances and a store so far. */
struct proxies_seen proxies_seen(const struct proxies *proxies, enum proxies_store store);

#endif
