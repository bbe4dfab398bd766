/* The HTTP parser: what it accepts, what it refuses, and that neither depends on how the bytes were
 * cut. Each case of the tables is fed whole, split in two at every place, and byte by byte. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/http.h"

#define HOST "Host: a\r\n"

/* Feeds bytes[from…to) as one piece; what was not taken must be what follows a whole request. */
static enum http_parse feed(
	struct http_parser *parser, const char *bytes, size_t len, size_t *taken)
{
	/* A copy of its own size, so that the sanitizer sees a read past it. */
	char *piece = must_malloc(len);
	memcpy(piece, bytes, len);
	enum http_parse result = http_parser_feed(parser, piece, len, taken);
	free(piece);
	if (result == HTTP_MORE)
		cr_assert_eq(*taken, len, "HTTP_MORE takes everything");
	return result;
}

/* Feeds in pieces of at most `step` bytes after a first one of `first` bytes. */
static enum http_parse feed_cut(struct http_parser *parser, const char *bytes, size_t len,
	size_t first, size_t step, size_t *taken)
{
	enum http_parse result = HTTP_MORE;
	*taken = 0;
	while (*taken < len && result == HTTP_MORE) {
		size_t size = *taken == 0 ? first : step, piece_taken;
		if (size > len - *taken)
			size = len - *taken;
		result = feed(parser, bytes + *taken, size, &piece_taken);
		*taken += piece_taken;
	}
	return result;
}

/* Whether the bytes, cut so, give what is expected; says what they gave where not. */
static bool expect_cut(const char *bytes, size_t len, size_t first, size_t step,
	enum http_parse expected, size_t expected_taken)
{
	struct http_parser *parser = http_parser_new();
	size_t taken;
	enum http_parse result = feed_cut(parser, bytes, len, first, step, &taken);
	http_parser_free(parser);
	bool right = result == expected && (result != HTTP_WHOLE || taken == expected_taken);
	cr_expect(right, "%d with %zu bytes taken, not %d with %zu, cut at %zu then %zu: %.*s",
		(int)result, taken, (int)expected, expected_taken, first, step,
		(int)(len < 300 ? len : 300), bytes);
	return right;
}

/* rest: bytes at the end that are not the request's. Stops at the first cut that goes wrong. */
static void expect(const char *bytes, size_t len, enum http_parse expected, size_t rest)
{
	if (!expect_cut(bytes, len, 1, 1, expected, len - rest))
		return;
	for (size_t first = 1; first <= len; first++)
		if (!expect_cut(bytes, len, first, len, expected, len - rest))
			return;
}

struct example {
	const char *bytes;
	size_t len;
};

#define EXAMPLE(text) \
	{ \
		text, sizeof(text) - 1 \
	}

Test(http, accepts)
{
	static const struct example whole[] = {
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nhOsT:a.example:8080\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.0\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n"),
		EXAMPLE("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET http://a/b?c HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET HTTPS://a HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("PATCH / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("PROPFIND / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X:\r\nY: \t \r\nZ: a\tb\xc3\xa9\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST "Content-Length: \t 003 \r\n\r\nabc"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST
			"Connection: close\r\nContent-Length: 3\r\n\r\nabc"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST
			"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST
			"Transfer-Encoding: CHUNKED\r\n\r\n01\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST
			"Transfer-Encoding: chunked\r\n\r\n1;x=\"y\"\r\na\r\n0\r\nTrailer: b\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		EXAMPLE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			"000\r\nContent-Length: 3\r\nTransfer-Encoding: x\r\n\r\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		expect(whole[i].bytes, whole[i].len, HTTP_WHOLE, 0);
		/* The same with another request, or with rubbish, behind it: nothing of it is taken. */
		static const char *const behind[] = {"GET /next HTTP/1.1\r\n", "\r\n", "\0\n", "x"};
		for (size_t b = 0; b < ARRAY_LEN(behind); b++) {
			char both[512];
			size_t rest = behind[b][0] == '\0' ? 2 : strlen(behind[b]);
			memcpy(both, whole[i].bytes, whole[i].len);
			memcpy(both + whole[i].len, behind[b], rest);
			expect(both, whole[i].len + rest, HTTP_WHOLE, rest);
		}
		for (size_t len = 1; len < whole[i].len; len++)
			expect_cut(whole[i].bytes, len, len, len, HTTP_MORE, 0);
	}
}

Test(http, refuses_request_lines)
{
	static const struct example bad[] = {
		EXAMPLE(" GET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET  / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /  HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.1 \r\n" HOST "\r\n"),
		EXAMPLE("GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /a b HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /\ta HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /a\x01 HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /a\x7f HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET /\r\n" HOST "\r\n"),
		EXAMPLE("GET / \r\n" HOST "\r\n"),
		EXAMPLE("GET / http/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.10\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/11\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/x.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / XTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("get / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("G@T / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("BREW / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("QUERY / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("DESCRIBE / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET a HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET * HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET http:///a HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET http://user@a/ HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.1\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.1\r" HOST "\r\n"),
		EXAMPLE("\nGET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("\rGET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("\r\n\r\n GET / HTTP/1.1\r\n" HOST "\r\n"),
		EXAMPLE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].bytes, bad[i].len, HTTP_BAD, 0);
}

Test(http, refuses_headers)
{
	static const struct example bad[] = {
		EXAMPLE("GET / HTTP/1.1\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.0\r\n" HOST "host: b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X:\r\n a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST " \r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X(: a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X\xc3: a\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "\n"),
		EXAMPLE("GET / HTTP/1.1\r\n" HOST "\rx"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].bytes, bad[i].len, HTTP_BAD, 0);
}

#define POST_WITH(headers) EXAMPLE("POST / HTTP/1.1\r\n" HOST headers "\r\nabc")

Test(http, refuses_framing)
{
	static const struct example bad[] = {
		POST_WITH("Content-Length: 3\r\nContent-Length: 3\r\n"),
		POST_WITH("Content-Length: 3\r\nContent-Length: 4\r\n"),
		POST_WITH("Content-Length: 3, 3\r\n"),
		POST_WITH("Content-Length: 3,4\r\n"),
		POST_WITH("Content-Length: 3 3\r\n"),
		POST_WITH("Content-Length: +3\r\n"),
		POST_WITH("Content-Length: -3\r\n"),
		POST_WITH("Content-Length: 0x3\r\n"),
		POST_WITH("Content-Length: 3.0\r\n"),
		POST_WITH("Content-Length: three\r\n"),
		POST_WITH("Content-Length:\r\n"),
		POST_WITH("Content-Length : 3\r\n"),
		POST_WITH("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
		POST_WITH("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
		POST_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
		POST_WITH("Transfer-Encoding: identity\r\n"),
		POST_WITH("Transfer-Encoding:\r\n"),
		POST_WITH("Transfer-Encoding: gzip, chunked\r\n"),
		POST_WITH("Transfer-Encoding: chunked, gzip\r\n"),
		POST_WITH("Transfer-Encoding: chunked, chunked\r\n"),
		POST_WITH("Transfer-Encoding: xchunked\r\n"),
		POST_WITH("Transfer-Encoding: chunkedx\r\n"),
		POST_WITH("Transfer-Encoding: \"chunked\"\r\n"),
		POST_WITH("Transfer-Encoding: chunked;a=b\r\n"),
		EXAMPLE("POST / HTTP/1.0\r\n" HOST
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
		EXAMPLE("CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
		EXAMPLE("CONNECT a:1 HTTP/1.1\r\n" HOST
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].bytes, bad[i].len, HTTP_BAD, 0);
}

#define CHUNKED(body) EXAMPLE("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n" body)

Test(http, refuses_chunks)
{
	static const struct example bad[] = {
		CHUNKED("x\r\n"),
		CHUNKED("\r\n0\r\n\r\n"),
		CHUNKED("-1\r\n"),
		CHUNKED("+1\r\na\r\n0\r\n\r\n"),
		CHUNKED("0x1\r\na\r\n0\r\n\r\n"),
		CHUNKED(" 1\r\na\r\n0\r\n\r\n"),
		CHUNKED("1 \r\na\r\n0\r\n\r\n"),
		CHUNKED("1\na\r\n0\r\n\r\n"),
		CHUNKED("1\ra\r\n0\r\n\r\n"),
		CHUNKED("1\r\na\n0\r\n\r\n"),
		CHUNKED("1\r\nab\r\n0\r\n\r\n"),
		CHUNKED("1\r\na0\r\n\r\n"),
		CHUNKED("1\r\na\r\n0\n\r\n"),
		CHUNKED("1\r\na\r\n0\r\n\n"),
		CHUNKED("1\r\na\r\n0\r\n\rx"),
		CHUNKED("1;a\nb\r\na\r\n0\r\n\r\n"),
		CHUNKED("1;a\rb\r\na\r\n0\r\n\r\n"),
		CHUNKED("1;a\x01\r\na\r\n0\r\n\r\n"),
		CHUNKED("0\r\nTrailer : b\r\n\r\n"),
		CHUNKED("0\r\nTrailer: b\n\r\n"),
		CHUNKED("0\r\nTrailer: b\rc\r\n\r\n"),
		CHUNKED("0\r\nTrailer: b\0\r\n\r\n"),
		CHUNKED("0\r\n: b\r\n\r\n"),
		CHUNKED("0\r\nTrailer: b\r\n c\r\n\r\n"),
		CHUNKED("0\r\nTrailer\r\n\r\n"),
		CHUNKED("0\r\nTra iler: b\r\n\r\n"),
		CHUNKED(";a\r\n"),
		CHUNKED("1\r\na\r\n\r\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].bytes, bad[i].len, HTTP_BAD, 0);
}

Test(http, refuses_versions)
{
	static const struct example bad[] = {
		EXAMPLE("GET / HTTP/0.9\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/1.2\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/2.0\r\n" HOST "\r\n"),
		EXAMPLE("GET / HTTP/3.1\r\n" HOST "\r\n"),
		EXAMPLE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].bytes, bad[i].len, HTTP_BAD_VERSION, 0);
}

/* A head of exactly `len` bytes. */
static void head_of(struct buf *head, size_t len)
{
	static const char start[] = "GET / HTTP/1.1\r\n" HOST "X: ", end[] = "\r\n\r\n";
	buf_append(head, start, sizeof(start) - 1);
	while (head->len < len - (sizeof(end) - 1))
		buf_append_char(head, 'x');
	buf_append(head, end, sizeof(end) - 1);
}

static void expect_sampled(const struct buf *bytes, enum http_parse expected)
{
	static const size_t steps[] = {1, 2, 7, 511, 4096, 8191, 8192, 70000};
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		expect_cut(bytes->data, bytes->len, steps[i], steps[i], expected, bytes->len);
}

Test(http, limits_the_head)
{
	struct buf head = BUF_INIT(4 * HTTP_HEAD_MAX);
	head_of(&head, HTTP_HEAD_MAX);
	expect_sampled(&head, HTTP_WHOLE);
	buf_clear(&head);
	head_of(&head, HTTP_HEAD_MAX + 1);
	expect_sampled(&head, HTTP_HEAD_TOO_LARGE);
	buf_clear(&head);
	for (int i = 0; i < HTTP_HEAD_MAX / 2 - 1; i++)
		buf_append_text(&head, "\r\n");
	head_of(&head, head.len + 64);
	expect_sampled(&head, HTTP_HEAD_TOO_LARGE);
	buf_clear(&head);
	for (int i = 0; i < HTTP_HEAD_MAX; i++)
		buf_append_text(&head, "\r\n");
	expect_sampled(&head, HTTP_HEAD_TOO_LARGE);
	buf_free(&head);
}

Test(http, limits_the_headers)
{
	for (int count = HTTP_HEADERS_MAX - 1; count <= HTTP_HEADERS_MAX; count++) {
		struct buf head = BUF_INIT(HTTP_HEAD_MAX);
		buf_append_text(&head, "GET / HTTP/1.1\r\n" HOST);
		for (int i = 0; i < count; i++)
			buf_append_text(&head, "X: y\r\n");
		buf_append_text(&head, "\r\n");
		expect_sampled(&head, count < HTTP_HEADERS_MAX ? HTTP_WHOLE : HTTP_HEAD_TOO_LARGE);
		buf_free(&head);
	}
}

Test(http, limits_the_body_by_its_length)
{
	static const struct {
		const char *length;
		enum http_parse expected;
	} examples[] = {
		{"65536", HTTP_MORE},
		{"65537", HTTP_BODY_TOO_LARGE},
		{"99999999999999999", HTTP_BODY_TOO_LARGE},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char head[128];
		int len = snprintf(head, sizeof(head),
			"POST / HTTP/1.1\r\n" HOST "Content-Length: %s\r\n\r\n",
			examples[i].length);
		expect(head, (size_t)len, examples[i].expected, 0);
	}
	struct buf request = BUF_INIT(2 * HTTP_BODY_MAX);
	buf_append_text(&request, "POST / HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n");
	for (int i = 0; i < HTTP_BODY_MAX; i++)
		buf_append_char(&request, 'b');
	expect_sampled(&request, HTTP_WHOLE);
	buf_free(&request);
}

/* Chunks of `size` bytes, `count` of them, and the last one. */
static void chunks(struct buf *request, const char *line, size_t size, size_t count)
{
	buf_append_text(request, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < count; i++) {
		buf_append_text(request, line);
		for (size_t byte = 0; byte < size; byte++)
			buf_append_char(request, 'c');
		buf_append_text(request, "\r\n");
	}
	buf_append_text(request, "0\r\n\r\n");
}

Test(http, limits_the_body_while_counting)
{
	struct buf request = BUF_INIT(4 * HTTP_BODY_MAX);
	chunks(&request, "100\r\n", 256, 256);
	expect_sampled(&request, HTTP_WHOLE);
	buf_clear(&request);
	chunks(&request, "100\r\n", 256, 257);
	expect_sampled(&request, HTTP_BODY_TOO_LARGE);
	static const char *const sizes[] = {
		"10001\r\n", "FFFFFFFFFFFFFFFFF\r\n", "10000000000000001\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&request);
		chunks(&request, sizes[i], 0, 1);
		expect_sampled(&request, HTTP_BODY_TOO_LARGE);
	}
	/* Little body, much framing. */
	buf_clear(&request);
	chunks(&request, "1;extension=0123456789\r\n", 1, 3000);
	expect_sampled(&request, HTTP_BODY_TOO_LARGE);
	buf_clear(&request);
	chunks(&request, "1\r\n", 1, 10000);
	expect_sampled(&request, HTTP_WHOLE);
	buf_free(&request);
}

/* A parser that took a whole request from the text. */
static struct http_parser *parsed(const char *text)
{
	struct http_parser *parser = http_parser_new();
	size_t taken;
	cr_assert_eq(http_parser_feed(parser, text, strlen(text), &taken), HTTP_WHOLE, "%s", text);
	return parser;
}

Test(http, reads_targets)
{
	static const struct {
		const char *line, *path, *query;
		enum http_method method;
		const char *method_name;
	} examples[] = {
		{"GET /", "/", "", HTTP_GET, "GET"},
		{"HEAD /a/b?c=d&e", "/a/b", "c=d&e", HTTP_HEAD, "HEAD"},
		{"POST /a??", "/a", "?", HTTP_POST, "POST"},
		{"PUT //a", "//a", "", HTTP_PUT, "PUT"},
		{"DELETE http://host:80/a%20b?x", "/a%20b", "x", HTTP_DELETE, "DELETE"},
		{"GET http://host", "/", "", HTTP_GET, "GET"},
		{"GET https://host?q", "/", "q", HTTP_GET, "GET"},
		{"OPTIONS *", "*", "", HTTP_OPTIONS, "OPTIONS"},
		{"OPTIONS /a", "/a", "", HTTP_OPTIONS, "OPTIONS"},
		{"TRACE /a", "/a", "", HTTP_OTHER, "OTHER"},
		{"CONNECT host:443", "/", "", HTTP_OTHER, "OTHER"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "\r\n", examples[i].line);
		struct http_parser *parser = parsed(text);
		const struct http_request *request = http_parser_request(parser);
		cr_expect_str_eq(request->path, examples[i].path, "%s", text);
		cr_expect_str_eq(request->query, examples[i].query, "%s", text);
		cr_expect_eq(request->method, examples[i].method, "%s", text);
		cr_expect_str_eq(http_method_name(request->method), examples[i].method_name);
		cr_expect_str_eq(request->body, "");
		cr_expect_eq(request->body_len, 0);
		http_parser_free(parser);
	}
}

Test(http, reads_headers)
{
	struct http_parser *parser = parsed("GET / HTTP/1.1\r\nHost: a.example\r\nAccept:  b \t\r\n"
					    "X-Empty:\r\nX-Blank: \t\r\nX-List: 1\r\nx-other: o\r\n"
					    "x-list:2 \r\nX-LIST:\r\nX-List: 4\r\n\r\n");
	static const struct {
		const char *name, *value;
	} examples[] = {{"host", "a.example"}, {"HOST", "a.example"}, {"accept", "b"},
		{"x-empty", ""}, {"x-blank", ""}, {"x-list", "1, 2, , 4"}, {"X-Other", "o"}};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const char *value = http_header(parser, examples[i].name);
		cr_assert_not_null(value, "%s", examples[i].name);
		cr_expect_str_eq(value, examples[i].value, "%s", examples[i].name);
	}
	cr_expect_null(http_header_once(parser, "x-list"), "it came more than once");
	cr_expect_null(http_header(parser, "x-lis"));
	cr_expect_null(http_header(parser, "x-list2"));
	cr_expect_null(http_header(parser, ""));
	http_parser_free(parser);
}

/* The most that joining can add: all headers but one have the same name, in a head of full size. */
Test(http, joins_within_its_room)
{
	enum { REPEATS = HTTP_HEADERS_MAX - 1, VALUE_LEN = 122 };
	char value[VALUE_LEN + 1] = "";
	memset(value, 'v', VALUE_LEN);
	struct buf head = BUF_INIT(HTTP_HEAD_MAX);
	buf_append_text(&head, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < REPEATS; i++)
		buf_printf(&head, "%c: %s\r\n", i % 2 == 0 ? 'x' : 'X', value);
	buf_append_text(&head, "\r\n");
	cr_assert(!head.failed);
	struct http_parser *parser = parsed(head.data);
	const char *joined = http_header(parser, "x");
	cr_assert_not_null(joined);
	cr_expect_eq(strlen(joined), REPEATS * VALUE_LEN + (REPEATS - 1) * strlen(", "));
	cr_expect_eq(strspn(joined, "v, "), strlen(joined));
	http_parser_free(parser);
	buf_free(&head);
}

Test(http, reads_bodies)
{
	struct http_parser *parser = parsed(
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n{\"a\"}");
	cr_expect_str_eq(http_parser_request(parser)->body, "{\"a\"}");
	cr_expect_eq(http_parser_request(parser)->body_len, 5);
	http_parser_free(parser);
	parser = parsed("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nX: head\r\n\r\n"
			"2;a=b\r\n{\"\r\n3\r\na\"}\r\n0\r\nX: trailer\r\nY: trailer\r\n\r\n");
	cr_expect_str_eq(http_parser_request(parser)->body, "{\"a\"}");
	cr_expect_eq(http_parser_request(parser)->body_len, 5);
	cr_expect_str_eq(http_header(parser, "x"), "head", "a trailer is no header");
	cr_expect_null(http_header(parser, "y"));
	http_parser_free(parser);
}

Test(http, knows_who_stays)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} examples[] = {
		{"GET / HTTP/1.1\r\n" HOST "\r\n", true},
		{"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n" HOST "\r\n", false},
		{"GET / HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n\r\n", true},
		{"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		struct http_parser *parser = parsed(examples[i].text);
		cr_expect_eq(http_parser_request(parser)->keep_alive, examples[i].keep_alive, "%s",
			examples[i].text);
		http_parser_free(parser);
	}
}

Test(http, answers_pipelined_requests_one_by_one)
{
	static const char text[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
				   "POST /2 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
				   "1\r\nc\r\n0\r\n\r\n"
				   "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n"
				   "GET /4 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET";
	static const char *const paths[] = {"/1", "/2", "/3", "/4"}, *const bodies[] = {
									     "ab", "c", "", ""};
	for (size_t step = 1; step < sizeof(text); step++) {
		struct http_parser *parser = http_parser_new();
		size_t at = 0;
		for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
			size_t taken;
			cr_expect(!http_parser_begun(parser));
			cr_assert_eq(feed_cut(parser, text + at, sizeof(text) - 1 - at, step, step,
					     &taken),
				HTTP_WHOLE);
			cr_expect(http_parser_begun(parser));
			cr_expect_str_eq(http_parser_request(parser)->path, paths[i]);
			cr_expect_str_eq(http_parser_request(parser)->body, bodies[i]);
			http_parser_next(parser);
			at += taken;
		}
		cr_expect_eq(at, sizeof(text) - 1 - strlen("GET"));
		http_parser_free(parser);
	}
}

Test(http, tells_how_far_a_message_is)
{
	static const char head[] = "POST / HTTP/1.1\r\n" HOST
				   "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	struct http_parser *parser = http_parser_new();
	size_t taken;
	cr_expect(!http_parser_begun(parser) && !http_parser_in_body(parser));
	cr_expect(!http_parser_wants_continue(parser));
	cr_expect_null(http_header(parser, "host"));
	cr_assert_eq(feed(parser, head, 1, &taken), HTTP_MORE);
	cr_expect(http_parser_begun(parser) && !http_parser_in_body(parser));
	cr_expect_null(http_header(parser, "host"));
	cr_assert_eq(feed(parser, head + 1, sizeof(head) - 2, &taken), HTTP_MORE);
	cr_expect(http_parser_in_body(parser));
	cr_expect_str_eq(http_header(parser, "expect"), "100-Continue");
	cr_expect(http_parser_wants_continue(parser));
	cr_expect(!http_parser_wants_continue(parser), "asked once");
	cr_assert_eq(feed(parser, "ab", 2, &taken), HTTP_WHOLE);
	cr_expect(!http_parser_in_body(parser));
	http_parser_next(parser);
	cr_expect(!http_parser_begun(parser));
	http_parser_free(parser);
}

Test(http, continues_only_who_waits)
{
	static const char *const heads[] = {
		"POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na",
	};
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct http_parser *parser = http_parser_new();
		size_t taken;
		cr_assert_eq(feed(parser, heads[i], strlen(heads[i]), &taken), HTTP_MORE);
		cr_expect(!http_parser_wants_continue(parser), "%s", heads[i]);
		http_parser_free(parser);
	}
}

Test(http, says_no_header_of_a_refused_head)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "X: a\r\nHost: b\r\n\r\n";
	struct http_parser *parser = http_parser_new();
	size_t taken;
	cr_assert_eq(feed(parser, text, sizeof(text) - 1, &taken), HTTP_BAD);
	cr_expect_null(http_header(parser, "x"));
	http_parser_free(parser);
}

Test(http, decodes_query_parameters)
{
	static const struct {
		const char *query, *name, *value; /* NULL: refused */
	} examples[] = {
		{"a=1&b=2", "a", "1"},
		{"a=1&b=2", "b", "2"},
		{"a=1&b=2", "c", NULL},
		{"", "a", NULL},
		{"a", "a", ""},
		{"b&a&a=1", "a", ""},
		{"a=", "a", ""},
		{"ab&ab=1", "a", NULL},
		{"aa=1&a=2", "a", "2"},
		{"a=1&a=2", "a", "1"},
		{"&&a=1", "a", "1"},
		{"a=b=c", "a", "b=c"},
		{"a=%41%7a%2F", "a", "Az/"},
		{"a=%4", "a", NULL},
		{"a=%", "a", NULL},
		{"a=%4g", "a", NULL},
		{"a=%4&b=1", "a", NULL},
		{"a=%00", "a", NULL},
		{"a=1+2", "a", "1+2"},
		{"a=1234567", "a", "1234567"},
		{"a=12345678", "a", NULL},
		{"a=%31%32%33%34567", "a", "1234567"},
	};
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char text[8] = "";
		bool found = http_query_param(
			examples[i].query, examples[i].name, text, sizeof(text));
		cr_expect_eq(found, examples[i].value != NULL, "%s", examples[i].query);
		if (found && examples[i].value != NULL)
			cr_expect_str_eq(text, examples[i].value);
	}
}

/* Also one whose value is refused. */
Test(http, knows_which_query_parameters_there_are)
{
	cr_expect_eq(http_query_count("a=1&b=2", "b"), 1);
	cr_expect_eq(http_query_count("a=%4", "a"), 1);
	cr_expect_eq(http_query_count("a=", "a"), 1);
	cr_expect_eq(http_query_count("a", "a"), 1);
	cr_expect_eq(http_query_count("a=1&b=2&a=1&&a", "a"), 3);
	cr_expect_eq(http_query_count("aa=1", "a"), 0);
	cr_expect_eq(http_query_count("b=a", "a"), 0);
	cr_expect_eq(http_query_count("", "a"), 0);
}
