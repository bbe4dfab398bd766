/* X-Forwarded-For is read from its end: each trusted proxy has appended whom it spoke to. */
#include "proto/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { V4_BITS_BEFORE = 96, TEXT_MAX = 64 };

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct address address_from_v4(const void *bytes)
{
	struct address address;

	memcpy(address.bytes, mapped, sizeof mapped);
	memcpy(address.bytes + sizeof mapped, bytes, 4);
	return address;
}

struct address address_from_v6(const void *bytes)
{
	struct address address;

	memcpy(address.bytes, bytes, sizeof address.bytes);
	return address;
}

static bool is_v4(const struct address *address)
{
	return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

/* By hand: inet_ntop takes ten times as long, which every line of the log would pay. */
static void write_v4(const unsigned char bytes[4], char *text)
{
	for (int i = 0; i < 4; i++) {
		if (bytes[i] >= 100)
			*text++ = (char)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			*text++ = (char)('0' + bytes[i] / 10 % 10);
		*text++ = (char)('0' + bytes[i] % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

const char *address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	if (!is_v4(address))
		return inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_SIZE);
	write_v4(address->bytes + sizeof mapped, text);
	return text;
}

/* An address and nothing else. */
static bool parse_plain(const char *text, size_t len, struct address *address)
{
	unsigned char bytes[16];
	char copy[TEXT_MAX];

	if (len == 0 || len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, bytes) == 1)
		*address = address_from_v4(bytes);
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		*address = address_from_v6(bytes);
	else
		return false;
	return true;
}

bool address_parse(const char *text, size_t len, struct address *address)
{
	const char *colon = memchr(text, ':', len);

	if (len > 0 && text[0] == '[') {
		const char *end = memchr(text, ']', len);
		return end != NULL && (end + 1 == text + len || end[1] == ':') &&
		       parse_plain(text + 1, (size_t)(end - text) - 1, address);
	}
	if (colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL)
		len = (size_t)(colon - text); /* IPv4 and a port: IPv6 has two colons at least */
	return parse_plain(text, len, address);
}

struct address address_client_part(const struct address *address)
{
	struct address part = *address;

	if (!is_v4(address))
		memset(part.bytes + 8, 0, 8);
	return part;
}

/* --- networks --- */

static void trim(const char **text, size_t *len)
{
	while (*len > 0 && strchr(" \t", **text) != NULL) {
		++*text;
		--*len;
	}
	while (*len > 0 && strchr(" \t", (*text)[*len - 1]) != NULL)
		--*len;
}

/* Up to three digits. */
static bool parse_bits(const char *text, size_t len, unsigned max, unsigned *bits)
{
	unsigned value = 0;

	if (len == 0 || len > 3)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*bits = value;
	return value <= max;
}

static bool parse_network(const char *text, size_t len, struct address *address, unsigned *bits)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash != NULL ? (size_t)(slash - text) : len;

	if (!parse_plain(text, address_len, address))
		return false;
	unsigned before = is_v4(address) ? V4_BITS_BEFORE : 0;
	*bits = 128 - before;
	if (slash != NULL && !parse_bits(slash + 1, len - address_len - 1, 128 - before, bits))
		return false;
	*bits += before;
	return true;
}

bool networks_parse(const char *text, struct networks *networks)
{
	networks->count = 0;
	if (text[strspn(text, " \t")] == '\0')
		return true;
	for (const char *end = text;; text = end + 1) {
		end = text + strcspn(text, ",");
		const char *element = text;
		size_t len = (size_t)(end - text);

		trim(&element, &len);
		if (networks->count == NETWORKS_MAX ||
			!parse_network(element, len, &networks->list[networks->count].address,
				&networks->list[networks->count].bits))
			return false;
		networks->count++;
		if (*end == '\0')
			return true;
	}
}

static bool same_bits(const struct address *left, const struct address *right, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(left->bytes, right->bytes, whole) != 0)
		return false;
	return rest == 0 || (left->bytes[whole] ^ right->bytes[whole]) >> (8 - rest) == 0;
}

bool networks_have(const struct networks *networks, const struct address *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (same_bits(&networks->list[i].address, address, networks->list[i].bits))
			return true;
	return false;
}

struct address forwarded_client(
	const struct networks *trusted, const struct address *peer, const char *x_forwarded_for)
{
	struct address client = *peer;
	size_t left = x_forwarded_for != NULL ? strlen(x_forwarded_for) : 0;

	while (left > 0 && networks_have(trusted, &client)) {
		size_t begin = left;
		while (begin > 0 && x_forwarded_for[begin - 1] != ',')
			begin--;
		const char *element = x_forwarded_for + begin;
		size_t len = left - begin;

		trim(&element, &len);
		if (!address_parse(element, len, &client))
			break; /* the last good one stays */
		left = begin > 0 ? begin - 1 : 0;
	}
	return client;
}
