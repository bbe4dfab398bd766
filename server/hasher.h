/* Password hashing (argon2id, libsodium) on one worker thread: a hash takes tens of milliseconds, which the
 * loop never waits for. The only thread beside the loop's. */
#ifndef ONSALE_SERVER_HASHER_H
#define ONSALE_SERVER_HASHER_H

#include <stdbool.h>
#include <sys/queue.h>

struct event_base;
struct hasher;

enum {
	HASHER_WAITING_MAX = 32, /* jobs waiting behind the one at work */
	HASHER_HASH_SIZE = 128,
	HASHER_PASSWORD_SIZE = 1025
};

/* A password to compare with a hash, or to make one of; embedded in the caller's struct, which stays where
 * it is, untouched, until `done`. */
struct hasher_job {
	/* the caller's */
	void (*done)(struct hasher_job *job, bool ok); /* it matches; the hash is made */
	void *owner;
	/* To compare with: "" where there is none, which is as slow as any and matches nothing; or, NUL-terminated,
	 * what was made. */
	char hash[HASHER_HASH_SIZE];
	char password[HASHER_PASSWORD_SIZE]; /* wiped before `done`, or when refused */

	/* hasher.c's */
	STAILQ_ENTRY(hasher_job) link;
	bool make, ok;
};

/* Starts the worker. The cost is that of new hashes, and of comparing with no hash. */
struct hasher *hasher_new(struct event_base *base, unsigned memory_kib, unsigned passes);

/* Joins the worker once the hash at work is done; jobs that have not been answered are, with false. */
void hasher_free(struct hasher *hasher);

/* Queues the job, to compare or to make; `done` is called once, from the event loop, never before this
 * returns. False, and the job is not taken, where HASHER_WAITING_MAX jobs wait already. */
bool hasher_verify(struct hasher *hasher, struct hasher_job *job);
bool hasher_make(struct hasher *hasher, struct hasher_job *job);

/* Jobs that wait behind the one at work. */
unsigned hasher_waiting(struct hasher *hasher);

/* A new hash, NUL-terminated. Blocks: for the commands, not for the loop. */
void hasher_hash_now(
	const char *password, unsigned memory_kib, unsigned passes, char hash[HASHER_HASH_SIZE]);

#endif
