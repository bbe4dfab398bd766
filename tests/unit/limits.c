/* Token buckets, on a clock of the test's. */
#include "server/limits.h"

#include <criterion/criterion.h>
#include <string.h>
#include "config/settings.h"
#include "proto/address.h"

static const struct settings settings = {.limit_login_per_minute = 6, .limit_hold_per_minute = 60};

static bool take(struct limits *limits, int64_t user_id, uint64_t now_ms, struct limit_state *state)
{
	struct limit_key key = limit_key_person(LIMIT_LOGIN, user_id);

	return limits_take(limits, LIMIT_LOGIN, &key, 1, now_ms, state);
}

Test(limits, fill_evenly)
{
	struct limits *limits = limits_new(&settings, 10);
	struct limit_state state;

	cr_assert(limits_on(limits, LIMIT_LOGIN) && !limits_on(limits, LIMIT_JOIN));
	for (int64_t left = 5; left >= 0; left--) {
		cr_assert(take(limits, 1, 1000, &state));
		cr_expect(state.quota == 6 && state.remaining == left &&
			  state.whole_s == 10 * (6 - left));
	}
	cr_expect(!take(limits, 1, 1000, &state));
	cr_expect(state.remaining == 0 && state.retry_s == 10 && state.whole_s == 60);
	cr_expect(!take(limits, 1, 10999, &state) && state.retry_s == 1);
	cr_expect(take(limits, 1, 11000, &state));
	cr_expect(!take(limits, 1, 11000, &state));
	for (int i = 0; i < 6; i++) /* a minute's worth and no more, however long it was */
		cr_expect(take(limits, 1, 10000000, &state));
	cr_expect(!take(limits, 1, 10000000, &state));
	cr_expect(take(limits, 2, 1000, &state), "somebody else's");
	limits_free(limits);
}

/* Two buckets: where one is empty the other loses nothing. */
Test(limits, take_from_both_or_none)
{
	struct limits *limits = limits_new(&settings, 10);
	struct address address = {.bytes = {1}};
	struct limit_key keys[] = {
		limit_key_address(LIMIT_LOGIN, &address), limit_key_person(LIMIT_LOGIN, 1)};
	struct limit_state state;

	for (int i = 0; i < 6; i++)
		cr_assert(take(limits, 1, 0, &state));
	cr_expect(!limits_take(limits, LIMIT_LOGIN, keys, 2, 0, &state));
	cr_expect(state.remaining == 0 && state.retry_s == 10);
	for (int i = 0; i < 6; i++)
		cr_expect(limits_take(limits, LIMIT_LOGIN, keys, 1, 0, &state));
	cr_expect(!limits_take(limits, LIMIT_LOGIN, keys, 1, 0, &state));
	limits_free(limits);
}

Test(limits, forget_who_came_longest_ago)
{
	struct limits *limits = limits_new(&settings, 3);
	struct limit_state state;

	for (int i = 0; i < 6; i++)
		take(limits, 1, 0, &state);
	take(limits, 2, 0, &state);
	take(limits, 3, 0, &state);
	cr_expect(!take(limits, 1, 0, &state)); /* touched: now 2 is the oldest */
	take(limits, 4, 0, &state);
	cr_expect_eq(limits_buckets(limits), 3);
	cr_expect(!take(limits, 1, 0, &state));
	cr_assert(take(limits, 2, 0, &state));
	cr_expect_eq(state.remaining, 5, "it was forgotten");
	limits_free(limits);
}

static bool same(struct limit_key left, struct limit_key right)
{
	return memcmp(&left, &right, sizeof left) == 0;
}

Test(limits, keys)
{
	struct address address = {.bytes = {0x20, 1}}, neighbour = {.bytes = {0x20, 1, [15] = 9}};

	cr_expect(same(limit_key_text(LIMIT_LOGIN, "A@b.C"), limit_key_text(LIMIT_LOGIN, "a@B.c")));
	cr_expect(
		!same(limit_key_text(LIMIT_LOGIN, "a@b.c"), limit_key_text(LIMIT_LOGIN, "a@b.d")));
	cr_expect(!same(limit_key_person(LIMIT_LOGIN, 1), limit_key_person(LIMIT_HOLD, 1)));
	cr_expect(!same(limit_key_person(LIMIT_HOLD, 1), limit_key_person(LIMIT_HOLD, 2)));
	cr_expect(same(limit_key_address(LIMIT_HOLD, &address),
		limit_key_address(LIMIT_HOLD, &neighbour)));
}

Test(limits, headers)
{
	char headers[LIMIT_HEADERS_SIZE];
	struct limit_state state = {60, 12, 48, 0};

	limit_headers(LIMIT_HOLD, &state, false, headers);
	cr_expect_str_eq(headers,
		"RateLimit-Policy: \"hold\";q=60;w=60\r\nRateLimit: \"hold\";r=12;t=48\r\n");
	state = (struct limit_state){1000000, 0, 60, 60};
	limit_headers(LIMIT_SIGNUP, &state, true, headers);
	cr_expect_str_eq(headers, "RateLimit-Policy: \"signup\";q=1000000;w=60\r\n"
				  "RateLimit: \"signup\";r=0;t=60\r\nRetry-After: 60\r\n");
}
