/* Two shapes hold passwords: a URL's user part, and the keyword "password" of libpq, which also stands
 * in a URL's query and inside of other keywords (sslpassword). Where the shape is doubtful, too much is
 * hidden rather than too little. */
#include "config/mask.h"

#include <stdbool.h>
#include <string.h>

/* The end of the password that starts here: of a libpq keyword (quoted or not) or of a query. */
static const char *password_end(const char *at)
{
	const char *enders = *at == '\'' ? "'" : " \t&";
	bool quoted = *at == '\'';
	for (at += quoted; *at != '\0' && strchr(enders, *at) == NULL; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	return quoted && *at == '\'' ? at + 1 : at;
}

/* The password of scheme://user:password@host, where there is one: from behind the first colon to the
 * last '@' there is. A password may hold '@', '/' and '?' that somebody forgot to encode. */
static bool url_password(const char *url, const char **start, const char **end)
{
	const char *authority = strstr(url, "://");
	if (authority == NULL)
		return false;
	authority += 3;
	const char *at = strrchr(authority, '@');
	const char *colon = at != NULL ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (colon == NULL)
		return false;
	*start = colon + 1;
	*end = at;
	return true;
}

static bool keyword_password(const char *text, const char **start, const char **end)
{
	for (const char *word = strcasestr(text, "password"); word != NULL;
		word = strcasestr(word + 1, "password")) {
		const char *at = word + strlen("password");
		at += strspn(at, " \t");
		if (*at != '=')
			continue;
		at++;
		at += strspn(at, " \t");
		*start = at;
		*end = password_end(at);
		return true;
	}
	return false;
}

void mask_passwords(struct buf *out, const char *text)
{
	const char *start, *end;
	if (url_password(text, &start, &end)) {
		buf_append(out, text, (size_t)(start - text));
		buf_append_text(out, "***");
		text = end;
	}
	while (keyword_password(text, &start, &end)) {
		buf_append(out, text, (size_t)(start - text));
		buf_append_text(out, "***");
		text = end;
	}
	buf_append_text(out, text);
}
