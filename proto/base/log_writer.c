/* The ring, and the thread that empties it.
 *
 *   ring       taken % size        put % size
 *   |---- free ----|---- lines ----|---- free ----|
 *
 * Both positions only grow, until the ring is empty and they begin anew: of its memory no more is touched than was
 * ever needed. One mutex guards them, and is held for no longer than it takes to copy a line. The thread sleeps until
 * there is something; then for a moment more, unless it is urgent, so that a busy server need not wake it for each
 * line; and then writes without the mutex: what lies between the positions is its own. */
#include "proto/base/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/log_text.h"

enum {
	GATHER_MS = 10,
	WRITE_MAX = 64 * 1024, /* to a file, at once */
	FILE_MODE = 0640,
	STACK_SIZE = 256 * 1024
};

_Static_assert(LOG_TEXT_MAX <= PIPE_BUF, "a pipe takes a line whole");

struct log_writer {
	struct log_writer_options options;
	char *path; /* NULL: none */
	char *ring;
	int fd;
	size_t write_max;
	bool torn; /* the last line written has no end */
	bool well; /* the last write went well */
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t work; /* for the thread */
	pthread_cond_t ended; /* for who waits: the ring is empty, or the thread has ended */
	enum { BUSY, IDLE, GATHERING } state; /* of the thread */
	uint64_t put, taken;
	uint64_t lost, lost_told;
	bool urgent, reopen, stop, gone;
};

/* --- positions --- */

static size_t used(const struct log_writer *writer)
{
	return (size_t)(writer->put - writer->taken);
}

/* What of `len` bytes from `position` on lies before the ring's end. */
static size_t before_end(const struct log_writer *writer, uint64_t position, size_t len)
{
	size_t left = writer->options.size - (size_t)(position % writer->options.size);

	return len < left ? len : left;
}

static char *at(const struct log_writer *writer, uint64_t position)
{
	return writer->ring + position % writer->options.size;
}

/* --- putting --- */

/* True where the thread is to be woken; it is no longer waiting then. Called with the mutex held. */
static bool must_wake(struct log_writer *writer)
{
	bool wake = writer->state == IDLE ||
		    (writer->state == GATHERING &&
			    (writer->urgent || writer->reopen || writer->stop ||
				    used(writer) > writer->options.size / 2));

	if (wake)
		writer->state = BUSY;
	return wake;
}

void log_writer_put(
	struct log_writer *writer, const char *line, size_t len, enum log_urgency urgency)
{
	size_t kept = urgency == LOG_NOW ? 0 : writer->options.size / 16;
	bool wake = false;

	pthread_mutex_lock(&writer->mutex);
	if (len + kept > writer->options.size - used(writer)) {
		writer->lost++;
	} else {
		size_t first = before_end(writer, writer->put, len);
		memcpy(at(writer, writer->put), line, first);
		memcpy(writer->ring, line + first, len - first);
		writer->put += len;
		writer->urgent = writer->urgent || urgency == LOG_NOW;
		wake = must_wake(writer);
	}
	pthread_mutex_unlock(&writer->mutex);
	if (wake)
		pthread_cond_signal(&writer->work);
}

void log_writer_reopen(struct log_writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	writer->reopen = writer->path != NULL;
	bool wake = must_wake(writer);
	pthread_mutex_unlock(&writer->mutex);
	if (wake)
		pthread_cond_signal(&writer->work);
}

/* --- writing --- */

/* True where all of it was written. */
static bool write_all(struct log_writer *writer, struct iovec *parts, int count)
{
	size_t left = 0;

	for (int i = 0; i < count; i++)
		left += parts[i].iov_len;
	while (left > 0) {
		ssize_t written = writev(writer->fd, parts, count);
		if (written < 0 && errno == EAGAIN) {
			struct pollfd wait = {.fd = writer->fd, .events = POLLOUT};
			poll(&wait, 1, -1);
		} else if (written < 0 && errno != EINTR) {
			return false;
		}
		size_t done = written > 0 ? (size_t)written : 0;
		left -= done;
		writer->torn = written > 0 ? left > 0 : writer->torn;
		for (int i = 0; i < count; i++) {
			size_t of_part = done < parts[i].iov_len ? done : parts[i].iov_len;
			parts[i].iov_base = (char *)parts[i].iov_base + of_part;
			parts[i].iov_len -= of_part;
			done -= of_part;
		}
	}
	return true;
}

/* The whole lines at the ring's front that are written together, as parts. */
static int front(const struct log_writer *writer, uint64_t from, size_t len, struct iovec parts[2])
{
	size_t first = before_end(writer, from, len);

	parts[0] = (struct iovec){at(writer, from), first};
	parts[1] = (struct iovec){writer->ring, len - first};
	return len > first ? 2 : 1;
}

static size_t whole_lines(const struct log_writer *writer, uint64_t from, size_t len)
{
	if (len > writer->write_max)
		len = writer->write_max;
	while (*at(writer, from + len - 1) != '\n')
		len--;
	return len;
}

static uint64_t count_lines(const struct iovec *parts, int count)
{
	uint64_t lines = 0;

	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].iov_len; j++)
			lines += ((const char *)parts[i].iov_base)[j] == '\n';
	return lines;
}

/* Called with the mutex held, which it gives away meanwhile. What cannot be written is lost: it would only be in
 * the way of what comes. */
static void write_front(struct log_writer *writer)
{
	struct iovec parts[2], newline = {(char[]){"\n"}, 1};
	uint64_t from = writer->taken, lost = 0;
	size_t len = used(writer);

	pthread_mutex_unlock(&writer->mutex);
	len = whole_lines(writer, from, len);
	int count = front(writer, from, len, parts);
	writer->well = (!writer->torn || write_all(writer, &newline, 1)) &&
		       write_all(writer, parts, count);
	if (!writer->well)
		lost = count_lines(parts, count);
	pthread_mutex_lock(&writer->mutex);
	writer->taken += len;
	writer->lost += lost;
}

/* --- the file --- */

/* A FIFO that nobody reads is refused, and not waited for. */
static int open_file(const char *path)
{
	return open(
		path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_MODE);
}

static void look_at_file(struct log_writer *writer)
{
	struct stat status;
	bool file = fstat(writer->fd, &status) == 0 && S_ISREG(status.st_mode);

	writer->write_max = file ? WRITE_MAX : PIPE_BUF;
}

/* The number of the descriptor stays, so that who writes last words needs no lock to find it. */
static void open_again(struct log_writer *writer)
{
	int fd = open_file(writer->path);

	if (fd < 0 || dup3(fd, writer->fd, O_CLOEXEC) < 0)
		writer->options.tell_failed(writer->path, errno);
	else
		look_at_file(writer);
	if (fd >= 0)
		close(fd);
	writer->torn = false;
}

/* --- the thread --- */

static struct timespec in_ms(unsigned ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += (long)(ms % 1000) * 1000000;
	time.tv_sec += (time_t)(ms / 1000) + time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

/* False: it is time to end. Called with the mutex held. */
static bool await_work(struct log_writer *writer)
{
	while (used(writer) == 0 && !writer->reopen) {
		if (writer->stop)
			return false;
		writer->state = IDLE;
		pthread_cond_wait(&writer->work, &writer->mutex);
	}
	if (!writer->urgent && !writer->reopen && !writer->stop &&
		used(writer) <= writer->options.size / 2) {
		struct timespec end = in_ms(GATHER_MS);
		writer->state = GATHERING;
		pthread_cond_timedwait(&writer->work, &writer->mutex, &end);
	}
	writer->state = BUSY;
	writer->urgent = false;
	return true;
}

/* Lost lines are told of only where a line was just written: else the line that tells would be lost, and so on.
 * Called with the mutex held. */
static void tell_lost(struct log_writer *writer)
{
	uint64_t lost = writer->lost - writer->lost_told;

	if (lost == 0 || !writer->well)
		return;
	writer->lost_told = writer->lost;
	pthread_mutex_unlock(&writer->mutex);
	writer->options.tell_lost(lost);
	pthread_mutex_lock(&writer->mutex);
}

static void *work(void *context)
{
	struct log_writer *writer = context;

	pthread_mutex_lock(&writer->mutex);
	while (await_work(writer)) {
		if (writer->reopen) {
			writer->reopen = false;
			pthread_mutex_unlock(&writer->mutex);
			open_again(writer);
			pthread_mutex_lock(&writer->mutex);
		}
		while (used(writer) > 0)
			write_front(writer);
		tell_lost(writer);
		if (used(writer) == 0) {
			writer->put = writer->taken = 0;
			pthread_cond_broadcast(&writer->ended);
		}
	}
	writer->gone = true;
	pthread_cond_broadcast(&writer->ended);
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

/* --- beginning and end --- */

/* Signals are the loop's: the thread starts with all of them blocked. */
static void start_thread(struct log_writer *writer)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	sigfillset(&all);
	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&writer->thread, &attributes, work, writer) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_attr_destroy(&attributes);
}

static void make_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(condition, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

struct log_writer *log_writer_new(const struct log_writer_options *options)
{
	int fd = options->path != NULL ? open_file(options->path) : options->fd;

	if (fd < 0)
		return NULL;
	CHECK(options->size >= (size_t)16 * LOG_TEXT_MAX);
	struct log_writer *writer = must_calloc(1, sizeof *writer);
	writer->options = *options;
	writer->path = options->path != NULL ? must_strdup(options->path) : NULL;
	writer->ring = must_malloc(options->size);
	writer->fd = fd;
	look_at_file(writer);
	CHECK(pthread_mutex_init(&writer->mutex, NULL) == 0);
	make_condition(&writer->work);
	make_condition(&writer->ended);
	start_thread(writer);
	return writer;
}

/* Called with the mutex held. */
static bool wait_for_end(struct log_writer *writer, bool gone, unsigned limit_ms)
{
	struct timespec end = in_ms(limit_ms);
	int waited = 0;

	writer->urgent = true;
	if (must_wake(writer))
		pthread_cond_signal(&writer->work);
	while (waited == 0 && (gone ? !writer->gone : used(writer) > 0))
		waited = pthread_cond_timedwait(&writer->ended, &writer->mutex, &end);
	return gone ? writer->gone : used(writer) == 0;
}

bool log_writer_drain(struct log_writer *writer, unsigned limit_ms)
{
	pthread_mutex_lock(&writer->mutex);
	bool drained = wait_for_end(writer, false, limit_ms);
	pthread_mutex_unlock(&writer->mutex);
	return drained;
}

bool log_writer_stop(struct log_writer *writer, unsigned limit_ms)
{
	pthread_mutex_lock(&writer->mutex);
	writer->stop = true;
	bool gone = wait_for_end(writer, true, limit_ms);
	pthread_mutex_unlock(&writer->mutex);
	if (!gone) {
		pthread_detach(writer->thread);
		return false;
	}
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->ended);
	pthread_cond_destroy(&writer->work);
	pthread_mutex_destroy(&writer->mutex);
	if (writer->path != NULL)
		close(writer->fd);
	free(writer->path);
	free(writer->ring);
	free(writer);
	return true;
}

int log_writer_fd(const struct log_writer *writer)
{
	return writer->fd;
}

uint64_t log_writer_lost(struct log_writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	uint64_t lost = writer->lost;
	pthread_mutex_unlock(&writer->mutex);
	return lost;
}
