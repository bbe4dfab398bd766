/* The bodies of seat maps: what was listed and what the letters say, put together. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/base/clock.h"
#include "server/seat_bodies.h"

enum { MANY = 5000 };

static const char two_lines[] = "{\"id\":7,\"row\":\"A\\n\",\"status\":\"\n"
				"{\"id\":9,\"row\":\"B\",\"status\":\"\n";

static struct seat_bodies bodies;

static void init_bodies(void)
{
	seat_bodies_init(&bodies, 3);
}

static void free_bodies(void)
{
	seat_bodies_free(&bodies);
}

TestSuite(seat_bodies, .init = init_bodies, .fini = free_bodies);

static const char *body_of(enum seat_body_kind kind)
{
	bool packed;
	const struct seat_body *body = seat_bodies_get(&bodies, kind, false, &packed);

	cr_assert(body != NULL && !packed);
	return body->bytes.data;
}

static const char *status_of(size_t seat)
{
	static char status[16];
	json_t *body = json_loads(body_of(SEAT_BODY_LIST), 0, NULL);
	const json_t *seats = json_object_get(body, "seats");

	cr_assert_not_null(body);
	snprintf(status, sizeof status, "%s",
		json_string_value(json_object_get(json_array_get(seats, seat), "status")));
	json_decref(body);
	return status;
}

Test(seat_bodies, say_what_the_letters_say)
{
	cr_assert(seat_bodies_list(&bodies, two_lines, strlen(two_lines)));
	cr_assert(seat_bodies_letters(&bodies, "AS", 2));
	cr_expect_str_eq(status_of(0), "available");
	cr_expect_str_eq(status_of(1), "sold");
	cr_expect(bodies.available == 1 && bodies.sold == 1);
	cr_assert(seat_bodies_letters(&bodies, "HA", 2));
	cr_expect_str_eq(status_of(0), "held");
	cr_expect_str_eq(status_of(1), "available");
	cr_expect(bodies.available == 1 && bodies.sold == 0);
	json_t *body = json_loads(body_of(SEAT_BODY_LETTERS), 0, NULL);
	cr_expect_str_eq(json_string_value(json_object_get(body, "status")), "HA");
	cr_expect_str_eq(json_string_value(json_object_get(body, "version")), bodies.version);
	cr_expect_eq(json_integer_value(json_object_get(body, "performance_id")), 3);
	json_decref(body);
}

Test(seat_bodies, the_tag_is_the_letters)
{
	char tag[48];
	bool packed;

	seat_bodies_list(&bodies, two_lines, strlen(two_lines));
	seat_bodies_letters(&bodies, "AA", 2);
	strcpy(tag, seat_bodies_get(&bodies, SEAT_BODY_LIST, false, &packed)->tag);
	seat_bodies_letters(&bodies, "AH", 2);
	cr_expect_str_neq(seat_bodies_get(&bodies, SEAT_BODY_LIST, false, &packed)->tag, tag);
	cr_expect_str_neq(seat_bodies_get(&bodies, SEAT_BODY_LETTERS, false, &packed)->tag, tag);
	seat_bodies_letters(&bodies, "AA", 2);
	cr_expect_str_eq(seat_bodies_get(&bodies, SEAT_BODY_LIST, false, &packed)->tag, tag);
}

Test(seat_bodies, other_letters_than_seats_are_refused)
{
	bool packed;

	cr_expect_not(seat_bodies_letters(&bodies, "", 0), "nothing is listed");
	cr_expect_null(seat_bodies_get(&bodies, SEAT_BODY_LIST, false, &packed));
	seat_bodies_list(&bodies, two_lines, strlen(two_lines));
	cr_assert(seat_bodies_letters(&bodies, "AH", 2));
	cr_expect_not(seat_bodies_letters(&bodies, "A", 1));
	cr_expect_not(seat_bodies_letters(&bodies, "AAA", 3));
	cr_expect_not(seat_bodies_letters(&bodies, "AX", 2));
	cr_expect_not(seat_bodies_letters(&bodies, "A\0", 2));
	cr_expect_str_eq(status_of(1), "held");
}

Test(seat_bodies, a_performance_without_seats_has_an_empty_list)
{
	cr_assert(seat_bodies_list(&bodies, "", 0));
	cr_assert(seat_bodies_letters(&bodies, "", 0));
	cr_expect_not_null(strstr(body_of(SEAT_BODY_LIST), "\"seats\":[]}"));
	cr_expect_not_null(strstr(body_of(SEAT_BODY_LETTERS), "\"status\":\"\"}"));
}

Test(seat_bodies, five_thousand_seats_are_put_together_at_once)
{
	struct buf lines = BUF_INIT(1024 * 1024);
	static char letters[MANY];

	for (int i = 0; i < MANY; i++) {
		buf_printf(&lines,
			"{\"id\":%d,\"section\":\"Floor\",\"row\":\"A\",\"number\":%d,"
			"\"price\":120000,\"status\":\"\n",
			100000 + i, i);
		letters[i] = "AHS"[i % 3];
	}
	cr_assert(seat_bodies_list(&bodies, lines.data, lines.len));
	uint64_t begun_us = clock_mono_us_now();
	cr_assert(seat_bodies_letters(&bodies, letters, MANY));
	size_t len = strlen(body_of(SEAT_BODY_LIST));
	printf("%d seats, %zu bytes: %llu us\n", MANY, len,
		(unsigned long long)(clock_mono_us_now() - begun_us));
	cr_expect_str_eq(status_of(MANY - 1), "held");
	buf_free(&lines);
}
