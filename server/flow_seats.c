/* The seats of a performance, as a list or as one letter each, from the seat map.
 *   seats_start -> (the performance is looked for once more -> performance_known) -> map_had -> end */
#include <stdio.h>
#include <string.h>
#include "proto/gzip.h"
#include "server/catalog.h"
#include "server/flow.h"
#include "server/flows.h"
#include "server/seat_map.h"

enum { TAGS_MAX = 512 };

struct seats {
	struct flow flow;
	int64_t performance_id;
	bool letters; /* seats/status */
	bool gzip; /* the client takes it compressed */
	char if_none_match[TAGS_MAX]; /* "" where there is none, or it is longer */
	struct catalog_wait catalog;
	struct seat_map_wait map;
};

static void performance_known(struct catalog_wait *wait);
static void get_map(struct seats *seats);
static void map_had(struct seat_map_wait *wait, struct seat_bodies *bodies);

static void start(const struct request *request, bool letters)
{
	const char *tags = http_header(request->parser, "if-none-match");
	struct seats *seats = flow_new(sizeof *seats, request);

	if (seats == NULL)
		return;
	seats->performance_id = request->path_ids[0];
	seats->letters = letters;
	seats->gzip = gzip_accepted(http_header(request->parser, "accept-encoding"));
	seats->map = (struct seat_map_wait){.done = map_had, .owner = seats};
	if (tags != NULL && strlen(tags) < TAGS_MAX)
		strcpy(seats->if_none_match, tags);
	if (catalog_performance(request->app->catalog, seats->performance_id) != NULL) {
		get_map(seats);
		return;
	}
	seats->catalog.done = performance_known;
	seats->catalog.owner = seats;
	catalog_refresh(request->app->catalog, &seats->catalog);
}

void seats_start(const struct request *request)
{
	start(request, false);
}

void seats_status_start(const struct request *request)
{
	start(request, true);
}

static void performance_known(struct catalog_wait *wait)
{
	struct seats *seats = wait->owner;
	struct app *app = seats->flow.app;

	if (catalog_performance(app->catalog, seats->performance_id) != NULL)
		get_map(seats);
	else
		flow_fail(&seats->flow, catalog_loaded(app->catalog) ? PROBLEM_PERFORMANCE_NOT_FOUND
								     : PROBLEM_UNAVAILABLE);
}

/* Readers keep the count going by which a map is judged. */
static void get_map(struct seats *seats)
{
	struct app *app = seats->flow.app;
	struct seat_bodies *bodies = seat_map_young(app->seat_maps, seats->performance_id);

	catalog_touch(catalog_performance(app->catalog, seats->performance_id)->event);
	app->counters.seat_map_hits += bodies != NULL;
	app->counters.seat_map_misses += bodies == NULL;
	if (bodies != NULL)
		map_had(&seats->map, bodies);
	else
		seat_map_read(app->seat_maps, seats->performance_id, &seats->map);
}

static void map_had(struct seat_map_wait *wait, struct seat_bodies *bodies)
{
	struct seats *seats = wait->owner;
	const struct seat_body *body = NULL;
	bool packed = false;
	char headers[256], stale[80] = "";

	if (bodies != NULL)
		body = seat_bodies_get(bodies, seats->letters ? SEAT_BODY_LETTERS : SEAT_BODY_LIST,
			seats->gzip, &packed);
	if (body == NULL) {
		flow_fail(&seats->flow, PROBLEM_UNAVAILABLE);
		return;
	}
	bool same = header_has_tag(seats->if_none_match, body->tag);
	unsigned stale_s = seat_map_stale_s(seats->flow.app->seat_maps, seats->performance_id);
	if (stale_s > 0) /* RFC 9211: a time to live below 0 */
		snprintf(stale, sizeof stale, "Age: %u\r\nCache-Status: onsale; hit; ttl=-%u\r\n",
			stale_s, stale_s);
	snprintf(headers, sizeof headers,
		"ETag: %s\r\nCache-Control: public, max-age=1\r\nVary: Accept-Encoding\r\n%s%s",
		body->tag, packed && !same ? "Content-Encoding: gzip\r\n" : "", stale);
	if (same)
		flow_reply_empty(&seats->flow, 304, headers);
	else
		flow_reply(&seats->flow, 200, "application/json", headers, body->bytes.data,
			body->bytes.len);
}
