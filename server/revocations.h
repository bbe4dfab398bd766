/* The access tokens that were logged out, as this instance knows them: all that PostgreSQL keeps are read at
 * the start, what came since each half second, so that a log-out elsewhere is in force here within 2 s. Tokens
 * that have expired by themselves are dropped in passing. Owned by the app. */
#ifndef ONSALE_SERVER_REVOCATIONS_H
#define ONSALE_SERVER_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/digest.h"

struct app;
struct revocations;

enum {
	REVOCATIONS_REFRESH_MS = 500,
	/* Past that, log-outs are refused here; those of other instances are still taken in. */
	REVOCATIONS_MAX = 1000000
};

struct revocations *revocations_new(struct app *app);
/* After pg_free: no read is under way any more. */
void revocations_free(struct revocations *revocations);

/* All there were have been read once; before that nobody can say who is logged out. */
bool revocations_loaded(const struct revocations *revocations);

size_t revocations_count(const struct revocations *revocations);

/* What a token is known by: the digest of its signed part, of which there is one spelling only. */
struct digest revocation_digest(const char *token);

/* Whether this token, which is a valid one otherwise, was logged out. */
bool revocations_have(const struct revocations *revocations, const char *token);
bool revocations_have_digest(const struct revocations *revocations, const struct digest *token);

/* A token was just logged out here. */
void revocations_add(
	struct revocations *revocations, const struct digest *token, int64_t expires_unix_s);

#endif
