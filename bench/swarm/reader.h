/* HTTP/1.1 replies, read by llhttp in its strict mode, one at a time: nothing may follow a reply that was
 * not asked for. Pure: bytes in, a reply or "broken" out. */
#ifndef ONSALE_BENCH_SWARM_READER_H
#define ONSALE_BENCH_SWARM_READER_H

#include <llhttp.h>
#include "proto/base/buf.h"

enum { READER_BODY_MAX = 4 * 1024 * 1024, READER_NAME_MAX = 16 };

struct reply {
	int status;
	unsigned retry_after_s; /* 0: none was given */
	bool keep_alive;
	struct buf body;
};

enum reader_result {
	READER_MORE,
	READER_WHOLE,
	READER_BROKEN /* not HTTP, more than one reply, or a body over READER_BODY_MAX */
};

struct reader {
	struct reply reply; /* filled with READER_WHOLE */
	bool whole;

	/* reader.c's */
	llhttp_t llhttp;
	bool in_name, retry_after;
	size_t name_len;
	char name[READER_NAME_MAX];
};

/* For the first reply, on a zeroed struct, and for each further one: the last one's body is forgotten. */
void reader_next(struct reader *reader);
enum reader_result reader_feed(struct reader *reader, const char *bytes, size_t len);

/* The connection's end ends a reply that told no length. */
enum reader_result reader_end(struct reader *reader);
void reader_free(struct reader *reader);

#endif
