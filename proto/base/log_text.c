/* How a line's bytes are spelled. */
#include "proto/base/log_text.h"

#include "proto/base/check.h"

enum { ESCAPED_MAX_BYTES = 8, DIGITS_MAX = 20 };

static const char hex[] = "0123456789abcdef";

void log_text_number(struct log_text *text, uint64_t number)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	log_text_put(text, digits + at, sizeof digits - at);
}

/* C0, DEL, or a byte of a C1 character as UTF-8 spells it (C2 80 to C2 9F). before and after: the
 * bytes next to it, or 0. */
static bool is_control(unsigned char before, unsigned char byte, unsigned char after)
{
	bool ends_c1 = before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
	bool begins_c1 = byte == 0xc2 && after >= 0x80 && after <= 0x9f;
	return byte < 0x20 || byte == 0x7f || begins_c1 || ends_c1;
}

static size_t escape_byte(unsigned char byte, char out[ESCAPED_MAX_BYTES])
{
	const char *letters = byte == '\n'   ? "\\n"
			      : byte == '\r' ? "\\r"
			      : byte == '\t' ? "\\t"
					     : NULL;
	if (letters != NULL) {
		memcpy(out, letters, 2);
		return 2;
	}
	memcpy(out, "\\x", 2);
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 0xf];
	return 4;
}

void log_text_escaped(struct log_text *text, const char *bytes, size_t len)
{
	unsigned char before = 0;

	for (size_t i = 0; i < len && !text->cut; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		unsigned char after = i + 1 < len ? (unsigned char)bytes[i + 1] : 0;
		char escaped[ESCAPED_MAX_BYTES] = {(char)byte};
		size_t size = is_control(before, byte, after) ? escape_byte(byte, escaped) : 1;

		log_text_put(text, escaped, size);
		before = byte;
	}
}

/* --- JSON --- */

/* How many bytes the character has that begins here; 0: they are not UTF-8 (RFC 3629). */
static size_t utf8_size(const unsigned char *bytes, size_t left)
{
	/* What the second byte may be is all that tells overlong forms, surrogates and what is past U+10FFFF. */
	unsigned char first = bytes[0],
		      least = first == 0xe0   ? 0xa0
			      : first == 0xf0 ? 0x90
					      : 0x80,
		      most = first == 0xed   ? 0x9f
			     : first == 0xf4 ? 0x8f
					     : 0xbf;
	size_t size = first < 0x80   ? 1
		      : first < 0xc2 ? 0
		      : first < 0xe0 ? 2
		      : first < 0xf0 ? 3
		      : first < 0xf5 ? 4
				     : 0;

	if (size > left || (size > 1 && (bytes[1] < least || bytes[1] > most)))
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

/* "\u001b". code: at most U+00FF. */
static size_t escape_code(unsigned code, char out[ESCAPED_MAX_BYTES])
{
	memcpy(out, "\\u00", 4);
	out[4] = hex[code >> 4];
	out[5] = hex[code & 0xf];
	return 6;
}

static size_t escape_character(const unsigned char *bytes, size_t size, char out[ESCAPED_MAX_BYTES])
{
	if (size == 0) {
		memcpy(out, "\\ufffd", 6);
		return 6;
	}
	if (*bytes == '"' || *bytes == '\\') {
		out[0] = '\\';
		out[1] = (char)*bytes;
		return 2;
	}
	if (size == 1 && is_control(0, *bytes, 0))
		return escape_code(*bytes, out);
	if (size == 2 && is_control(0, bytes[0], bytes[1]))
		return escape_code(bytes[1], out);
	memcpy(out, bytes, size);
	return size;
}

void log_text_json(struct log_text *text, const char *bytes, size_t len)
{
	const unsigned char *from = (const unsigned char *)bytes;

	for (size_t i = 0; i < len && !text->cut;) {
		char escaped[ESCAPED_MAX_BYTES];
		size_t size = utf8_size(from + i, len - i);
		size_t spelled = escape_character(from + i, size, escaped);

		log_text_put(text, escaped, spelled);
		i += size > 0 ? size : 1;
	}
}

void log_text_end(struct log_text *text, const char *end)
{
	const char *parts[] = {text->cut ? "..." : "", end, "\n"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t len = strlen(parts[i]);
		memcpy(text->bytes + text->len, parts[i], len);
		text->len += len;
	}
}
