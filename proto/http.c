/* The head is first gathered whole, while each byte of it is checked for what no version of llhttp may
 * be lax about (line ends, folding, control characters, size); then llhttp reads it in one go, its
 * callbacks noting where names and values lie, and the rules on Host, Content-Length and
 * Transfer-Encoding are judged here. The body is counted or un-chunked here too: llhttp 8 takes bare
 * line feeds and folded trailers in a chunked one, and what is refused must not hang on a version.
 *
 *   head_text   GET /a?b HTTP/1.1 \r\n Name: value \r\n … \r\n \r\n | joined values |
 *
 * Texts are told by their offset in head_text, and get their NUL in place once the head was read. */
#include "proto/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "proto/base/buf.h"
#include "proto/base/check.h"

/* llhttp's enum has the same names for other values: it gets them under names of its own. */
#define HTTP_GET LLHTTP_GET
#define HTTP_HEAD LLHTTP_HEAD
#define HTTP_POST LLHTTP_POST
#define HTTP_PUT LLHTTP_PUT
#define HTTP_DELETE LLHTTP_DELETE
#define HTTP_OPTIONS LLHTTP_OPTIONS
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_OPTIONS

enum {
	HEAD_FIRST_CAP = 512,
	/* A head's texts, and room for joining every one of its headers with ", ". */
	HEAD_TEXT_MAX = 2 * HTTP_HEAD_MAX + 2 * HTTP_HEADERS_MAX,
	/* What a chunked body may spend on chunk sizes, extensions and trailers. */
	FRAMING_MAX = HTTP_BODY_MAX
};

_Static_assert(HEAD_TEXT_MAX <= UINT16_MAX, "offsets into the head fit their type");

struct header {
	uint16_t name, value; /* offsets */
	uint16_t name_len, value_len;
};

/* Where a chunked body stands: in the line with a chunk's size, in its bytes, at the line end after
 * them, or in the trailers (their names, their values). */
enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_DATA,
	CHUNK_DATA_END,
	TRAILER_NAME,
	TRAILER_VALUE
};

struct message {
	llhttp_t llhttp;
	struct http_request request;
	char *head_text;
	size_t head_len, head_cap;
	size_t skipped; /* bytes of empty lines before the request line */
	size_t line_len; /* of the line being scanned, its CR included */
	bool after_cr;
	bool head_whole; /* llhttp saw its end, and its headers are sane */
	bool readable; /* its texts have their NULs */
	bool whole;
	bool wants_continue;
	enum http_parse error; /* HTTP_MORE: none */
	uint16_t target, target_len;
	unsigned header_count;
	bool body_begun;
	bool chunked;
	size_t body_left; /* bytes of data to come: of the chunk, or of the whole body */
	size_t framing; /* bytes of a chunked body that are none of its data */
	enum chunk_state chunk_state;
	struct buf body;
	struct header headers[HTTP_HEADERS_MAX]; /* last: the rest is zeroed, this is not */
};

struct http_parser {
	struct message *message; /* NULL between messages */
};

/* --- the head's bytes --- */

enum byte_class { BYTE_BAD, BYTE_TEXT, BYTE_CR, BYTE_LF, BYTE_BLANK };

static enum byte_class class_of(unsigned char byte)
{
	if (byte > ' ' && byte != 0x7f)
		return BYTE_TEXT;
	if (byte == ' ' || byte == '\t')
		return BYTE_BLANK;
	if (byte == '\r')
		return BYTE_CR;
	return byte == '\n' ? BYTE_LF : BYTE_BAD;
}

/* Scans one byte of the head. HTTP_WHOLE: it ends the empty line after the headers. */
static enum http_parse scan_byte(struct message *message, unsigned char byte)
{
	enum byte_class class = class_of(byte);
	if (message->after_cr != (class == BYTE_LF) || class == BYTE_BAD)
		return HTTP_BAD; /* a CR or LF alone, or a control character */
	if (class == BYTE_LF) {
		bool empty = message->line_len == 1;
		message->after_cr = false;
		message->line_len = 0;
		return empty ? HTTP_WHOLE : HTTP_MORE;
	}
	if (class == BYTE_BLANK && message->line_len == 0)
		return HTTP_BAD; /* a folded header, or a blank before the method */
	message->after_cr = class == BYTE_CR;
	message->line_len++;
	return HTTP_MORE;
}

/* How many of the bytes are text or spaces, which need no judging inside of a line: most of a head. */
static size_t plain_run(const char *bytes, size_t len)
{
	size_t run = 0;
	while (run < len && (unsigned char)bytes[run] >= ' ' && bytes[run] != 0x7f)
		run++;
	return run;
}

/* Scans the head up to its end, or the end of the bytes. */
static enum http_parse scan_head(
	struct message *message, const char *bytes, size_t len, size_t *scanned)
{
	enum http_parse result = HTTP_MORE;
	*scanned = 0;
	while (*scanned < len && result == HTTP_MORE) {
		if (message->line_len > 0 && !message->after_cr) {
			size_t run = plain_run(bytes + *scanned, len - *scanned);
			message->line_len += run;
			*scanned += run;
		}
		if (*scanned < len)
			result = scan_byte(message, (unsigned char)bytes[(*scanned)++]);
	}
	return result;
}

static void head_reserve(struct message *message, size_t len)
{
	size_t need = message->head_len + len, cap = message->head_cap;
	CHECK(need <= HEAD_TEXT_MAX);
	if (cap == 0)
		cap = HEAD_FIRST_CAP;
	while (cap < need)
		cap *= 2;
	if (cap != message->head_cap)
		message->head_text = must_realloc(message->head_text, cap);
	message->head_cap = cap;
}

/* The bytes may be the head's own where their room was reserved before. */
static void head_append(struct message *message, const char *bytes, size_t len)
{
	head_reserve(message, len);
	memcpy(message->head_text + message->head_len, bytes, len);
	message->head_len += len;
}

/* Empty lines before the request line are skipped (RFC 9112, 2.2), within the head's limit. */
static enum http_parse skip_empty_lines(
	struct message *message, const char *bytes, size_t len, size_t *skipped)
{
	*skipped = 0;
	while (*skipped < len && message->head_len == 0) {
		char byte = bytes[*skipped];
		if (!message->after_cr && byte != '\r')
			return HTTP_MORE;
		if (++message->skipped > HTTP_HEAD_MAX)
			return HTTP_HEAD_TOO_LARGE;
		enum http_parse scanned = scan_byte(message, (unsigned char)byte);
		if (scanned == HTTP_BAD)
			return HTTP_BAD;
		(*skipped)++;
	}
	return HTTP_MORE;
}

/* Gathers the head. HTTP_WHOLE: its last byte was taken. */
static enum http_parse take_head(
	struct message *message, const char *bytes, size_t len, size_t *taken)
{
	enum http_parse scanned = skip_empty_lines(message, bytes, len, taken);
	if (scanned != HTTP_MORE)
		return scanned;
	size_t rest = len - *taken, room = HTTP_HEAD_MAX - message->skipped - message->head_len;
	size_t used;
	scanned = scan_head(message, bytes + *taken, rest < room ? rest : room, &used);
	if (scanned == HTTP_BAD)
		return HTTP_BAD;
	if (used > 0)
		head_append(message, bytes + *taken, used);
	*taken += used;
	return scanned == HTTP_MORE && used < rest ? HTTP_HEAD_TOO_LARGE : scanned;
}

/* --- what llhttp finds in the head --- */

static uint16_t offset_of(const struct message *message, const char *at)
{
	return (uint16_t)(at - message->head_text);
}

static struct message *message_of(const llhttp_t *llhttp)
{
	return llhttp->data;
}

static int fail(struct message *message, enum http_parse error)
{
	message->error = error;
	return -1;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len)
{
	struct message *message = message_of(llhttp);
	if (message->target_len == 0)
		message->target = offset_of(message, at);
	message->target_len = (uint16_t)(offset_of(message, at) + len - message->target);
	return 0;
}

static struct header *last_header(struct message *message)
{
	return &message->headers[message->header_count - 1];
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len)
{
	struct message *message = message_of(llhttp);
	uint16_t offset = offset_of(message, at);
	if (message->header_count > 0) {
		struct header *open = last_header(message);
		if (open->name + open->name_len == offset) {
			open->name_len = (uint16_t)(open->name_len + len);
			return 0;
		}
	}
	if (message->header_count == HTTP_HEADERS_MAX)
		return fail(message, HTTP_HEAD_TOO_LARGE);
	message->headers[message->header_count++] = (struct header){
		.name = offset, .name_len = (uint16_t)len};
	return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len)
{
	struct message *message = message_of(llhttp);
	if (message->header_count == 0)
		return fail(message, HTTP_BAD);
	struct header *header = last_header(message);
	if (header->value == 0)
		header->value = offset_of(message, at);
	header->value_len = (uint16_t)(offset_of(message, at) + len - header->value);
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void trim(const char *head, struct header *header)
{
	while (header->value_len > 0 && is_blank(head[header->value])) {
		header->value++;
		header->value_len--;
	}
	while (header->value_len > 0 && is_blank(head[header->value + header->value_len - 1]))
		header->value_len--;
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 9110, 5.6.2. */
static bool is_token(const char *text, size_t len)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (!is_alphanumeric(c) && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return len > 0;
}

/* The line is a name, a colon right behind it, and the value: what llhttp was told to be strict about
 * is checked where it was noted, so that nothing hangs on its version. */
static bool header_sane(const struct message *message, const struct header *header)
{
	const char *name = message->head_text + header->name;
	return name[-1] == '\n' && is_token(name, header->name_len) &&
	       name[header->name_len] == ':';
}

static bool is_named(const struct message *message, const struct header *header, const char *name)
{
	size_t len = strlen(name);
	return header->name_len == len &&
	       strncasecmp(message->head_text + header->name, name, len) == 0;
}

/* How many headers have the name; *found is the first of them. */
static unsigned count_named(
	const struct message *message, const char *name, const struct header **found)
{
	unsigned count = 0;
	*found = NULL;
	for (unsigned i = 0; i < message->header_count; i++) {
		if (!is_named(message, &message->headers[i], name))
			continue;
		if (count++ == 0)
			*found = &message->headers[i];
	}
	return count;
}

static bool value_is(const struct message *message, const struct header *header, const char *text)
{
	size_t len = strlen(text);
	return header->value_len == len &&
	       strncasecmp(message->head_text + header->value, text, len) == 0;
}

/* uri-host [":" port] by its characters; empty is allowed (RFC 9110, 7.2). */
static bool host_sane(const struct message *message, const struct header *host)
{
	static const char others[] = "-._~%!$&'()*+,;=:[]";
	const char *value = message->head_text + host->value;
	for (size_t i = 0; i < host->value_len; i++)
		if (!is_alphanumeric(value[i]) && strchr(others, value[i]) == NULL)
			return false;
	return true;
}

static bool host_ok(const struct message *message, bool http_1_1)
{
	const struct header *host;
	unsigned count = count_named(message, "host", &host);
	if (count == 0)
		return !http_1_1;
	return count == 1 && host_sane(message, host);
}

/* Content-Length and Transfer-Encoding: at most one of them, once, and in one spelling. */
static enum http_parse framing_judge(struct message *message, bool http_1_1)
{
	const struct header *length, *encoding;
	unsigned lengths = count_named(message, "content-length", &length);
	unsigned encodings = count_named(message, "transfer-encoding", &encoding);
	if (lengths + encodings > 1)
		return HTTP_BAD;
	message->chunked = encodings == 1;
	if (message->chunked)
		return http_1_1 && value_is(message, encoding, "chunked") ? HTTP_MORE : HTTP_BAD;
	if (lengths == 0)
		return HTTP_MORE;
	size_t value = 0;
	if (length->value_len == 0)
		return HTTP_BAD;
	for (size_t i = 0; i < length->value_len; i++) {
		char c = message->head_text[length->value + i];
		if (c < '0' || c > '9')
			return HTTP_BAD;
		if (value <= HTTP_BODY_MAX)
			value = value * 10 + (size_t)(c - '0');
	}
	message->body_left = value;
	return value > HTTP_BODY_MAX ? HTTP_BODY_TOO_LARGE : HTTP_MORE;
}

/* By llhttp's number: up to SOURCE all its versions know the same methods; what comes after is of
 * other protocols, or newer. */
static enum http_method method_of(uint8_t number)
{
	switch (number) {
	case LLHTTP_GET: return HTTP_GET;
	case LLHTTP_HEAD: return HTTP_HEAD;
	case LLHTTP_POST: return HTTP_POST;
	case LLHTTP_PUT: return HTTP_PUT;
	case LLHTTP_DELETE: return HTTP_DELETE;
	case LLHTTP_OPTIONS: return HTTP_OPTIONS;
	default: return number <= HTTP_SOURCE ? HTTP_OTHER : 0;
	}
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct message *message = message_of(llhttp);
	bool http_1_1 = llhttp_get_http_minor(llhttp) == 1;
	for (unsigned i = 0; i < message->header_count; i++) {
		struct header *header = &message->headers[i];
		if (!header_sane(message, header))
			return fail(message, HTTP_BAD);
		trim(message->head_text, header);
	}
	message->request.method = method_of(llhttp_get_method(llhttp));
	if (message->request.method == 0 || !host_ok(message, http_1_1))
		return fail(message, HTTP_BAD);
	enum http_parse framing = framing_judge(message, http_1_1);
	if (framing != HTTP_MORE)
		return fail(message, framing);
	bool connect = llhttp_get_method(llhttp) == HTTP_CONNECT;
	bool has_body = message->chunked || message->body_left > 0;
	if (connect && has_body)
		return fail(message, HTTP_BAD); /* it would mean nothing (RFC 9110, 9.3.6) */
	const struct header *expect;
	count_named(message, "expect", &expect);
	message->wants_continue = has_body && http_1_1 && expect != NULL &&
				  value_is(message, expect, "100-continue");
	/* After CONNECT the client may send what is not HTTP. */
	message->request.http_1_0 = !http_1_1;
	message->request.keep_alive = !connect && llhttp_should_keep_alive(llhttp);
	message->head_whole = true;
	message->whole = !has_body;
	return HPE_PAUSED; /* what follows is not llhttp's */
}

static const llhttp_settings_t callbacks = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

/* --- a head that is whole --- */

/* "method SP target SP HTTP/digit.digit CRLF", one space each (RFC 9112, 3). */
static enum http_parse request_line_judge(const struct message *message)
{
	const char *line = message->head_text;
	const char *end = memchr(line, '\r', message->head_len);
	const char *first = memchr(line, ' ', (size_t)(end - line));
	if (first == NULL || !is_token(line, (size_t)(first - line)))
		return HTTP_BAD;
	const char *target = first + 1;
	const char *second = memchr(target, ' ', (size_t)(end - target));
	if (second == NULL || second == target)
		return HTTP_BAD;
	for (const char *c = target; c < second; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '#')
			return HTTP_BAD; /* a signed char: bytes above 0x7f are below ' ' */
	const char *version = second + 1;
	if (end - version != (long)strlen("HTTP/1.1") || memcmp(version, "HTTP/", 5) != 0 ||
		version[5] < '0' || version[5] > '9' || version[6] != '.' || version[7] < '0' ||
		version[7] > '9')
		return HTTP_BAD;
	bool known = version[5] == '1' && (version[7] == '0' || version[7] == '1');
	return known ? HTTP_MORE : HTTP_BAD_VERSION;
}

static bool same_name(
	const struct message *message, const struct header *one, const struct header *other)
{
	const char *head = message->head_text;
	return one->name_len == other->name_len &&
	       strncasecmp(head + one->name, head + other->name, one->name_len) == 0;
}

/* Appends the values of all headers named as the first is, and makes it theirs. */
static void join_values(struct message *message, unsigned first)
{
	struct header *joined = &message->headers[first];
	size_t start = message->head_len;
	for (unsigned i = first; i < message->header_count; i++) {
		struct header *header = &message->headers[i];
		if (!same_name(message, header, joined))
			continue;
		head_reserve(message, header->value_len + 2u);
		if (i > first)
			head_append(message, ", ", 2);
		head_append(message, message->head_text + header->value, header->value_len);
	}
	joined->value = (uint16_t)start;
	joined->value_len = (uint16_t)(message->head_len - start);
	head_append(message, "", 1);
}

/* Is the header the first of its name, with others to come? */
static bool opens_list(const struct message *message, unsigned at)
{
	const struct header *header = &message->headers[at];
	bool repeated = false;
	for (unsigned i = 0; i < message->header_count; i++) {
		const struct header *other = &message->headers[i];
		if (i == at || !same_name(message, header, other))
			continue;
		if (i < at)
			return false;
		repeated = true;
	}
	return repeated;
}

static void end_texts(struct message *message)
{
	for (unsigned i = 0; i < message->header_count; i++) {
		struct header *header = &message->headers[i];
		if (header->value_len == 0) /* llhttp may show it anywhere: it is the name's NUL */
			header->value = (uint16_t)(header->name + header->name_len);
		message->head_text[header->name + header->name_len] = '\0';
		message->head_text[header->value + header->value_len] = '\0';
	}
	message->readable = true;
}

/* The path of an absolute-form target starts behind its authority (RFC 9112, 3.2.2). NULL: not an
 * http URI with a host and nothing that would have to be kept from others. */
static char *absolute_path(char *target)
{
	if (strncasecmp(target, "http://", 7) == 0)
		target += 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		target += 8;
	else
		return NULL;
	size_t authority = strcspn(target, "/?");
	if (authority == 0 || memchr(target, '@', authority) != NULL)
		return NULL;
	return target + authority;
}

/* Splits the target into path and query, whichever form it has. */
static bool take_target(struct message *message, bool connect)
{
	struct http_request *request = &message->request;
	char *target = message->head_text + message->target;
	target[message->target_len] = '\0';
	request->path = "/";
	request->query = "";
	if (connect)
		return true; /* the authority of a tunnel, which nobody will get */
	if (strcmp(target, "*") == 0) {
		request->path = target;
		return request->method == HTTP_OPTIONS;
	}
	if (*target != '/')
		target = absolute_path(target);
	if (target == NULL)
		return false;
	char *query = strchr(target, '?');
	if (query != NULL) {
		*query = '\0';
		request->query = query + 1;
	}
	if (*target == '/')
		request->path = target;
	return true;
}

/* Reads the whole head. HTTP_MORE: a body is awaited. */
static enum http_parse read_head(struct message *message)
{
	enum http_parse line = request_line_judge(message);
	if (line != HTTP_MORE)
		return line;
	llhttp_init(&message->llhttp, HTTP_REQUEST, &callbacks);
	message->llhttp.data = message;
	llhttp_execute(&message->llhttp, message->head_text, message->head_len);
	/* A head that only announces too much is a whole one: its headers may still be asked for. */
	bool whole = message->head_whole || message->error == HTTP_BODY_TOO_LARGE;
	if (!whole || message->target_len == 0)
		return message->error != HTTP_MORE ? message->error : HTTP_BAD;
	for (unsigned i = 0; i < message->header_count; i++)
		if (opens_list(message, i))
			join_values(message, i);
	end_texts(message);
	if (message->error != HTTP_MORE)
		return message->error;
	if (!take_target(message, llhttp_get_method(&message->llhttp) == HTTP_CONNECT))
		return HTTP_BAD;
	return message->whole ? HTTP_WHOLE : HTTP_MORE;
}

/* --- the body --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of "size[;extension]". */
static enum http_parse scan_size(struct message *message, char byte)
{
	if (message->chunk_state == CHUNK_EXTENSION || byte == '\r')
		return message->line_len > 0 ? HTTP_MORE : HTTP_BAD;
	int digit = hex_digit(byte);
	if (digit < 0) {
		message->chunk_state = CHUNK_EXTENSION;
		return byte == ';' && message->line_len > 0 ? HTTP_MORE : HTTP_BAD;
	}
	message->body_left = message->body_left * 16 + (size_t)digit;
	return message->body_left > HTTP_BODY_MAX - message->body.len ? HTTP_BODY_TOO_LARGE
								      : HTTP_MORE;
}

/* A byte of "name: value", or of the empty line at the end. */
static enum http_parse scan_trailer(struct message *message, char byte)
{
	bool first = message->line_len == 0;
	if (message->chunk_state == TRAILER_VALUE || (first && byte == '\r'))
		return HTTP_MORE;
	if (!first && byte == ':')
		message->chunk_state = TRAILER_VALUE;
	else if (!is_token(&byte, 1))
		return HTTP_BAD;
	return HTTP_MORE;
}

static void end_line(struct message *message)
{
	switch (message->chunk_state) {
	case CHUNK_SIZE:
	case CHUNK_EXTENSION:
		message->chunk_state = message->body_left > 0 ? CHUNK_DATA : TRAILER_NAME;
		break;
	case CHUNK_DATA:
	case CHUNK_DATA_END: message->chunk_state = CHUNK_SIZE; break;
	case TRAILER_NAME:
	case TRAILER_VALUE: message->chunk_state = TRAILER_NAME; break;
	}
}

/* A byte of a chunked body that is none of its data. HTTP_WHOLE: the body ends here. */
static enum http_parse scan_framing(struct message *message, char byte)
{
	enum http_parse judged;
	bool in_trailers = message->chunk_state >= TRAILER_NAME;
	if (++message->framing > FRAMING_MAX)
		judged = HTTP_BODY_TOO_LARGE;
	else if (message->after_cr)
		judged = HTTP_MORE; /* the LF, which scan_byte asks for */
	else if (in_trailers)
		judged = scan_trailer(message, byte);
	else if (message->chunk_state == CHUNK_DATA_END)
		judged = byte == '\r' ? HTTP_MORE : HTTP_BAD;
	else
		judged = scan_size(message, byte);
	if (judged != HTTP_MORE)
		return judged;
	enum http_parse scanned = scan_byte(message, (unsigned char)byte);
	if (scanned == HTTP_BAD)
		return HTTP_BAD;
	if (byte == '\n')
		end_line(message);
	return in_trailers ? scanned : HTTP_MORE;
}

/* Takes data, as much as there is and is awaited. */
static size_t take_data(struct message *message, const char *bytes, size_t len)
{
	size_t take = len < message->body_left ? len : message->body_left;
	buf_append(&message->body, bytes, take);
	message->body_left -= take;
	return take;
}

static enum http_parse take_chunks(
	struct message *message, const char *bytes, size_t len, size_t *taken)
{
	enum http_parse scanned = HTTP_MORE;
	*taken = 0;
	while (*taken < len && scanned == HTTP_MORE) {
		if (message->chunk_state != CHUNK_DATA) {
			scanned = scan_framing(message, bytes[(*taken)++]);
			continue;
		}
		*taken += take_data(message, bytes + *taken, len - *taken);
		if (message->body_left == 0)
			message->chunk_state = CHUNK_DATA_END;
	}
	return scanned;
}

static enum http_parse take_body(
	struct message *message, const char *bytes, size_t len, size_t *taken)
{
	message->body_begun = true;
	enum http_parse result;
	if (message->chunked) {
		result = take_chunks(message, bytes, len, taken);
	} else {
		*taken = take_data(message, bytes, len);
		result = message->body_left == 0 ? HTTP_WHOLE : HTTP_MORE;
	}
	message->whole = result == HTTP_WHOLE;
	CHECK(!message->body.failed); /* both ways of framing were held to its limit */
	return result;
}

/* --- the parser --- */

struct http_parser *http_parser_new(void)
{
	return calloc(1, sizeof(struct http_parser));
}

void http_parser_free(struct http_parser *parser)
{
	if (parser == NULL)
		return;
	http_parser_next(parser);
	free(parser);
}

static struct message *message_new(void)
{
	struct message *message = must_malloc(sizeof(*message));
	memset(message, 0, offsetof(struct message, headers));
	message->body.limit = HTTP_BODY_MAX;
	return message;
}

static void finish(struct message *message)
{
	message->request.body = message->body.data != NULL ? message->body.data : "";
	message->request.body_len = message->body.len;
}

enum http_parse http_parser_feed(
	struct http_parser *parser, const char *bytes, size_t len, size_t *taken)
{
	*taken = 0;
	if (len == 0)
		return HTTP_MORE;
	if (parser->message == NULL)
		parser->message = message_new();
	struct message *message = parser->message;
	CHECK(!message->whole && message->error == HTTP_MORE);
	enum http_parse result = HTTP_MORE;
	if (!message->head_whole) {
		result = take_head(message, bytes, len, taken);
		if (result == HTTP_WHOLE)
			result = read_head(message);
	}
	if (result == HTTP_MORE && message->head_whole && *taken < len) {
		size_t body_taken;
		result = take_body(message, bytes + *taken, len - *taken, &body_taken);
		*taken += body_taken;
	}
	if (result == HTTP_WHOLE)
		finish(message);
	else if (result != HTTP_MORE)
		message->error = result;
	return result;
}

const struct http_request *http_parser_request(const struct http_parser *parser)
{
	CHECK(parser->message != NULL && parser->message->whole);
	return &parser->message->request;
}

const char *http_header(const struct http_parser *parser, const char *name)
{
	const struct header *header;
	if (parser->message == NULL || !parser->message->readable ||
		count_named(parser->message, name, &header) == 0)
		return NULL;
	return parser->message->head_text + header->value;
}

const char *http_header_once(const struct http_parser *parser, const char *name)
{
	const struct header *header;
	const char *value = http_header(parser, name);
	return value != NULL && count_named(parser->message, name, &header) == 1 ? value : NULL;
}

bool http_parser_begun(const struct http_parser *parser)
{
	return parser->message != NULL;
}

bool http_parser_in_body(const struct http_parser *parser)
{
	const struct message *message = parser->message;
	return message != NULL && message->head_whole && !message->whole;
}

bool http_parser_wants_continue(struct http_parser *parser)
{
	if (!http_parser_in_body(parser) || !parser->message->wants_continue)
		return false;
	parser->message->wants_continue = false;
	return !parser->message->body_begun; /* whoever sends already waits for nothing */
}

void http_parser_next(struct http_parser *parser)
{
	struct message *message = parser->message;
	if (message == NULL)
		return;
	buf_free(&message->body);
	free(message->head_text);
	free(message);
	parser->message = NULL;
}

/* --- queries --- */

static bool percent_decode(const char *from, size_t len, char *text, size_t size)
{
	size_t at = 0;
	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (c == '%') {
			int high = i + 2 < len ? hex_digit(from[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(from[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0' || at + 1 >= size)
			return false;
		text[at++] = c;
	}
	text[at] = '\0';
	return true;
}

/* The value of the first parameter of this name, not decoded, and how many there are of it. */
static unsigned find_params(
	const char *query, const char *name, const char **value, size_t *value_len)
{
	size_t name_len = strlen(name);
	unsigned count = 0;
	while (*query != '\0') {
		size_t len = strcspn(query, "&");
		if (strcspn(query, "=&") == name_len && memcmp(query, name, name_len) == 0 &&
			count++ == 0) {
			*value = query + name_len + (len > name_len);
			*value_len = len - (size_t)(*value - query);
		}
		query += len;
		query += *query == '&';
	}
	return count;
}

bool http_query_param(const char *query, const char *name, char *text, size_t size)
{
	const char *value;
	size_t len;
	CHECK(size > 0);
	return find_params(query, name, &value, &len) > 0 && percent_decode(value, len, text, size);
}

unsigned http_query_count(const char *query, const char *name)
{
	const char *value;
	size_t len;
	return find_params(query, name, &value, &len);
}

const char *http_method_name(enum http_method method)
{
	switch (method) {
	case HTTP_GET: return "GET";
	case HTTP_HEAD: return "HEAD";
	case HTTP_POST: return "POST";
	case HTTP_PUT: return "PUT";
	case HTTP_DELETE: return "DELETE";
	case HTTP_OPTIONS: return "OPTIONS";
	case HTTP_OTHER:
	default: return "OTHER";
	}
}
