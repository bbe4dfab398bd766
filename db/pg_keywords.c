/* What a lane connects with: the url, taken apart by libpq, with addresses in place of host names and the
 * session's parameters added. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db/pg_address.h"
#include "db/pg_private.h"
#include "proto/base/buf.h"
#include "proto/base/check.h"

enum { OPTIONS_MAX = 4096 }; /* bytes of the session's parameters */

void pg_one_line(const char *text, char *line, size_t size)
{
	snprintf(line, size, "%s", text ? text : "");
	char *end = line;
	for (const char *at = line; *at; at++) {
		bool space = *at == '\n' || *at == '\t' || *at == ' ';
		if (!space)
			*end++ = *at;
		else if (end > line && end[-1] != ' ')
			*end++ = ' ';
	}
	while (end > line && end[-1] == ' ')
		end--;
	*end = '\0';
}

/* Sets a keyword; `only_default`: unless it is set. */
static void keyword_set(
	struct pg_keywords *keywords, const char *keyword, const char *value, bool only_default)
{
	unsigned i = 0;
	while (i < keywords->count && strcmp(keywords->names[i], keyword))
		i++;
	if (i == keywords->count) {
		CHECK(i < PG_KEYWORDS_MAX);
		keywords->names[i] = must_strdup(keyword);
		keywords->count++;
	} else if (only_default) {
		return;
	}
	free(keywords->values[i]);
	keywords->values[i] = must_strdup(value);
}

static const char *keyword_get(const struct pg_keywords *keywords, const char *keyword)
{
	for (unsigned i = 0; i < keywords->count; i++)
		if (!strcmp(keywords->names[i], keyword))
			return keywords->values[i];
	return NULL;
}

static bool keywords_parse(
	struct pg_keywords *keywords, const char *url, char *why, size_t why_size)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &error);
	if (!options) {
		pg_one_line(error ? error : "out of memory", why, why_size);
		PQfreemem(error);
		return false;
	}
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val)
			keyword_set(keywords, option->keyword, option->val, false);
	PQconninfoFree(options);
	return true;
}

/* What a session starts with; the url's own options stand in front and stay where ours say nothing. */
static bool keywords_set_options(struct pg_keywords *keywords, const struct pg_settings *settings,
	char *why, size_t why_size)
{
	struct buf options = BUF_INIT(OPTIONS_MAX);
	const char *given = keyword_get(keywords, "options");
	if (!given)
		given = getenv("PGOPTIONS");
	buf_printf(&options,
		"%s -c lock_timeout=%u -c statement_timeout=%u"
		" -c idle_in_transaction_session_timeout=10000 -c tcp_keepalives_idle=15"
		" -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
		" -c TimeZone=UTC -c client_min_messages=warning -c jit=off"
		" -c plan_cache_mode=force_generic_plan",
		given ? given : "", settings->batch_lock_timeout_ms,
		settings->statement_timeout_ms);
	if (options.failed)
		snprintf(why, why_size, "options: too long");
	else
		keyword_set(keywords, "options", options.data, false);
	bool fit = !options.failed;
	buf_free(&options);
	return fit;
}

/* libpq looks names up blockingly, so it is given numbers. Without a host it takes PGHOST, or else a
 * socket of this machine. */
static bool keywords_set_addresses(struct pg_keywords *keywords, char *why, size_t why_size)
{
	const char *host = keyword_get(keywords, "host");
	const char *port = keyword_get(keywords, "port");
	if (!host)
		host = getenv("PGHOST");
	if (!port)
		port = getenv("PGPORT");
	if (!host || keyword_get(keywords, "hostaddr") || getenv("PGHOSTADDR"))
		return true;
	struct pg_addresses addresses;
	bool found = pg_addresses_find(&addresses, host, port, why, why_size);
	if (found && addresses.any_number) {
		keyword_set(keywords, "host", addresses.hosts.data, false);
		keyword_set(keywords, "hostaddr", addresses.numbers.data, false);
		keyword_set(
			keywords, "port", addresses.ports.data ? addresses.ports.data : "", false);
	}
	pg_addresses_free(&addresses);
	return found;
}

bool pg_keywords_set(struct pg_keywords *keywords, const struct pg_settings *settings, char *why,
	size_t why_size)
{
	if (!keywords_parse(keywords, settings->url, why, why_size) ||
		!keywords_set_options(keywords, settings, why, why_size) ||
		!keywords_set_addresses(keywords, why, why_size))
		return false;
	keyword_set(keywords, "client_encoding", "UTF8", false);
	keyword_set(keywords, "application_name", "onsale", true);
	keyword_set(keywords, "target_session_attrs", "read-write", true);
	keyword_set(keywords, "gssencmode", "disable", true);
	keyword_set(keywords, "keepalives_idle", "15", true);
	keyword_set(keywords, "keepalives_interval", "5", true);
	keyword_set(keywords, "keepalives_count", "3", true);
	return true;
}

void pg_keywords_free(struct pg_keywords *keywords)
{
	for (unsigned i = 0; i < keywords->count; i++) {
		free(keywords->names[i]);
		free(keywords->values[i]);
	}
}
