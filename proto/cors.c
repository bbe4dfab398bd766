/* The origin that is sent back is the list's own text: nothing of the client's gets into a reply's head. */
#include "proto/cors.h"

#include <string.h>

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* The next element, trimmed; its length 0 where it is empty. NULL at the list's end. */
static const char *next_origin(const char **list, size_t *len)
{
	const char *at = skip_blanks(*list), *end = at + strcspn(at, ",");

	if (*at == '\0')
		return NULL;
	*list = *end == ',' ? end + 1 : end;
	*len = (size_t)(end - at);
	while (*len > 0 && strchr(" \t", at[*len - 1]) != NULL)
		--*len;
	return at;
}

static bool origin_ok(const char *origin, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-:[]";
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t scheme_len = strlen(schemes[i]);
		if (len > scheme_len && memcmp(origin, schemes[i], scheme_len) == 0)
			return strspn(origin + scheme_len, allowed) >= len - scheme_len;
	}
	return false;
}

bool cors_list_ok(const char *list)
{
	const char *origin;
	size_t len;

	while ((origin = next_origin(&list, &len)) != NULL)
		if (!origin_ok(origin, len))
			return false;
	return true;
}

static const char *find(const char *list, const char *origin, size_t *len)
{
	const char *found;

	while (origin != NULL && (found = next_origin(&list, len)) != NULL)
		if (*len > 0 && strlen(origin) == *len && memcmp(found, origin, *len) == 0)
			return found;
	return NULL;
}

bool cors_allows(const char *list, const char *origin)
{
	size_t len;

	return find(list, origin, &len) != NULL;
}

void cors_write(struct buf *out, const char *list, const char *origin)
{
	size_t len;

	if (*list == '\0')
		return;
	const char *found = find(list, origin, &len);
	if (found != NULL) {
		buf_append_text(out, "Access-Control-Allow-Origin: ");
		buf_append(out, found, len);
		buf_append_text(out,
			"\r\nAccess-Control-Expose-Headers: Age, Allow, Cache-Status, ETag, Idempotent-Replayed, RateLimit, "
			"RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id\r\n");
	}
	buf_append_text(out, "Vary: Origin\r\n");
}

void cors_write_preflight(struct buf *out, const char *methods)
{
	buf_append_text(out, "Access-Control-Allow-Methods: ");
	buf_append_text(out, methods);
	buf_append_text(out,
		"\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, "
		"If-None-Match, X-Queue-Pass, X-Queue-Token, X-Request-Id\r\n"
		"Access-Control-Max-Age: 600\r\n");
}
