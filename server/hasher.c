/* Jobs go to the worker through `waiting` and come back through `finished`, both under one mutex; an eventfd
 * wakes the loop.
 *   hasher_verify, hasher_make -> waiting -> work (the thread) -> finished -> jobs_finished (the loop) -> done
 *
 * A job belongs to the worker from the moment it is queued until the loop takes it off `finished`. */
#include "server/hasher.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/log.h"

STAILQ_HEAD(job_list, hasher_job);

struct hasher {
	pthread_t thread;
	struct event *wake; /* the eventfd's */
	int wake_fd;
	unsigned memory_kib, passes; /* the cost of a hash */
	/* Of a password that nobody knows: stands in where there is no hash. */
	char no_hash[HASHER_HASH_SIZE];

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t work; /* something waits, or it is time to stop */
	struct job_list waiting, finished;
	unsigned waiting_count;
	bool stop;
};

_Static_assert(HASHER_HASH_SIZE == crypto_pwhash_STRBYTES, "as libsodium writes them");

static bool hash_of(
	const char *password, unsigned memory_kib, unsigned passes, char hash[HASHER_HASH_SIZE])
{
	return crypto_pwhash_str(
		       hash, password, strlen(password), passes, (size_t)memory_kib * 1024) == 0;
}

void hasher_hash_now(
	const char *password, unsigned memory_kib, unsigned passes, char hash[HASHER_HASH_SIZE])
{
	CHECK(sodium_init() >= 0);
	CHECK(hash_of(password, memory_kib, passes, hash));
}

/* --- the worker --- */

static bool matches(const char *hash, const char *password)
{
	errno = 0;
	if (crypto_pwhash_str_verify(hash, password, strlen(password)) == 0)
		return true;
	if (errno == ENOMEM)
		log_error("argon2id: no memory to compare a password");
	return false;
}

static bool verify(const struct hasher *hasher, const struct hasher_job *job)
{
	bool known = job->hash[0] != '\0';
	bool match = matches(known ? job->hash : hasher->no_hash, job->password);
	return known && match;
}

/* All that can go wrong is a lack of memory. */
static bool make(const struct hasher *hasher, struct hasher_job *job)
{
	if (hash_of(job->password, hasher->memory_kib, hasher->passes, job->hash))
		return true;
	log_error("argon2id: no memory to hash a password");
	return false;
}

static void judge(const struct hasher *hasher, struct hasher_job *job)
{
	job->ok = job->make ? make(hasher, job) : verify(hasher, job);
	sodium_memzero(job->password, sizeof job->password);
}

static void wake_loop(const struct hasher *hasher)
{
	uint64_t one = 1;
	CHECK(write(hasher->wake_fd, &one, sizeof one) == sizeof one);
}

/* The next job; NULL: stop. Called with the mutex held. */
static struct hasher_job *next_job(struct hasher *hasher)
{
	while (!hasher->stop && STAILQ_EMPTY(&hasher->waiting))
		pthread_cond_wait(&hasher->work, &hasher->mutex);
	if (hasher->stop)
		return NULL;
	struct hasher_job *job = STAILQ_FIRST(&hasher->waiting);
	STAILQ_REMOVE_HEAD(&hasher->waiting, link);
	hasher->waiting_count--;
	return job;
}

static void *work(void *context)
{
	struct hasher *hasher = context;
	struct hasher_job *job;
	pthread_mutex_lock(&hasher->mutex);
	while ((job = next_job(hasher))) {
		pthread_mutex_unlock(&hasher->mutex);
		judge(hasher, job);
		pthread_mutex_lock(&hasher->mutex);
		STAILQ_INSERT_TAIL(&hasher->finished, job, link);
		wake_loop(hasher);
	}
	pthread_mutex_unlock(&hasher->mutex);
	return NULL;
}

/* --- the loop's side --- */

static void answer(struct job_list *jobs)
{
	struct hasher_job *job;
	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job->done(job, job->ok);
	}
}

static void jobs_finished(evutil_socket_t fd, short what UNUSED, void *context)
{
	struct hasher *hasher = context;
	struct job_list jobs = STAILQ_HEAD_INITIALIZER(jobs);
	uint64_t count;
	if (read(fd, &count, sizeof count) < 0)
		CHECK(errno == EAGAIN);
	pthread_mutex_lock(&hasher->mutex);
	STAILQ_CONCAT(&jobs, &hasher->finished);
	pthread_mutex_unlock(&hasher->mutex);
	answer(&jobs);
}

/* Signals are the loop's: the worker starts with all of them blocked. */
static void start_worker(struct hasher *hasher)
{
	sigset_t all, before;
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&hasher->thread, NULL, work, hasher) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

struct hasher *hasher_new(struct event_base *base, unsigned memory_kib, unsigned passes)
{
	char password[2 * crypto_pwhash_SALTBYTES + 1];
	uint8_t random[crypto_pwhash_SALTBYTES];
	struct hasher *hasher = must_calloc(1, sizeof *hasher);
	CHECK(sodium_init() >= 0);
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(password, sizeof password, random, sizeof random);
	hasher->memory_kib = memory_kib;
	hasher->passes = passes;
	hasher_hash_now(password, memory_kib, passes, hasher->no_hash);

	STAILQ_INIT(&hasher->waiting);
	STAILQ_INIT(&hasher->finished);
	CHECK(pthread_mutex_init(&hasher->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&hasher->work, NULL) == 0);
	hasher->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(hasher->wake_fd >= 0);
	hasher->wake = event_new(
		base, hasher->wake_fd, EV_READ | EV_PERSIST, jobs_finished, hasher);
	CHECK(hasher->wake && event_add(hasher->wake, NULL) == 0);
	start_worker(hasher);
	return hasher;
}

static bool queue(struct hasher *hasher, struct hasher_job *job, bool to_make)
{
	job->make = to_make;
	job->ok = false;
	job->hash[sizeof job->hash - 1] = '\0';
	job->password[sizeof job->password - 1] = '\0';
	pthread_mutex_lock(&hasher->mutex);
	bool room = hasher->waiting_count < HASHER_WAITING_MAX;
	if (room) {
		STAILQ_INSERT_TAIL(&hasher->waiting, job, link);
		hasher->waiting_count++;
		pthread_cond_signal(&hasher->work);
	}
	pthread_mutex_unlock(&hasher->mutex);
	if (!room)
		sodium_memzero(job->password, sizeof job->password);
	return room;
}

bool hasher_verify(struct hasher *hasher, struct hasher_job *job)
{
	return queue(hasher, job, false);
}

bool hasher_make(struct hasher *hasher, struct hasher_job *job)
{
	return queue(hasher, job, true);
}

unsigned hasher_waiting(struct hasher *hasher)
{
	pthread_mutex_lock(&hasher->mutex);
	unsigned waiting = hasher->waiting_count;
	pthread_mutex_unlock(&hasher->mutex);
	return waiting;
}

static void stop_worker(struct hasher *hasher)
{
	pthread_mutex_lock(&hasher->mutex);
	hasher->stop = true;
	pthread_cond_signal(&hasher->work);
	pthread_mutex_unlock(&hasher->mutex);
	CHECK(pthread_join(hasher->thread, NULL) == 0);
}

/* Jobs that nobody will judge: their passwords are wiped all the same. */
static void drop(struct job_list *jobs)
{
	struct hasher_job *job;
	STAILQ_FOREACH (job, jobs, link) {
		sodium_memzero(job->password, sizeof job->password);
		job->ok = false;
	}
	answer(jobs);
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	stop_worker(hasher);
	drop(&hasher->finished);
	drop(&hasher->waiting);
	event_free(hasher->wake);
	close(hasher->wake_fd);
	pthread_cond_destroy(&hasher->work);
	pthread_mutex_destroy(&hasher->mutex);
	free(hasher);
}
