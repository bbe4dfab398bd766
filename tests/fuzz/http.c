/* HTTP requests, one after the other as a client may send them. However the bytes are split, the same requests
 * come out; what was accepted keeps the rules of RFC 9112 as its own bytes show them; and a request that is
 * written anew, its body counted or chunked, reads as it was. */
#include "proto/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "proto/base/check.h"
#include "tests/fuzz/fuzz.h"

enum { TOLD_MAX = 16 * 1024 * 1024, REWRITTEN_TARGET_MAX = 7 * 1024 };

static const char *const names[] = {"host", "content-length", "transfer-encoding", "connection",
	"expect", "authorization", "idempotency-key", "x-request-id", "x-queue-token", "cookie"};

/* --- what a request's own bytes show --- */

struct lines {
	unsigned hosts, lengths, encodings;
	size_t length;
};

static bool begins(const char *line, const char *end, const char *name)
{
	return (size_t)(end - line) >= strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

static void check_bytes(const char *head, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)head[i];
		CHECK(byte >= ' ' || byte == '\t' || byte == '\r' || byte == '\n');
		CHECK(byte != 0x7f);
		CHECK(byte != '\r' || (i + 1 < len && head[i + 1] == '\n'));
		CHECK(byte != '\n' || (i > 0 && head[i - 1] == '\r'));
	}
}

/* The lines after the first, up to the empty one. */
static struct lines count_lines(const char *head, const char *end)
{
	struct lines lines = {0};

	for (const char *line = memchr(head, '\n', (size_t)(end - head)); line != NULL;
		line = memchr(line, '\n', (size_t)(end - line))) {
		line++;
		lines.hosts += begins(line, end, "host:");
		lines.encodings += begins(line, end, "transfer-encoding:");
		if (!begins(line, end, "content-length:"))
			continue;
		lines.lengths++;
		lines.length = strtoul(line + strlen("content-length:"), NULL, 10);
	}
	return lines;
}

static void check_raw(const char *raw, size_t len, const struct http_request *request)
{
	while (len > 2 && raw[0] == '\r' && raw[1] == '\n') {
		raw += 2;
		len -= 2;
	}
	const char *end = memmem(raw, len, "\r\n\r\n", 4);
	CHECK(end != NULL);
	end += 4;
	CHECK(end - raw <= HTTP_HEAD_MAX);
	check_bytes(raw, (size_t)(end - raw));
	struct lines lines = count_lines(raw, end);
	CHECK(lines.hosts == 1 || (lines.hosts == 0 && request->http_1_0));
	CHECK(lines.lengths + lines.encodings <= 1);
	CHECK(lines.encodings == 0 || !request->http_1_0);
	if (lines.encodings == 0) {
		CHECK(request->body_len == lines.length);
		CHECK(end + request->body_len == raw + len);
	}
}

/* --- what the parser says of it --- */

static void check_text(const char *text)
{
	for (; *text != '\0'; text++)
		CHECK(((unsigned char)*text >= ' ' || *text == '\t') && *text != 0x7f);
}

static void check_request(const struct http_parser *parser)
{
	const struct http_request *request = http_parser_request(parser);
	bool star = strcmp(request->path, "*") == 0;

	CHECK(request->path[0] == '/' || (star && request->method == HTTP_OPTIONS));
	CHECK(strpbrk(request->path, " \t?#") == NULL && strpbrk(request->query, " \t#") == NULL);
	check_text(request->path);
	check_text(request->query);
	CHECK(request->body_len <= HTTP_BODY_MAX && request->body[request->body_len] == '\0');
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = http_header(parser, names[i]);
		size_t value_len = value != NULL ? strlen(value) : 0;
		if (value_len == 0)
			continue;
		check_text(value);
		/* Where one of several values is empty, what joins them stands at an end. */
		CHECK(strchr(" \t", value[0]) == NULL);
		CHECK(strchr(" \t", value[value_len - 1]) == NULL ||
			(value_len >= 2 && value[value_len - 2] == ','));
	}
}

static void check_query(const char *query)
{
	static const char *const params[] = {"after", "limit", "token", "available"};
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		if (http_query_param(query, params[i], text, sizeof text))
			CHECK(http_query_count(query, params[i]) && strlen(text) < sizeof text);
}

static void tell(struct buf *told, const struct http_parser *parser)
{
	const struct http_request *request = http_parser_request(parser);

	buf_printf(told, "%s %s ? %s\n%d %d\n", http_method_name(request->method), request->path,
		request->query, request->keep_alive, request->http_1_0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = http_header(parser, names[i]);
		if (value != NULL)
			buf_printf(told, "%s: %s\n", names[i], value);
	}
	buf_append(told, request->body, request->body_len);
	buf_append_char(told, '\n');
}

/* --- splits --- */

/* A piece in memory of its own, so that the sanitizer sees a byte read past it. */
static enum http_parse feed(
	struct http_parser *parser, const char *bytes, size_t len, size_t *taken)
{
	char *piece = must_malloc(len);

	memcpy(piece, bytes, len);
	enum http_parse result = http_parser_feed(parser, piece, len, taken);
	free(piece);
	CHECK(*taken <= len);
	CHECK(http_parser_begun(parser));
	if (result != HTTP_MORE)
		return result;
	CHECK(*taken == len);
	if (http_parser_wants_continue(parser))
		CHECK(http_parser_in_body(parser) && !http_parser_wants_continue(parser));
	return result;
}

static size_t piece_len(uint64_t *seed, size_t left)
{
	size_t len = 1 + fuzz_random(seed) % (UINT64_C(1) << fuzz_random(seed) % 8);

	return len < left ? len : left;
}

/* Reads all requests there are; seed 0: in one piece. */
static void read_all(const char *bytes, size_t len, uint64_t seed, struct buf *told)
{
	struct http_parser *parser = http_parser_new();
	enum http_parse result = HTTP_MORE;
	size_t at = 0, start = 0, taken;

	CHECK(parser != NULL);
	while (at < len && (result == HTTP_MORE || result == HTTP_WHOLE)) {
		size_t piece = seed == 0 ? len - at : piece_len(&seed, len - at);
		result = feed(parser, bytes + at, piece, &taken);
		at += taken;
		if (result != HTTP_WHOLE)
			continue;
		const struct http_request *request = http_parser_request(parser);
		check_raw(bytes + start, at - start, request);
		check_request(parser);
		check_query(request->query);
		tell(told, parser);
		http_parser_next(parser);
		start = at;
	}
	buf_printf(told, "%d", (int)result);
	http_parser_free(parser);
}

/* --- written anew --- */

static void write_body(struct buf *out, const char *body, size_t len, uint64_t seed)
{
	if (seed % 2 == 0) {
		buf_printf(out, "Content-Length: %zu\r\n\r\n", len);
		buf_append(out, body, len);
		return;
	}
	buf_append_text(out, "Transfer-Encoding: chunked\r\n\r\n");
	while (len > 0) {
		size_t chunk = piece_len(&seed, len);
		buf_printf(out, "%zx;a=b\r\n", chunk);
		buf_append(out, body, chunk);
		buf_append_text(out, "\r\n");
		body += chunk;
		len -= chunk;
	}
	buf_append_text(out, "0\r\nTrailer: t\r\n\r\n");
}

static void check_same(const struct http_request *request, const struct buf *written)
{
	struct http_parser *parser = http_parser_new();
	size_t taken;

	CHECK(http_parser_feed(parser, written->data, written->len, &taken) == HTTP_WHOLE);
	const struct http_request *again = http_parser_request(parser);
	CHECK(taken == written->len && again->method == request->method);
	CHECK(strcmp(again->path, request->path) == 0 && strcmp(again->query, request->query) == 0);
	CHECK(again->body_len == request->body_len &&
		memcmp(again->body, request->body, request->body_len) == 0);
	http_parser_free(parser);
}

/* The first request alone. */
static void rewrite(const char *bytes, size_t len, uint64_t seed)
{
	struct http_parser *parser = http_parser_new();
	struct buf written = BUF_INIT(TOLD_MAX);
	size_t taken;

	if (http_parser_feed(parser, bytes, len, &taken) == HTTP_WHOLE) {
		const struct http_request *request = http_parser_request(parser);
		if (request->method != HTTP_OTHER &&
			strlen(request->path) + strlen(request->query) < REWRITTEN_TARGET_MAX) {
			buf_printf(&written, "%s %s%s%s HTTP/1.1\r\nHost: a\r\n",
				http_method_name(request->method), request->path,
				request->query[0] != '\0' ? "?" : "", request->query);
			write_body(&written, request->body, request->body_len, seed);
			check_same(request, &written);
		}
	}
	buf_free(&written);
	http_parser_free(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf whole = BUF_INIT(TOLD_MAX), split = BUF_INIT(TOLD_MAX);
	uint64_t seed = fuzz_seed(bytes, len);

	if (len == 0)
		return 0;
	read_all((const char *)bytes, len, 0, &whole);
	read_all((const char *)bytes, len, seed, &split);
	CHECK(!whole.failed && whole.len == split.len &&
		memcmp(whole.data, split.data, whole.len) == 0);
	rewrite((const char *)bytes, len, seed);
	buf_free(&whole);
	buf_free(&split);
	return 0;
}
