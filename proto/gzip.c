/* Weights are kept in thousandths: a q has three decimals at most. */
#include "proto/gzip.h"

#include <string.h>
#include <strings.h>
#include <zlib.h>

enum {
	WHOLE = 1000, /* q=1 */
	UNSAID = -1,
	WINDOW_GZIP = 15 + 16, /* zlib's largest window, with gzip's head and tail */
	MEMORY_LEVEL = 8 /* zlib's default */
};

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* "1", "0.5", "0.125": in thousandths; what is malformed counts as 0. */
static int read_weight(const char *at)
{
	int weight = *at == '1' ? WHOLE : 0, digit = WHOLE / 10;

	if (*at != '0' && *at != '1')
		return 0;
	if (at[1] != '.')
		return weight;
	for (at += 2; *at >= '0' && *at <= '9' && digit > 0; at++, digit /= 10)
		weight += (*at - '0') * digit;
	return weight < WHOLE ? weight : WHOLE;
}

/* One "coding;q=0.5". */
static int element_weight(const char *element, const char *end)
{
	const char *parameter = memchr(element, ';', (size_t)(end - element));

	if (parameter == NULL)
		return WHOLE;
	parameter = skip_blanks(parameter + 1);
	if (strncasecmp(parameter, "q=", 2) != 0)
		return 0;
	return read_weight(parameter + 2);
}

static bool is_coding(const char *element, const char *end, const char *coding)
{
	size_t len = strlen(coding);

	return (size_t)(end - element) >= len && strncasecmp(element, coding, len) == 0 &&
	       (element + len == end || strchr("; \t", element[len]) != NULL);
}

bool gzip_accepted(const char *accept_encoding)
{
	int gzip = UNSAID, identity = UNSAID, others = UNSAID;

	for (const char *at = accept_encoding; at != NULL && *at != '\0';) {
		const char *element = skip_blanks(at), *end = element + strcspn(element, ",");

		if (is_coding(element, end, "gzip") || is_coding(element, end, "x-gzip"))
			gzip = element_weight(element, end);
		else if (is_coding(element, end, "identity"))
			identity = element_weight(element, end);
		else if (is_coding(element, end, "*"))
			others = element_weight(element, end);
		at = *end == ',' ? end + 1 : end;
	}
	if (gzip == UNSAID)
		gzip = others;
	return gzip > 0 && gzip >= identity;
}

bool gzip_write(struct buf *out, const char *bytes, size_t len)
{
	size_t most = len - len / 4;
	z_stream stream = {0};

	char *room = buf_reserve(out, most);
	if (room == NULL || len > UINT32_MAX ||
		deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL,
			Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	stream.next_in = (z_const Bytef *)(uintptr_t)bytes;
	stream.avail_in = (uInt)len;
	stream.next_out = (Bytef *)room;
	stream.avail_out = (uInt)most;
	bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	if (whole) {
		out->len += stream.total_out;
		out->data[out->len] = '\0';
	}
	deflateEnd(&stream);
	return whole;
}
