/* The byte buffer: its limit, its sticky failure, its NUL. */
#include "proto/base/buf.h"

#include <criterion/criterion.h>
#include <string.h>

Test(buf, appends_of_every_kind)
{
	struct buf buf = BUF_INIT(1000);
	buf_append(&buf, "a\0b", 3);
	buf_append_text(&buf, "text");
	buf_append_char(&buf, '!');
	buf_append_i64(&buf, 0);
	buf_append_i64(&buf, -1);
	buf_append_i64(&buf, INT64_MAX);
	buf_append_i64(&buf, INT64_MIN);
	buf_printf(&buf, "[%s %d]", "x", 7);
	buf_printf(&buf, "%s", "");
	static const char expected[] = "a\0btext!0-19223372036854775807-9223372036854775808[x 7]";
	cr_assert_eq(buf.len, sizeof(expected) - 1);
	cr_expect_arr_eq(buf.data, expected, sizeof(expected));
	cr_expect(!buf.failed);
	buf_free(&buf);
}

Test(buf, fails_past_its_limit_and_stays_so)
{
	struct buf buf = BUF_INIT(5);
	buf_append_text(&buf, "12345");
	cr_expect(!buf.failed && buf.len == 5, "exactly the limit fits");
	buf_append(&buf, "", 0);
	cr_expect(!buf.failed);
	buf_append_char(&buf, '6');
	cr_expect(buf.failed);
	cr_expect_str_eq(buf.data, "12345");
	buf_clear(&buf);
	cr_expect(!buf.failed && buf.len == 0);
	buf_append_text(&buf, "123456");
	buf_append_text(&buf, "1");
	cr_expect(buf.failed && buf.len == 0, "nothing is appended after a failure");
	buf_clear(&buf);
	buf_printf(&buf, "%d", 123456);
	cr_expect(buf.failed && buf.len == 0);
	buf_clear(&buf);
	buf_printf(&buf, "%d", 12345);
	cr_expect_str_eq(buf.data, "12345");
	buf_free(&buf);
	cr_expect(buf.data == NULL && buf.len == 0 && buf.cap == 0 && buf.limit == 5);
}

Test(buf, zeroed_takes_nothing)
{
	struct buf buf = {0};
	buf_append(&buf, "", 0);
	cr_expect(!buf.failed);
	buf_append_char(&buf, 'a');
	cr_expect(buf.failed);
	buf_free(&buf);
}

Test(buf, grows_to_its_limit)
{
	enum { LIMIT = 100001 };
	struct buf buf = BUF_INIT(LIMIT);
	for (size_t i = 0; i < LIMIT; i++) {
		buf_append_char(&buf, (char)('a' + i % 26));
		cr_assert(buf.cap <= LIMIT && buf.len <= buf.cap);
		cr_assert_eq(buf.data[buf.len], '\0');
	}
	for (size_t i = 0; i < LIMIT; i++)
		cr_assert_eq(buf.data[i], (char)('a' + i % 26));
	cr_expect(!buf.failed);
	buf_append_char(&buf, 'a');
	cr_expect(buf.failed);
	buf_free(&buf);
}

Test(buf, reserves_within_its_limit)
{
	struct buf buf = BUF_INIT(10);
	cr_expect_not_null(buf_reserve(&buf, 0));
	char *room = buf_reserve(&buf, 10);
	cr_assert_not_null(room);
	memcpy(room, "0123456789", 10);
	buf.len += 10;
	cr_expect_null(buf_reserve(&buf, 1));
	cr_expect_null(buf_reserve(&buf, SIZE_MAX));
	cr_expect(!buf.failed, "asking is not failing");
	buf_drop(&buf, 4);
	cr_expect_str_eq(buf.data, "456789");
	buf_drop(&buf, 0);
	buf_drop(&buf, 6);
	cr_expect_str_eq(buf.data, "");
	cr_expect_eq(buf.len, 0);
	buf_free(&buf);
}
