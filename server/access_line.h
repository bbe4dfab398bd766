/* A request as one line of the log, of what is known of it at its end. Pure.
 *
 *   {"time":"2026-11-21T10:00:00.000Z","level":"info","request_id":"…","trace_id":"…","span_id":"…",
 *    "method":"POST","route":"/v1/events/{}/queue","status":201,"problem":"…","us":1234,"parse_us":10,
 *    "redis_us":900,"postgresql_us":0,"reply_us":324,"bytes":310,"user_id":17,"remote":"192.0.2.1",
 *    "replayed":true,"client_gone":true}
 *
 * What there is none of has no member. The trace and the span are the caller's, as its traceparent names them: where
 * none comes, or one that is not valid, none is made up. Neither the path that was sent nor its query stands in it,
 * nor anything that a client keeps secret or is known by elsewhere. */
#ifndef ONSALE_SERVER_ACCESS_LINE_H
#define ONSALE_SERVER_ACCESS_LINE_H

#include "proto/address.h"
#include "proto/base/log.h"
#include "proto/header.h"
#include "server/observe.h"

struct access_line {
	const struct observation *request;
	const char *method, *route; /* the route's pattern */
	int64_t unix_ms;
	bool traced;
	struct trace trace; /* the caller's, where `traced` */
	bool has_address;
	struct address address; /* the client's */
};

/* How grave it is that the reply has this status. */
enum log_level access_line_level(int status);

/* As log_format says. */
void access_line_write(const struct access_line *line, struct log_text *text);

#endif
