/* A request as a client writes it, and the bytes that it becomes. */
#ifndef ONSALE_TESTS_SUPPORT_CALL_H
#define ONSALE_TESTS_SUPPORT_CALL_H

#include "proto/base/buf.h"

enum { CALL_SIZE_MAX = 128 * 1024 };

/* What is NULL is left out. The texts are the caller's. */
struct call {
	const char *method, *path;
	const char *jwt; /* Authorization: Bearer */
	const char *key; /* Idempotency-Key */
	const char *pass; /* X-Queue-Pass */
	const char *queue_token; /* X-Queue-Token */
	const char *headers; /* further lines, each ended by CR LF */
	const char *body; /* sent as application/json */
};

/* Appends the request's bytes; the buffer needs a limit of CALL_SIZE_MAX or more. */
void call_write(const struct call *call, struct buf *out);

#endif
