/* What clients take, and what they get. */
#include "proto/gzip.h"

#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>

Test(gzip, is_accepted)
{
	static const char *const yes[] = {"gzip", "GZip", "x-gzip", "gzip, deflate, br",
		"br,gzip;q=0.5", "*", "deflate;q=0.9, *;q=0.1", "gzip;q=1.000", " gzip ; q=0.001",
		"identity;q=0.5, gzip", "identity;q=0, *"};
	static const char *const no[] = {"", "identity", "br", "gzip;q=0", "gzip;q=0.000",
		"gzipped", "*;q=0", "*, gzip;q=0", "gzip;q=0.5, identity", "gzip;q=x",
		"gzip;level=9", ",,", ";q=1"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		cr_expect(gzip_accepted(yes[i]), "'%s'", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		cr_expect(!gzip_accepted(no[i]), "'%s'", no[i]);
	cr_expect(!gzip_accepted(NULL));
}

Test(gzip, gives_the_same_bytes_back)
{
	static char bytes[100000], back[sizeof bytes + 1];
	struct buf out = BUF_INIT(sizeof bytes);
	z_stream stream = {0};

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = "seats"[i % 5 + (i % 97 == 0 && i % 5 < 4)];
	buf_append_text(&out, "before");
	cr_assert(gzip_write(&out, bytes, sizeof bytes) && out.len < sizeof bytes / 10);
	buf_drop(&out, strlen("before"));
	cr_assert(inflateInit2(&stream, 15 + 16) == Z_OK);
	stream.next_in = (Bytef *)out.data;
	stream.avail_in = (uInt)out.len;
	stream.next_out = (Bytef *)back;
	stream.avail_out = sizeof back;
	cr_assert(inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == sizeof bytes);
	cr_expect(memcmp(back, bytes, sizeof bytes) == 0);
	inflateEnd(&stream);
	buf_free(&out);
}

Test(gzip, is_left_where_it_does_not_pay)
{
	static char noise[4096], same[4096];
	struct buf out = BUF_INIT(sizeof noise), small = BUF_INIT(16);
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof noise; i++) {
		state = state * 1664525 + 1013904223;
		noise[i] = (char)(state >> 24);
	}
	cr_expect(!gzip_write(&out, noise, sizeof noise) && out.len == 0);
	cr_expect(!gzip_write(&out, "", 0) && out.len == 0);
	cr_expect(!gzip_write(&small, same, sizeof same) && small.len == 0);
	buf_free(&out);
	buf_free(&small);
}
