/* Bytes go from the wire to the text of the body, chunk by chunk, and from there to events, block by block. */
#include "tests/support/events.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "tests/support/wait.h"

enum { TEXT_MAX = 64 * 1024 * 1024, READ_SIZE = 64 * 1024, CHUNK_LINE_MAX = 18 };

static const char *const names[] = {"message", "end", "problem"};

/* More than 0: bytes came; 0: the end; -1: nothing in time. */
static ssize_t read_more(struct events *events, uint64_t end_ms)
{
	struct pollfd poller = {.fd = events->wire.fd, .events = POLLIN};
	uint64_t now = now_ms();
	struct buf *in = &events->wire.in;

	if (poll(&poller, 1, now < end_ms ? (int)(end_ms - now) : 0) <= 0)
		return -1;
	char *room = buf_reserve(in, READ_SIZE);
	cr_assert(room != NULL);
	ssize_t got = recv(events->wire.fd, room, READ_SIZE, 0);
	in->len += got > 0 ? (size_t)got : 0;
	return got < 0 ? 0 : got;
}

static void read_head(struct events *events, uint64_t end_ms)
{
	struct buf *in = &events->wire.in;
	const char *end = NULL;
	ssize_t got = 1;

	for (; end == NULL && got > 0; got = end == NULL ? read_more(events, end_ms) : got)
		end = in->len > 0 ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
	cr_assert(end != NULL, "no head came");
	size_t len = (size_t)(end - in->data) + 2;
	events->head.head = strndup(in->data, len);
	events->head.status = (int)strtol(in->data + strlen("HTTP/1.1 "), NULL, 10);
	buf_drop(in, len + 2);
}

void events_open_raw(struct events *events, int port, const char *request, int receive_bytes)
{
	*events = (struct events){.text = BUF_INIT(TEXT_MAX)};
	wire_open(&events->wire, port, receive_bytes);
	cr_assert(wire_send_text(&events->wire, request));
	read_head(events, now_ms() + EVENTS_LIMIT_MS);
	const struct answer *head = &events->head;
	cr_assert(
		head->status == 200 && answer_header_is(head, "content-type", "text/event-stream"),
		"no stream: %s%.*s", head->head, (int)events->wire.in.len, events->wire.in.data);
	cr_assert(answer_header_is(head, "cache-control", "no-store"));
	cr_assert(strcasestr(head->head, "\r\nContent-Length:") == NULL);
	events->chunked = answer_header_is(head, "transfer-encoding", "chunked");
}

void events_open(struct events *events, int port, const struct call *call, int receive_bytes)
{
	struct buf bytes = BUF_INIT(CALL_SIZE_MAX);

	call_write(call, &bytes);
	events_open_raw(events, port, bytes.data, receive_bytes);
	buf_free(&bytes);
}

static void forget(struct events *events)
{
	answer_clear(&events->head);
	buf_free(&events->text);
}

void events_close(struct events *events)
{
	wire_close(&events->wire);
	forget(events);
}

void events_reset(struct events *events)
{
	wire_reset(&events->wire);
	forget(events);
}

/* Moves one chunk, where a whole one is there. */
static bool take_chunk(struct events *events)
{
	struct buf *in = &events->wire.in;
	const char *line = in->len > 0 ? memmem(in->data, in->len, "\r\n", 2) : NULL;
	char *rest;

	if (line == NULL)
		return false;
	cr_assert(line - in->data < CHUNK_LINE_MAX && strchr("0123456789abcdef", in->data[0]));
	size_t len = strtoul(in->data, &rest, 16), start = (size_t)(line - in->data) + 2;
	cr_assert(rest == line, "not a chunk: %.20s", in->data);
	if (in->len < start + len + 2)
		return false;
	cr_assert(memcmp(in->data + start + len, "\r\n", 2) == 0, "a chunk without an end");
	buf_append(&events->text, in->data + start, len);
	buf_drop(in, start + len + 2);
	events->ended = len == 0;
	cr_assert(!events->ended || in->len == 0, "%zu bytes after the last chunk", in->len);
	return true;
}

static void take_text(struct events *events, bool at_end)
{
	if (events->chunked) {
		while (!events->ended && take_chunk(events))
			;
		return;
	}
	buf_append(&events->text, events->wire.in.data, events->wire.in.len);
	buf_clear(&events->wire.in);
	events->ended = at_end;
}

/* One line of a block. */
static void read_line(struct events *events, const char *line, size_t len, struct answer *event,
	const char **name)
{
	char *copy = strndup(line, len);

	if (strncmp(copy, "retry: ", 7) == 0) {
		events->retry_ms = strtol(copy + 7, NULL, 10);
	} else if (strncmp(copy, "event: ", 7) == 0) {
		*name = NULL;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strcmp(copy + 7, names[i]) == 0)
				*name = names[i];
		cr_assert(*name != NULL, "an unknown event: %s", copy);
	} else if (strncmp(copy, "data: ", 6) == 0) {
		cr_assert(event->body == NULL, "data of two lines: %s", copy);
		*event = (struct answer){
			.status = 200, .body = strdup(copy + 6), .body_len = len - 6};
	} else {
		cr_assert(copy[0] == ':', "not a line of an event: '%s'", copy);
		events->comments++;
	}
	free(copy);
}

/* True where a block with data was there. */
static bool take_event(struct events *events, struct answer *event, const char **name)
{
	struct buf *text = &events->text;
	const char *end;

	while (text->len > 0 && (end = memmem(text->data, text->len, "\n\n", 2)) != NULL) {
		*name = names[0];
		*event = (struct answer){0};
		for (const char *line = text->data; line <= end;) {
			const char *next = memchr(line, '\n', (size_t)(end + 1 - line));
			read_line(events, line, (size_t)(next - line), event, name);
			line = next + 1;
		}
		buf_drop(text, (size_t)(end - text->data) + 2);
		if (event->body != NULL)
			return true;
	}
	return false;
}

enum events_result events_next(
	struct events *events, struct answer *event, const char **name, unsigned limit_ms)
{
	uint64_t end_ms = now_ms() + limit_ms;
	ssize_t got = 1;

	for (;;) {
		take_text(events, got == 0);
		if (take_event(events, event, name))
			return EVENTS_EVENT;
		if (events->ended)
			return EVENTS_END;
		if (got == 0)
			return EVENTS_CUT;
		got = read_more(events, end_ms);
		if (got < 0)
			return EVENTS_SILENT;
	}
}

struct answer events_expect(struct events *events)
{
	struct answer event = {0};
	const char *name = NULL;
	enum events_result result = events_next(events, &event, &name, EVENTS_LIMIT_MS);

	cr_assert(result == EVENTS_EVENT, "no event (%d)", (int)result);
	cr_assert_str_eq(name, names[0], "%s: %s", name, event.body);
	return event;
}

struct answer events_until(struct events *events, const char *member, const char *value)
{
	uint64_t end_ms = now_ms() + EVENTS_LIMIT_MS;
	struct answer event = events_expect(events);

	while (!answer_is(&event, member, value)) {
		cr_assert(now_ms() < end_ms, "never %s %s: %s", member, value, event.body);
		answer_clear(&event);
		event = events_expect(events);
	}
	return event;
}

void events_expect_end(struct events *events, const char *code)
{
	struct answer event = {0};
	const char *name = names[0];
	enum events_result result = EVENTS_EVENT;

	while (result == EVENTS_EVENT && strcmp(name, "end") != 0) {
		answer_clear(&event);
		result = events_next(events, &event, &name, EVENTS_LIMIT_MS);
	}
	cr_assert(result == EVENTS_EVENT, "no end came (%d)", (int)result);
	cr_assert(answer_is(&event, "code", code), "%s", event.body);
	answer_clear(&event);
	cr_assert(events_next(events, &event, &name, EVENTS_LIMIT_MS) == EVENTS_END);
}
