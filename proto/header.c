/* HTTP's own parser has seen to it that no control character is in a value, but for tabs. */
#include "proto/header.h"

#include <string.h>
#include <strings.h>

bool header_is_json(const char *content_type)
{
	static const char json[] = "application/json";
	size_t len = sizeof json - 1;

	return content_type != NULL && strncasecmp(content_type, json, len) == 0 &&
	       strchr("; \t", content_type[len]) != NULL;
}

const char *header_bearer(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
		return NULL;
	return authorization + sizeof scheme - 1;
}

bool header_idempotency_key(const char *value, const char **key, size_t *len)
{
	if (value == NULL)
		return false;
	*key = value;
	*len = strlen(value);
	if (*len >= 2 && value[0] == '"' && value[*len - 1] == '"') {
		*key += 1;
		*len -= 2;
	}
	if (*len == 0 || *len > IDEMPOTENCY_KEY_MAX)
		return false;
	for (size_t i = 0; i < *len; i++)
		if ((*key)[i] < 0x20 || (*key)[i] > 0x7e)
			return false;
	return true;
}

bool header_request_id_ok(const char *value)
{
	static const char sane[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = value != NULL ? strlen(value) : 0;

	return len > 0 && len < REQUEST_ID_SIZE && strspn(value, sane) == len;
}

/* Takes `len` digits of lower-case hexadecimal, and moves on. some: not all of them are 0. */
static bool take_hex(const char **value, size_t len, char *digits, bool *some)
{
	if (strspn(*value, "0123456789abcdef") < len)
		return false;
	memcpy(digits, *value, len);
	digits[len] = '\0';
	*some = strspn(digits, "0") < len;
	*value += len;
	return true;
}

static bool take_dash(const char **value)
{
	return *(*value)++ == '-';
}

bool header_traceparent(const char *value, struct trace *trace)
{
	char version[3], flags[3];
	bool later, trace_is_one, span_is_one, flagged;

	if (value == NULL || !take_hex(&value, 2, version, &later) || !take_dash(&value) ||
		!take_hex(&value, 32, trace->trace_id, &trace_is_one) || !take_dash(&value) ||
		!take_hex(&value, 16, trace->span_id, &span_is_one) || !take_dash(&value) ||
		!take_hex(&value, 2, flags, &flagged))
		return false;
	if (strcmp(version, "ff") == 0 || !trace_is_one || !span_is_one)
		return false;
	return *value == '\0' || (later && *value == '-');
}

bool header_has_tag(const char *if_none_match, const char *tag)
{
	return if_none_match != NULL &&
	       (strcmp(if_none_match, "*") == 0 || strstr(if_none_match, tag) != NULL);
}
