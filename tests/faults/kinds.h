/* The kinds of fault, one table: how each is injected and healed, and by what its effect is known. */
#ifndef ONSALE_TESTS_FAULTS_KINDS_H
#define ONSALE_TESTS_FAULTS_KINDS_H

#include "tests/faults/arena.h"

struct injection;

struct kind {
	const char *name;
	void (*inject)(struct arena *arena, struct injection *injection);
	void (*heal)(struct arena *arena, struct injection *injection);
	/* NULL, or: true once what was taken away is there again. */
	bool (*back)(struct arena *arena, struct injection *injection);
	bool (*seen)(struct arena *arena, struct injection *injection);
	bool redis_lost; /* to an instance at least, with what it alone knew */
	unsigned lasts_min_ms, lasts_max_ms;
	/* of the proxies' faults */
	enum proxies_store store;
	enum proxy_fault fault;
	unsigned amount_min, amount_max;
	bool one_instance;
};

/* One fault at one moment. */
struct injection {
	const struct kind *kind;
	unsigned instance; /* that it is about, where it is about one */
	uint64_t amount;
	unsigned lasts_ms;
	/* what had been counted when it was injected */
	struct buyers_counts before;
	struct proxies_seen before_at[PROXIES_STORES];
	int64_t epoch;
	/* its own */
	unsigned hit; /* sessions ended, clients reset */
	bool ended_well; /* the server, when it was told to end */
	bool connecting; /* the run's own session, to a PostgreSQL that was away */
	PGconn *locker;
};

extern const struct kind kinds[];
extern const size_t kind_count;

const struct kind *kind_find(const char *name);

#endif
