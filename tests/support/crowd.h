/* Many requests at once: all connected, all but the last byte of each sent, then released together. The
 * servers stand still (SIGSTOP) while the last bytes go out, so that to them all requests are there in one
 * moment. One thread, epoll. */
#ifndef ONSALE_TESTS_SUPPORT_CROWD_H
#define ONSALE_TESTS_SUPPORT_CROWD_H

#include <stddef.h>
#include "tests/support/answer.h"
#include "tests/support/call.h"

enum { CROWD_MAX = 5000 };

struct crowd;
struct instance;

struct crowd *crowd_new(void);
void crowd_free(struct crowd *crowd);

/* Adds a request; its number is how many were added before. */
void crowd_add(struct crowd *crowd, const struct instance *instance, const struct call *call);

/* Sends them all and gathers the replies; the test fails where that takes longer than limit_ms, or where
 * connecting fails. */
void crowd_run(struct crowd *crowd, unsigned limit_ms);

/* How long it took from their release to the last reply. */
uint64_t crowd_took_ms(const struct crowd *crowd);

size_t crowd_size(const struct crowd *crowd);

/* NULL where the connection was lost before the reply. The crowd's. */
struct answer *crowd_answer(struct crowd *crowd, size_t i);

/* How many were answered with this status and, where code is not NULL, this problem code. */
size_t crowd_count(struct crowd *crowd, int status, const char *code);

/* How many have the header Idempotent-Replayed: true. */
size_t crowd_replayed(struct crowd *crowd);

#endif
