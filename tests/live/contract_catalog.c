/* The contract's rows on what is on sale: events, performances, seat maps. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "tests/support/wait.h"
#include "tests/support/world.h"

enum { PRICE = 1500, KNOWN_LIMIT_MS = 15000 };

TestSuite(contract_catalog, .timeout = 60);

static struct answer *get(struct world *world, const char *path, int status, const char *code)
{
	return expect(world, &(struct call){.method = "GET", .path = path}, status, code);
}

static const char *sale_path(struct world *world, const char *rest)
{
	return textf(world, "/v1/performances/%lld/seats%s", (long long)world->sale.performance_id,
		rest);
}

static void check_event(const json_t *event, const struct sale *sale)
{
	const json_t *queue = json_object_get(event, "queue");

	cr_assert(json_integer_value(json_object_get(event, "id")) == sale->event_id);
	cr_assert(json_is_string(json_object_get(event, "title")) &&
		  json_is_string(json_object_get(event, "venue")) &&
		  json_object_get(event, "sale_opens_at") != NULL);
	cr_assert(json_is_true(json_object_get(queue, "enabled")) &&
		  json_is_false(json_object_get(queue, "paused")) &&
		  json_is_integer(json_object_get(queue, "waiting")) &&
		  json_is_integer(json_object_get(queue, "active")));
}

Test(contract_catalog, events)
{
	struct world *world = world_open(NULL);
	struct sale second;

	world_fill(world, 0, 0, &(struct sale_options){.queue = true});
	sale_open(world, &second, &(struct sale_options){.queue = true});
	struct answer *answer = get(world, "/v1/events", 200, NULL);
	const json_t *items = json_object_get(answer_json(answer), "items");
	cr_assert(json_array_size(items) == 2 &&
		  json_is_null(json_object_get(answer_json(answer), "next")));
	check_event(json_array_get(items, 0), &world->sale);
	answer = get(world, "/v1/events?limit=1", 200, NULL);
	cr_assert(json_array_size(json_object_get(answer_json(answer), "items")) == 1);
	int64_t next = answer_int(answer, "next");
	answer = get(
		world, textf(world, "/v1/events?limit=1&after=%lld", (long long)next), 200, NULL);
	items = json_object_get(answer_json(answer), "items");
	cr_assert(json_array_size(items) == 1 &&
		  json_is_null(json_object_get(answer_json(answer), "next")));
	check_event(json_array_get(items, 0), &second);
	get(world, "/v1/events?limit=0", 422, "validation_failed");
	get(world, "/v1/events?limit=%zz", 422, "validation_failed");
	get(world, "/v1/events?after=x", 422, "validation_failed");
	sale_close(&second);
	world_close(world);
}

Test(contract_catalog, one_event)
{
	struct world *world = world_open(NULL);

	world_fill(world, 0, 0, &(struct sale_options){.queue = true});
	struct answer *answer = get(
		world, textf(world, "/v1/events/%lld", (long long)world->sale.event_id), 200, NULL);
	check_event(answer_json(answer), &world->sale);
	get(world, "/v1/events/999999", 404, "event_not_found");
	get(world, "/v1/events/0", 404, "not_found");
	get(world, "/v1/events/-1", 404, "not_found");
	get(world, "/v1/events/99999999999999999999", 404, "not_found");
	world_close(world);
}

/* Says how many seats of the one performance are left; -1 where it is not in the list. */
static int64_t seats_left(struct world *world, const char *query)
{
	const char *path = textf(
		world, "/v1/events/%lld/performances%s", (long long)world->sale.event_id, query);
	const json_t *items = json_object_get(answer_json(get(world, path, 200, NULL)), "items");
	const json_t *item = json_array_get(items, 0);

	if (item == NULL)
		return -1;
	cr_assert(json_integer_value(json_object_get(item, "id")) == world->sale.performance_id);
	cr_assert(json_integer_value(json_object_get(item, "event_id")) == world->sale.event_id);
	cr_assert(json_integer_value(json_object_get(item, "seats_total")) == 1);
	cr_assert_str_eq(
		json_string_value(json_object_get(item, "starts_at")), "2030-01-01T19:00:00.000Z");
	cr_assert(json_integer_value(json_object_get(item, "seats_per_hold")) == 10);
	cr_assert(json_integer_value(json_object_get(item, "seats_per_person")) == 10);
	return json_integer_value(json_object_get(item, "seats_available"));
}

static bool none_is_left(void *context)
{
	return seats_left(context, "?available=true") == -1 && seats_left(context, "") == 0;
}

Test(contract_catalog, performances)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 0, &(struct sale_options){.seats_per_row = 1});
	cr_assert(seats_left(world, "") == 1 && seats_left(world, "?available=true") == 1);
	hold_seat(world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	cr_assert(wait_until(none_is_left, world, KNOWN_LIMIT_MS));
	get(world, "/v1/events/999999/performances", 404, "event_not_found");
	world_close(world);
}

/* What one may ask for, as the settings have it. */
Test(contract_catalog, limits_of_seats)
{
	struct world *world = world_open(&(struct world_options){
		.flags = {"--seat.per_hold_max=3", "--seat.per_user_max=0"}});

	world_fill(world, 1, 0, &(struct sale_options){0});
	const char *path = textf(
		world, "/v1/events/%lld/performances", (long long)world->sale.event_id);
	const json_t *items = json_object_get(answer_json(get(world, path, 200, NULL)), "items");
	const json_t *item = json_array_get(items, 0);
	cr_assert(json_integer_value(json_object_get(item, "seats_per_hold")) == 3);
	cr_assert(json_is_null(json_object_get(item, "seats_per_person")));
	world_close(world);
}

/* The one seat's status, by either call. */
static const char *seat_status(struct world *world)
{
	const json_t *seats = json_object_get(
		answer_json(get(world, sale_path(world, ""), 200, NULL)), "seats");

	return json_string_value(json_object_get(json_array_get(seats, 0), "status"));
}

static const char *seat_letters(struct world *world)
{
	return answer_text(get(world, sale_path(world, "/status"), 200, NULL), "status");
}

struct awaited {
	struct world *world;
	const char *status, *letters;
};

static bool shows(void *context)
{
	const struct awaited *awaited = context;

	return strcmp(seat_status(awaited->world), awaited->status) == 0 &&
	       strcmp(seat_letters(awaited->world), awaited->letters) == 0;
}

Test(contract_catalog, seats_change_hands)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 2 * PRICE, &(struct sale_options){.seats_per_row = 2, .price = PRICE});
	cr_assert_str_eq(seat_letters(world), "AA");
	int64_t id = hold_seat(
		world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	cr_assert(wait_until(shows, &(struct awaited){world, "held", "HA"}, KNOWN_LIMIT_MS));
	struct call pay = {.method = "POST",
		.jwt = world->people.list[0].jwt,
		.key = "pay",
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id)};
	expect(world, &pay, 201, NULL);
	cr_assert(wait_until(shows, &(struct awaited){world, "sold", "SA"}, KNOWN_LIMIT_MS));
	world_close(world);
}

Test(contract_catalog, seat_map)
{
	struct world *world = world_open(NULL);

	world_fill(world, 0, 0,
		&(struct sale_options){.rows = 28, .seats_per_row = 2, .price = PRICE});
	struct answer *answer = get(world, sale_path(world, ""), 200, NULL);
	const json_t *seats = json_object_get(answer_json(answer), "seats");
	cr_assert(answer_int(answer, "performance_id") == world->sale.performance_id);
	cr_assert(json_object_get(answer_json(answer), "version") != NULL);
	for (size_t i = 0; i < json_array_size(seats); i++) {
		const json_t *seat = json_array_get(seats, i);
		const char *row = i / 2 < 26 ? (char[]){(char)('A' + i / 2), '\0'}
					     : (char[]){'A', (char)('A' + i / 2 - 26), '\0'};
		cr_assert_str_eq(json_string_value(json_object_get(seat, "section")), "Floor");
		cr_assert_str_eq(json_string_value(json_object_get(seat, "row")), row);
		cr_assert(json_integer_value(json_object_get(seat, "number")) ==
			  (json_int_t)(i % 2 + 1));
		cr_assert(json_integer_value(json_object_get(seat, "price")) == PRICE);
		cr_assert_str_eq(json_string_value(json_object_get(seat, "status")), "available");
	}
	answer = get(world, sale_path(world, "/status"), 200, NULL);
	cr_assert(strlen(answer_text(answer, "status")) == 56);
	cr_assert(answer_int(answer, "performance_id") == world->sale.performance_id);
	get(world, "/v1/performances/999999/seats", 404, "performance_not_found");
	get(world, "/v1/performances/999999/seats/status", 404, "performance_not_found");
	world_close(world);
}

/* The tag stands for what is shown: it is another one once a seat has changed hands. */
static void check_caching(struct world *world, const char *path, char tag[256])
{
	struct answer *answer = get(world, path, 200, NULL);
	struct call call = {.method = "GET", .path = path};

	cr_assert(answer_header_is(answer, "cache-control", "public, max-age=1"));
	cr_assert(answer_header(answer, "etag", tag, 256));
	call.headers = textf(world, "If-None-Match: \"other\", %s\r\n", tag);
	answer = expect(world, &call, 304, NULL);
	cr_assert(answer->body_len == 0 && answer_header_is(answer, "etag", tag));
	call.headers = "If-None-Match: \"other\"\r\n";
	expect(world, &call, 200, NULL);
}

struct tagged {
	struct world *world;
	struct call call;
};

static bool has_changed(void *context)
{
	struct tagged *tagged = context;

	return world_call(tagged->world, &tagged->call)->status == 200;
}

Test(contract_catalog, caching)
{
	struct world *world = world_open(NULL);
	char tag[256], letters_tag[256];

	world_fill(world, 1, 0, &(struct sale_options){.seats_per_row = 1});
	check_caching(world, sale_path(world, ""), tag);
	check_caching(world, sale_path(world, "/status"), letters_tag);
	hold_seat(world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	struct tagged map = {world, {.method = "GET",
					    .path = sale_path(world, ""),
					    .headers = textf(world, "If-None-Match: %s\r\n", tag)}};
	struct tagged letters = {
		world, {.method = "GET",
			       .path = sale_path(world, "/status"),
			       .headers = textf(world, "If-None-Match: %s\r\n", letters_tag)}};
	cr_assert(wait_until(has_changed, &map, KNOWN_LIMIT_MS));
	cr_assert(wait_until(has_changed, &letters, KNOWN_LIMIT_MS));
	world_close(world);
}

/* What gzip makes of it; the caller frees it. */
static char *unpack(const struct answer *answer, size_t *len)
{
	enum { UNPACKED_MAX = 1024 * 1024 };
	char *bytes = malloc(UNPACKED_MAX);
	z_stream stream = {0};

	cr_assert(bytes != NULL && inflateInit2(&stream, 15 + 16) == Z_OK);
	stream.next_in = (Bytef *)answer->body;
	stream.avail_in = (uInt)answer->body_len;
	stream.next_out = (Bytef *)bytes;
	stream.avail_out = UNPACKED_MAX;
	cr_assert(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	*len = stream.total_out;
	inflateEnd(&stream);
	return bytes;
}

/* The same map, smaller, under a tag of its own; as it is for whoever does not ask. */
static void check_packed(struct world *world, const char *path)
{
	struct call call = {.method = "GET", .path = path};
	struct answer *plain = expect(world, &call, 200, NULL);
	char plain_tag[64], packed_tag[64], none[64];
	size_t len;

	cr_assert(answer_header(plain, "etag", plain_tag, sizeof plain_tag) &&
		  answer_header_is(plain, "vary", "Accept-Encoding") &&
		  !answer_header(plain, "content-encoding", none, sizeof none));
	call.headers = "Accept-Encoding: br, gzip;q=0.8\r\n";
	struct answer *packed = expect(world, &call, 200, NULL);
	cr_assert(answer_header_is(packed, "content-encoding", "gzip") &&
		  answer_header_is(packed, "vary", "Accept-Encoding") &&
		  answer_header_is(packed, "content-type", "application/json") &&
		  answer_header(packed, "etag", packed_tag, sizeof packed_tag));
	cr_assert(packed->body_len < plain->body_len / 2 && strcmp(plain_tag, packed_tag) != 0);
	char *bytes = unpack(packed, &len);
	cr_assert(len == plain->body_len && memcmp(bytes, plain->body, len) == 0);
	free(bytes);
	call.headers = textf(world, "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", packed_tag);
	struct answer *same = expect(world, &call, 304, NULL);
	cr_assert(answer_header_is(same, "etag", packed_tag));
	call.headers = textf(world, "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", plain_tag);
	expect(world, &call, 200, NULL);
	call.headers = "Accept-Encoding: gzip;q=0\r\n";
	cr_assert(!answer_header(
		expect(world, &call, 200, NULL), "content-encoding", none, sizeof none));
}

Test(contract_catalog, packed_seat_maps)
{
	struct world *world = world_open(NULL);

	world_fill(world, 1, 0, &(struct sale_options){.rows = 20, .seats_per_row = 100});
	const char *path = textf(
		world, "/v1/performances/%lld/seats", (long long)world->sale.performance_id);
	const char *status = textf(world, "%s/status", path);
	check_packed(world, path);
	check_packed(world, status);

	/* A map that has changed is packed anew. */
	struct call call = {.method = "GET", .path = path, .headers = "Accept-Encoding: gzip\r\n"};
	char before[64], after[64];
	answer_header(expect(world, &call, 200, NULL), "etag", before, sizeof before);
	hold_seat(world, &world->sale, &world->people.list[0], world->sale.seat_ids[0], "hold");
	struct tagged tagged = {world, call};
	tagged.call.headers = textf(
		world, "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", before);
	cr_assert(wait_until(has_changed, &tagged, KNOWN_LIMIT_MS));
	struct answer *answer = expect(world, &call, 200, NULL);
	size_t len;
	char *bytes = unpack(answer, &len);
	cr_assert(answer_header(answer, "etag", after, sizeof after) &&
		  memmem(bytes, len, "\"held\"", 6) != NULL);
	free(bytes);

	/* One that fits a packet is left as it is. */
	struct sale small;
	sale_open(world, &small, &(struct sale_options){.seats_per_row = 5});
	call.path = textf(world, "/v1/performances/%lld/seats", (long long)small.performance_id);
	cr_assert(!answer_header(
		expect(world, &call, 200, NULL), "content-encoding", after, sizeof after));
	sale_close(&small);
	world_close(world);
}
