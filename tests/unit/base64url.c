/* base64url: the RFC's vectors, every length, and each way in which a text is not one. */
#include "proto/base/base64url.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

/* RFC 4648, 10, without their padding. */
Test(base64url, vectors)
{
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
		{"\xfb\xff", "-_8"}};

	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const char *plain = vectors[i][0], *coded = vectors[i][1];
		char text[16];
		uint8_t bytes[16];
		size_t len;

		base64url_encode((const uint8_t *)plain, strlen(plain), text);
		cr_expect_str_eq(text, coded);
		cr_expect(base64url_decode(coded, strlen(coded), bytes, sizeof bytes, &len));
		cr_expect(len == strlen(plain) && memcmp(bytes, plain, len) == 0, "%s", coded);
	}
}

/* libsodium's encoder, which is another's, writes the same. */
Test(base64url, any_bytes_of_any_length)
{
	for (size_t size = 0; size < 200; size++) {
		uint8_t bytes[200], back[200];
		char text[300], theirs[300];
		size_t len;

		randombytes_buf(bytes, size);
		base64url_encode(bytes, size, text);
		sodium_bin2base64(theirs, sizeof theirs, bytes, size,
			sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		cr_assert_str_eq(text, theirs);
		cr_assert_eq(strlen(text), BASE64URL_LEN(size));
		cr_assert(base64url_decode(text, strlen(text), back, size, &len));
		cr_assert(len == size && memcmp(back, bytes, size) == 0);
		cr_assert(size == 0 || !base64url_decode(text, strlen(text), back, size - 1, &len),
			"there is no room");
	}
}

Test(base64url, refuses_what_is_not_one)
{
	uint8_t bytes[8];
	size_t len;

	for (int byte = 0; byte < 256; byte++) {
		char text[] = {'A', (char)byte, 'A', 'A'};
		bool digit = byte != 0 &&
			     strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_",
				     byte) != NULL;
		cr_expect_eq(base64url_decode(text, 4, bytes, sizeof bytes, &len), digit, "byte %d",
			byte);
	}
	cr_expect_not(base64url_decode("A", 1, bytes, sizeof bytes, &len), "no byte has one digit");
	cr_expect_not(base64url_decode("AAAAA", 5, bytes, sizeof bytes, &len));
	cr_expect_not(base64url_decode("Zh", 2, bytes, sizeof bytes, &len), "unused bits are set");
	cr_expect_not(base64url_decode("Zm9", 3, bytes, sizeof bytes, &len));
	cr_expect_not(base64url_decode("Zg==", 4, bytes, sizeof bytes, &len), "padding");
}
