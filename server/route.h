/* The one table of routes: method, path, guard, flow. */
#ifndef ONSALE_SERVER_ROUTE_H
#define ONSALE_SERVER_ROUTE_H

#include <stdio.h>

struct app;
struct conn;
struct http_parser;

/* Answers a whole request, now or later: finds its route, checks who asks, starts its flow. */
void route_request(struct app *app, struct conn *conn, struct http_parser *parser);

/* The client's own request id where it sent a sane one, else a new one. id: REQUEST_ID_SIZE bytes. */
void request_id_make(const char *sent, char *id);

/* A line a route: method, path, and whom its guard lets in (none: everybody; user; admin). */
void routes_print(FILE *out);

#endif
