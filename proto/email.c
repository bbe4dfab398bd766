/* Two addresses that look the same shall be the same: what cannot be seen is refused. */
#include "proto/email.h"

#include <string.h>
#include "proto/base/check.h"

/* Blanks of any script, and what is not seen at all. */
static bool has_space(const char *text)
{
	static const char *const spaces[] = {" ", "\u00a0", "\u00ad", "\u1680", "\u2000", "\u2001",
		"\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
		"\u200a", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u202f", "\u205f",
		"\u2060", "\u3000", "\ufeff"};

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		if (strstr(text, spaces[i]) != NULL)
			return true;
	return false;
}

bool email_ok(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	       !has_space(text);
}
