/* A poll that is not logged costs a few instructions here: nothing is looked for before its line is due. */
#include "server/access_log.h"

#include <stdlib.h>
#include "config/settings.h"
#include "proto/base/clock.h"
#include "proto/http.h"
#include "server/access_line.h"
#include "server/client_address.h"
#include "server/net.h"
#include "server/route.h"

struct access_log {
	const struct networks *trusted;
	uint64_t sample; /* one in so many repeated reads has a line; 0: none */
	uint64_t passed_over; /* since the last one */
};

struct access_log *access_log_new(const struct settings *settings, const struct networks *trusted)
{
	if (!settings->log_requests)
		return NULL;
	struct access_log *log = must_calloc(1, sizeof *log);
	log->trusted = trusted;
	log->sample = (uint64_t)settings->log_poll_sample;
	return log;
}

void access_log_free(struct access_log *log)
{
	free(log);
}

/* Of those that are sampled the last of every so many is logged, so that a quiet server says nothing of its
 * probes. */
static bool is_due(struct access_log *log, const struct observation *request)
{
	if (!log_enabled(access_line_level(request->status)))
		return false;
	if (request->status >= 400 || !route_is_repeated(request->trail->route))
		return true;
	if (log->sample == 0 || ++log->passed_over < log->sample)
		return false;
	log->passed_over = 0;
	return true;
}

/* Of the request itself, which is there as long as somebody waits for the reply. */
static void read_request(const struct access_log *log, struct access_line *line)
{
	const struct conn *conn = line->request->conn;
	struct http_parser *parser = conn_parser(conn);

	line->has_address = true;
	line->address = client_address_of(log->trusted, conn);
	if (line->request->trail->route == ROUTE_INVALID)
		return;
	line->method = http_method_name(http_parser_request(parser)->method);
	line->traced = header_traceparent(http_header_once(parser, "traceparent"), &line->trace);
}

void access_log_note(void *context, const struct observation *observation)
{
	struct access_log *log = context;
	struct access_line line = {.request = observation};
	struct log_text text;

	if (!is_due(log, observation))
		return;
	line.method = route_method(observation->trail->route);
	line.route = route_path(observation->trail->route);
	line.unix_ms = clock_unix_ms();
	if (observation->conn != NULL)
		read_request(log, &line);
	access_line_write(&line, &text);
	log_put(&text);
}
