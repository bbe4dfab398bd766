/* HTTP/1.1 requests (RFC 9112), parsed by llhttp in its strict mode, with what llhttp leaves open
 * refused here: Host missing (in HTTP/1.1) or repeated, empty header names, folded headers,
 * Transfer-Encoding in HTTP/1.0 or beside Content-Length, NUL in a value. Pure: bytes in, a request
 * or an error out. */
#ifndef ONSALE_PROTO_HTTP_H
#define ONSALE_PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEAD_MAX = 8 * 1024, HTTP_HEADERS_MAX = 64, HTTP_BODY_MAX = 64 * 1024 };

enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_PUT = 8,
	HTTP_DELETE = 16,
	HTTP_OPTIONS = 32,
	HTTP_OTHER = 64
};

enum http_parse {
	HTTP_MORE, /* all bytes taken, the request is not whole yet */
	HTTP_WHOLE, /* a request is whole; bytes after it were not taken */
	HTTP_BAD, /* 400, then close: what follows cannot be trusted */
	HTTP_HEAD_TOO_LARGE, /* 431, then close */
	HTTP_BODY_TOO_LARGE, /* 413, then close */
	HTTP_BAD_VERSION /* 505, then close */
};

/* A whole request. Its texts live as long as the parser's message: until http_parser_next. */
struct http_request {
	enum http_method method;
	const char *path; /* as sent, without the query; starts with '/', or is "*" of OPTIONS */
	const char *query; /* after the '?', not decoded; "" where there is none */
	const char *body; /* NUL follows */
	size_t body_len;
	bool keep_alive; /* the client lets the connection stay open */
	bool http_1_0;
};

struct http_parser;

/* One a connection; it takes no memory for a message until a byte of it arrives. NULL when memory
 * is out. */
struct http_parser *http_parser_new(void);
void http_parser_free(struct http_parser *parser);

/* Takes up to len bytes; *taken tells how many. After HTTP_WHOLE the caller answers, calls
 * http_parser_next and goes on with the bytes not taken. After an error only http_parser_free. */
enum http_parse http_parser_feed(
	struct http_parser *parser, const char *bytes, size_t len, size_t *taken);

/* The request after HTTP_WHOLE; owned by the parser. */
const struct http_request *http_parser_request(const struct http_parser *parser);

/* A header's value, trimmed, or NULL (also where the head was refused); names are compared without
 * case. A header that came more than once gives its values joined by ", ". */
const char *http_header(const struct http_parser *parser, const char *name);

/* … and NULL where it came more than once: for what can be one thing only. */
const char *http_header_once(const struct http_parser *parser, const char *name);

/* True from a message's first byte until http_parser_next: what absolute deadlines count from. */
bool http_parser_begun(const struct http_parser *parser);

/* True once the head is whole and the body is awaited; wants_continue where the client waits for
 * "100 Continue" (asked once a message: the second call says false). */
bool http_parser_in_body(const struct http_parser *parser);
bool http_parser_wants_continue(struct http_parser *parser);

/* Forgets the message and gives its memory back. */
void http_parser_next(struct http_parser *parser);

/* The query parameter `name`, the first of them, percent-decoded, into text (NUL-terminated). False where
 * it is missing, malformed or longer than size - 1. "a" is "a=". */
bool http_query_param(const char *query, const char *name, char *text, size_t size);

/* How often the query names it, whatever its value. */
unsigned http_query_count(const char *query, const char *name);

/* "GET"; "OTHER" for HTTP_OTHER. */
const char *http_method_name(enum http_method method);

#endif
