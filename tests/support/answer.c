/* Replies are read as strictly as the tests need: a status line, header lines, Content-Length bytes. */
#include "tests/support/answer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "proto/base/check.h"

static const char *find_header(const char *head, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
			continue;
		const char *value = line + name_len + 1;
		value += strspn(value, " \t");
		*len = strcspn(value, "\r");
		return value;
	}
	return NULL;
}

/* Compressed bytes may be any: strndup would stop at the first NUL. */
static char *copy_bytes(const char *bytes, size_t len)
{
	char *copy = must_malloc(len + 1);

	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

static bool bodiless(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* … which has no length, and no end to be waited for (tests/support/events.h reads it). */
static bool is_stream(const char *head)
{
	size_t len;
	const char *type = find_header(head, "content-type", &len);

	return type != NULL && strncmp(type, "text/event-stream\r", 18) == 0;
}

enum answer_parse answer_read(
	struct answer *answer, const char *bytes, size_t len, bool to_head, size_t *taken)
{
	static const char version[] = "HTTP/1.1 ";
	const char *end = bytes == NULL ? NULL : memmem(bytes, len, "\r\n\r\n", 4);

	if (end == NULL)
		return ANSWER_MORE;
	size_t head_len = (size_t)(end - bytes) + 2, value_len;
	char *head = strndup(bytes, head_len);
	int status = 0;
	size_t body_len = 0;
	if (strncmp(head, version, sizeof version - 1) == 0)
		status = (int)strtol(head + sizeof version - 1, NULL, 10);
	const char *length = find_header(head, "content-length", &value_len);
	bool stream = is_stream(head);
	if (length != NULL && !to_head && !bodiless(status))
		body_len = strtoul(length, NULL, 10);
	bool broken = strlen(head) != head_len || status < 100 || status > 999 ||
		      (length == NULL && !bodiless(status) && !stream);
	if (broken || (stream && !to_head) || len - head_len - 2 < body_len) {
		free(head);
		return broken ? ANSWER_BROKEN : ANSWER_MORE;
	}
	*taken = head_len + 2 + body_len;
	*answer = (struct answer){.status = status,
		.head = head,
		.body = copy_bytes(bytes + head_len + 2, body_len),
		.body_len = body_len};
	return ANSWER_WHOLE;
}

void answer_clear(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->head);
	free(answer->body);
	*answer = (struct answer){0};
}

bool answer_header(const struct answer *answer, const char *name, char *value, size_t size)
{
	size_t len;
	const char *found = answer->head == NULL ? NULL : find_header(answer->head, name, &len);

	if (found == NULL)
		return false;
	cr_assert(len < size, "the header %s is longer than %zu", name, size);
	memcpy(value, found, len);
	value[len] = '\0';
	return true;
}

bool answer_header_is(const struct answer *answer, const char *name, const char *value)
{
	char found[512];

	return answer_header(answer, name, found, sizeof found) && strcmp(found, value) == 0;
}

const json_t *answer_json(struct answer *answer)
{
	if (answer->json == NULL && answer->body != NULL)
		answer->json = json_loadb(
			answer->body, answer->body_len, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(answer->json != NULL, "%d without a JSON body: '%s'", answer->status,
		answer->body != NULL ? answer->body : "");
	return answer->json;
}

int64_t answer_int(struct answer *answer, const char *member)
{
	const json_t *value = json_object_get(answer_json(answer), member);

	cr_assert(json_is_integer(value), "%d: no integer '%s' in %s", answer->status, member,
		answer->body);
	return json_integer_value(value);
}

const char *answer_text(struct answer *answer, const char *member)
{
	const json_t *value = json_object_get(answer_json(answer), member);

	cr_assert(json_is_string(value), "%d: no text '%s' in %s", answer->status, member,
		answer->body);
	return json_string_value(value);
}

bool answer_is(struct answer *answer, const char *member, const char *value)
{
	const char *found = json_string_value(json_object_get(answer_json(answer), member));

	return found != NULL && strcmp(found, value) == 0;
}
