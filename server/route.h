/* The one table of routes: method, path, guard, flow. */
#ifndef ONSALE_SERVER_ROUTE_H
#define ONSALE_SERVER_ROUTE_H

#include <stdio.h>

struct app;
struct conn;
struct http_parser;

/* Routes by number, for what is counted: what is none of the table first. */
enum route_number {
	ROUTE_INVALID, /* no HTTP that is understood */
	ROUTE_UNKNOWN, /* no such path, or not with this method */
	ROUTE_OPTIONS,
	ROUTE_FILE, /* of the page */
	ROUTE_TABLE /* from here on the table's rows */
};
unsigned route_count(void);

/* Its method (HEAD counts as GET) and the pattern of its path, "/v1/events/{}". */
const char *route_method(unsigned route);
const char *route_path(unsigned route);

/* Answers a whole request, now or later: finds its route, checks who asks, starts its flow. */
void route_request(struct app *app, struct conn *conn, struct http_parser *parser);

/* The client's own request id where it sent a sane one, else a new one. id: REQUEST_ID_SIZE bytes. */
void request_id_make(const char *sent, char *id);

/* A line a route: method, path, and whom its guard lets in (none: everybody; user; admin). */
void routes_print(FILE *out);

#endif
