/* Digests: BLAKE2b of 16 bytes, over parts that cannot be confused with other parts. */
#include "proto/digest.h"

#include <criterion/criterion.h>
#include <string.h>
#include "proto/base/check.h"

static void expect_hex(const struct digest_part *parts, size_t count, const char *expected)
{
	struct digest digest = digest_of(parts, count);
	char hex[DIGEST_HEX_SIZE];
	digest_hex(&digest, hex);
	cr_expect_str_eq(hex, expected);
}

/* The values are what `b2sum -l 128` gives for the same bytes, prefixes included. */
Test(digest, is_blake2b)
{
	expect_hex(NULL, 0, "cae66941d9efbd404e4d88758ea67670");
	const struct digest_part parts[] = {{"abc", 3}, {"", 0}};
	expect_hex(parts, ARRAY_LEN(parts), "8553b3d37f2d28d727639de9a0e7dae6");
}

Test(digest, tells_lists_of_parts_apart)
{
	const struct digest_part lists[][3] = {
		{{"ab", 2}, {"c", 1}, {"", 0}},
		{{"a", 1}, {"bc", 2}, {"", 0}},
		{{"abc", 3}, {"", 0}, {"", 0}},
		{{"", 0}, {"abc", 3}, {"", 0}},
		{{"", 0}, {"", 0}, {"abc", 3}},
		{{"ab", 2}, {"C", 1}, {"", 0}},
	};
	struct digest digests[ARRAY_LEN(lists)];
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		digests[i] = digest_of(lists[i], 3);
		for (size_t before = 0; before < i; before++)
			cr_expect_neq(memcmp(&digests[i], &digests[before], DIGEST_SIZE), 0);
	}
	struct digest shorter = digest_of(lists[0], 2);
	cr_expect_neq(memcmp(&shorter, &digests[0], DIGEST_SIZE), 0);
}
