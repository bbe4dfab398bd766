/* The picture of a line: what it tells of each number is what counting one by one tells. */
#include "queue/picture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 400, FIRST_BYTE = 3 };

static const int64_t start = INT64_C(5) << 37;

static bool bit(const char *bytes, size_t at)
{
	return (unsigned char)bytes[at / 8] >> (7 - at % 8) & 1;
}

static void compare(const struct picture *picture, const char *bytes, size_t len, int64_t older)
{
	int64_t expected = older, ahead;

	for (size_t at = 0; at < 8 * len; at++) {
		bool found = picture_find(picture, start + 8 * FIRST_BYTE + (int64_t)at, &ahead);

		cr_assert_eq(found, bit(bytes, at));
		if (found)
			cr_assert_eq(ahead, expected++);
	}
}

Test(picture, tells_who_waits_and_how_many_are_ahead)
{
	static const size_t lens[] = {0, 1, 7, 8, 63, 64, 65, 128, BYTES_MAX};
	static const unsigned shares[] = {0, 1, 128, 255, 256}; /* of 256 bits, those set */
	char bytes[BYTES_MAX];
	struct picture picture = {0};
	unsigned random = 1;

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
		for (size_t j = 0; j < sizeof shares / sizeof shares[0]; j++) {
			memset(bytes, 0, sizeof bytes);
			for (size_t at = 0; at < 8 * lens[i]; at++)
				if ((unsigned)rand_r(&random) % 256 < shares[j])
					bytes[at / 8] = (char)(bytes[at / 8] | 0x80 >> at % 8);
			picture_take(&picture, start, FIRST_BYTE, bytes, lens[i], (int64_t)j);
			compare(&picture, bytes, lens[i], (int64_t)j);
		}
	picture_drop(&picture);
}

Test(picture, knows_no_numbers_outside_of_it)
{
	struct picture picture = {0};
	int64_t ahead;

	cr_expect_not(picture_find(&picture, start + 1, &ahead), "nothing was taken yet");
	picture_take(&picture, start, FIRST_BYTE, "\xff", 1, 0);
	cr_expect_not(picture_find(&picture, start + 8 * FIRST_BYTE - 1, &ahead));
	cr_expect_not(picture_find(&picture, start + 8 * FIRST_BYTE + 8, &ahead));
	cr_expect_not(picture_find(&picture, start + 100000, &ahead));
	cr_expect_not(picture_find(&picture, INT64_MAX, &ahead));
	cr_expect_not(picture_find(&picture, 0, &ahead));
	picture_forget(&picture, start + 100000);
	picture_drop(&picture);
	cr_expect_not(picture_find(&picture, start + 8 * FIRST_BYTE, &ahead));
}

Test(picture, forgets_who_has_left)
{
	struct picture picture = {0};
	int64_t ahead, first = start + 8 * FIRST_BYTE;

	picture_take(&picture, start, FIRST_BYTE, "\xff", 1, 0);
	picture_forget(&picture, first + 2);
	cr_expect_not(picture_find(&picture, first + 2, &ahead));
	cr_expect(picture_find(&picture, first + 1, &ahead) && ahead == 1);
	picture_drop(&picture);
}
