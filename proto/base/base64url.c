#include "proto/base/base64url.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { NONE = 64 };

/* By the digit's byte, from '-' to 'z': its value; NONE for the others. */
static const uint8_t values['z' - '-' + 1] = {62, NONE, NONE, 52, 53, 54, 55, 56, 57, 58, 59, 60,
	61, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NONE, NONE, NONE, NONE, 63, NONE, 26, 27,
	28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
	51};

static unsigned value_of(char digit)
{
	return digit >= '-' && digit <= 'z' ? values[digit - '-'] : NONE;
}

void base64url_encode(const uint8_t *bytes, size_t len, char *text)
{
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*text++ = digits[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*text++ = digits[bits << (6 - held) & 63];
	*text = '\0';
}

bool base64url_decode(const char *text, size_t text_len, uint8_t *bytes, size_t size, size_t *len)
{
	unsigned bits = 0, held = 0;

	*len = 0;
	for (size_t i = 0; i < text_len; i++) {
		unsigned value = value_of(text[i]);

		if (value == NONE)
			return false;
		bits = bits << 6 | value;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (*len == size)
			return false;
		bytes[(*len)++] = (uint8_t)(bits >> held);
	}
	return held < 6 && (bits & ((1u << held) - 1)) == 0;
}
