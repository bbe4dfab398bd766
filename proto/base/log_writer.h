/* Writes lines from a thread of its own, so that whoever has something to say never waits for a disk, a pipe or
 * a terminal. Lines wait in a ring of fixed size; past that they are dropped, counted, and told of once there is
 * room again. They are written in their order, whole ones only, and to a pipe no more at once than it takes
 * whole: lines of several processes never mix. */
#ifndef ONSALE_PROTO_BASE_LOG_WRITER_H
#define ONSALE_PROTO_BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_writer;

enum log_urgency {
	LOG_SOON, /* within some milliseconds, together with others */
	LOG_NOW /* at once; of the ring's room, a sixteenth is for these alone */
};

struct log_writer_options {
	const char *path; /* a file to append to, made where there is none; NULL: `fd` instead */
	int fd; /* stays the caller's */
	size_t size; /* of the ring; at least 16 lines of LOG_TEXT_MAX bytes */
	/* Says that so many lines were lost: called by the writer's thread, and may put a line. */
	void (*tell_lost)(uint64_t lost);
	/* The file could not be opened again; the one at hand is gone on with. */
	void (*tell_failed)(const char *path, int error);
};

/* Starts the thread. NULL where the file cannot be opened, with the reason in errno. */
struct log_writer *log_writer_new(const struct log_writer_options *options);

/* A whole line, its newline included, of at most LOG_TEXT_MAX bytes; from any thread. */
void log_writer_put(
	struct log_writer *writer, const char *line, size_t len, enum log_urgency urgency);

/* Opens the file at its path again, as after a rotation; later, and by the thread. */
void log_writer_reopen(struct log_writer *writer);

/* Waits until all is written, for limit_ms at most: true where it is. */
bool log_writer_drain(struct log_writer *writer, unsigned limit_ms);

/* Drains and frees. Where the time did not suffice it is left as it is, for the process to end with it. */
bool log_writer_stop(struct log_writer *writer, unsigned limit_ms);

/* Where it writes to. */
int log_writer_fd(const struct log_writer *writer);

/* Lines that were lost, for want of room or since they could not be written. */
uint64_t log_writer_lost(struct log_writer *writer);

#endif
