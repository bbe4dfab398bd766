/* The hot path of every answer: fixed texts, copied. One reservation covers the whole reply, so the
 * appends that follow find their room; past the limit nothing of the reply is written. */
#include "proto/reply.h"

#include <string.h>

#define STATUSES(ROW) \
	ROW(200, "OK") \
	ROW(201, "Created") \
	ROW(204, "No Content") \
	ROW(304, "Not Modified") \
	ROW(400, "Bad Request") \
	ROW(401, "Unauthorized") \
	ROW(402, "Payment Required") \
	ROW(403, "Forbidden") \
	ROW(404, "Not Found") \
	ROW(405, "Method Not Allowed") \
	ROW(408, "Request Timeout") \
	ROW(409, "Conflict") \
	ROW(410, "Gone") \
	ROW(413, "Content Too Large") \
	ROW(415, "Unsupported Media Type") \
	ROW(422, "Unprocessable Content") \
	ROW(429, "Too Many Requests") \
	ROW(431, "Request Header Fields Too Large") \
	ROW(500, "Internal Server Error") \
	ROW(501, "Not Implemented") \
	ROW(503, "Service Unavailable") \
	ROW(505, "HTTP Version Not Supported")

/* The status line of a status; the reason starts after REASON_AT bytes of it. */
static const char *status_line(int status)
{
	switch (status) {
#define ROW(status, reason) \
	case status: return "HTTP/1.1 " #status " " reason;
		STATUSES(ROW)
#undef ROW
	default: return NULL;
	}
}

/* What browsers may not do with a reply, whatever it holds: guess its type, frame it, run or load anything out of
 * it, tell others where they were. A page needs scripts and styles, and so says its own policy in `headers`. */
#define NO_GUESSES \
	"\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY"
static const char PAGE_SECURITY[] = NO_GUESSES;
static const char SECURITY[] = NO_GUESSES "\r\nContent-Security-Policy: default-src 'none'";

static const char NO_STORE[] = "\r\nCache-Control: no-store";

enum {
	REASON_AT = sizeof("HTTP/1.1 200 ") - 1,
	FIXED_MAX = 320 + sizeof SECURITY + sizeof NO_STORE
};

const char *reply_reason(int status)
{
	const char *line = status_line(status);
	return line != NULL ? line + REASON_AT : "Unknown";
}

/* RFC 9110, 8.6: these end at their head, and say no length. */
static bool bodiless(int status)
{
	return status == 204 || status == 304;
}

static bool reserve(struct buf *out, const struct reply *reply, size_t body_len)
{
	size_t len = FIXED_MAX + strlen(reply->request_id) + body_len;
	if (reply->content_type != NULL)
		len += strlen(reply->content_type);
	if (reply->headers != NULL)
		len += strlen(reply->headers);
	if (reply->more_headers != NULL)
		len += strlen(reply->more_headers);
	return buf_reserve(out, len) != NULL;
}

/* A page, or the news that it is still the same. */
static bool has_own_policy(const struct reply *reply)
{
	static const char html[] = "text/html";

	return reply->status == 304 ||
	       (reply->content_type != NULL &&
		       strncmp(reply->content_type, html, sizeof html - 1) == 0);
}

static void write_status(struct buf *out, int status)
{
	const char *line = status_line(status);
	if (line != NULL) {
		buf_append_text(out, line);
		return;
	}
	CHECK(status >= 100 && status <= 999);
	buf_append_text(out, "HTTP/1.1 ");
	buf_append_i64(out, status);
	buf_append_char(out, ' ');
}

void reply_write(struct buf *out, const struct reply *reply)
{
	bool has_body = reply->content_type != NULL && !bodiless(reply->status);
	size_t body_len = has_body && !reply->head_only ? reply->body_len : 0;
	if (!reserve(out, reply, body_len)) {
		out->failed = true;
		return;
	}
	write_status(out, reply->status);
	if (has_body) {
		buf_append_text(out, "\r\nContent-Type: ");
		buf_append_text(out, reply->content_type);
	}
	if (reply->streamed) {
		if (reply->chunked)
			buf_append_text(out, "\r\nTransfer-Encoding: chunked");
	} else if (!bodiless(reply->status)) {
		buf_append_text(out, "\r\nContent-Length: ");
		buf_append_i64(out, has_body ? (int64_t)reply->body_len : 0);
	}
	buf_append_text(out, "\r\nX-Request-Id: ");
	buf_append_text(out, reply->request_id);
	if (reply->date != NULL) {
		buf_append_text(out, "\r\nDate: ");
		buf_append_text(out, reply->date);
	}
	if (reply->close)
		buf_append_text(out, "\r\nConnection: close");
	else if (reply->keep_alive)
		buf_append_text(out, "\r\nConnection: keep-alive");
	if (reply->no_store)
		buf_append_text(out, NO_STORE);
	if (has_own_policy(reply))
		buf_append(out, PAGE_SECURITY, sizeof PAGE_SECURITY - 1);
	else
		buf_append(out, SECURITY, sizeof SECURITY - 1);
	buf_append_text(out, "\r\n");
	if (reply->headers != NULL)
		buf_append_text(out, reply->headers);
	if (reply->more_headers != NULL)
		buf_append_text(out, reply->more_headers);
	buf_append_text(out, "\r\n");
	buf_append(out, reply->body, body_len);
}
