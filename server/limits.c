/* The table's order (uthash keeps it) is the order in which buckets were last touched. */
#include "server/limits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config/settings.h"
#include "proto/address.h"
#include "proto/base/check.h"
#include "proto/base/hash.h"
#include "proto/digest.h"

enum { MINUTE_S = 60, MINUTE_MS = 1000 * MINUTE_S, TEXT_KEY_MAX = 1024 };

struct bucket {
	struct limit_key key;
	double tokens;
	uint64_t filled_ms; /* when they were counted */
	UT_hash_handle hh;
};

struct limits {
	int64_t per_minute[LIMITS]; /* 0: no limit */
	size_t buckets_max;
	struct bucket *buckets;
};

static const char *const names[LIMITS] = {"none", "login", "signup", "join", "hold"};

struct limits *limits_new(const struct settings *settings, size_t buckets_max)
{
	struct limits *limits = must_calloc(1, sizeof *limits);

	limits->per_minute[LIMIT_LOGIN] = settings->limit_login_per_minute;
	limits->per_minute[LIMIT_SIGNUP] = settings->limit_signup_per_minute;
	limits->per_minute[LIMIT_JOIN] = settings->limit_join_per_minute;
	limits->per_minute[LIMIT_HOLD] = settings->limit_hold_per_minute;
	limits->buckets_max = buckets_max;
	return limits;
}

static void bucket_free(struct limits *limits, struct bucket *bucket)
{
	HASH_DEL(limits->buckets, bucket);
	free(bucket);
}

void limits_free(struct limits *limits)
{
	struct bucket *bucket, *next;

	HASH_ITER (hh, limits->buckets, bucket, next)
		bucket_free(limits, bucket);
	free(limits);
}

bool limits_on(const struct limits *limits, enum limit limit)
{
	return limits->per_minute[limit] > 0;
}

size_t limits_buckets(const struct limits *limits)
{
	return HASH_COUNT(limits->buckets);
}

/* --- whose bucket --- */

enum who { WHO_ADDRESS, WHO_PERSON, WHO_TEXT };

static struct limit_key make_key(enum limit limit, enum who who, const void *bytes, size_t len)
{
	struct limit_key key = {.bytes = {(unsigned char)limit, (unsigned char)who}};

	CHECK(len <= sizeof key.bytes - 2);
	memcpy(key.bytes + 2, bytes, len);
	return key;
}

struct limit_key limit_key_address(enum limit limit, const struct address *address)
{
	struct address part = address_client_part(address);

	return make_key(limit, WHO_ADDRESS, part.bytes, sizeof part.bytes);
}

struct limit_key limit_key_person(enum limit limit, int64_t user_id)
{
	return make_key(limit, WHO_PERSON, &user_id, sizeof user_id);
}

struct limit_key limit_key_text(enum limit limit, const char *text)
{
	char lower[TEXT_KEY_MAX];
	size_t len = 0;

	for (; len < sizeof lower && text[len] != '\0'; len++)
		lower[len] = (char)tolower((unsigned char)text[len]);
	struct digest_part parts[] = {{lower, len}};
	struct digest digest = digest_of(parts, 1);
	return make_key(limit, WHO_TEXT, digest.bytes, sizeof(struct limit_key) - 2);
}

/* --- the buckets --- */

/* The bucket, full where it is new, touched. */
static struct bucket *bucket_touch(
	struct limits *limits, const struct limit_key *key, int64_t quota, uint64_t now_ms)
{
	struct bucket *bucket;

	HASH_FIND(hh, limits->buckets, key, sizeof *key, bucket);
	if (bucket != NULL) {
		HASH_DEL(limits->buckets, bucket);
	} else {
		if (HASH_COUNT(limits->buckets) >= limits->buckets_max)
			bucket_free(limits, limits->buckets);
		bucket = must_calloc(1, sizeof *bucket);
		bucket->key = *key;
		bucket->tokens = (double)quota;
		bucket->filled_ms = now_ms;
	}
	HASH_ADD(hh, limits->buckets, key, sizeof bucket->key, bucket);
	bucket->tokens += (double)(now_ms - bucket->filled_ms) * (double)quota / MINUTE_MS;
	if (bucket->tokens > (double)quota)
		bucket->tokens = (double)quota;
	bucket->filled_ms = now_ms;
	return bucket;
}

/* Whole seconds until a bucket that has `tokens` has `wanted`. */
static int64_t seconds_until(double tokens, double wanted, int64_t quota)
{
	double seconds = (wanted - tokens) * MINUTE_S / (double)quota;
	int64_t whole = (int64_t)seconds;

	return whole + ((double)whole < seconds);
}

static void note(struct limit_state *state, double tokens)
{
	int64_t whole_s = seconds_until(tokens, (double)state->quota, state->quota);

	if ((int64_t)tokens < state->remaining)
		state->remaining = (int64_t)tokens;
	if (whole_s > state->whole_s)
		state->whole_s = whole_s;
	if (tokens < 1) {
		int64_t retry_s = seconds_until(tokens, 1, state->quota);
		if (retry_s > state->retry_s)
			state->retry_s = retry_s;
	}
}

bool limits_take(struct limits *limits, enum limit limit, const struct limit_key *keys,
	size_t count, uint64_t now_ms, struct limit_state *state)
{
	struct bucket *buckets[2];
	bool enough = true;

	CHECK(count <= ARRAY_LEN(buckets) && limits->buckets_max >= count &&
		limits_on(limits, limit));
	*state = (struct limit_state){
		.quota = limits->per_minute[limit], .remaining = limits->per_minute[limit]};
	for (size_t i = 0; i < count; i++) {
		buckets[i] = bucket_touch(limits, &keys[i], state->quota, now_ms);
		enough = enough && buckets[i]->tokens >= 1;
	}
	for (size_t i = 0; i < count; i++) {
		buckets[i]->tokens -= enough;
		note(state, buckets[i]->tokens);
	}
	return enough;
}

void limit_headers(enum limit limit, const struct limit_state *state, bool refused,
	char headers[LIMIT_HEADERS_SIZE])
{
	int len = snprintf(headers, LIMIT_HEADERS_SIZE,
		"RateLimit-Policy: \"%s\";q=%lld;w=60\r\nRateLimit: \"%s\";r=%lld;t=%lld\r\n",
		names[limit], (long long)state->quota, names[limit], (long long)state->remaining,
		(long long)state->whole_s);

	CHECK(len > 0 && len < LIMIT_HEADERS_SIZE);
	if (refused) {
		int more = snprintf(headers + len, LIMIT_HEADERS_SIZE - (size_t)len,
			"Retry-After: %lld\r\n", (long long)state->retry_s);
		CHECK(more > 0 && len + more < LIMIT_HEADERS_SIZE);
	}
}
