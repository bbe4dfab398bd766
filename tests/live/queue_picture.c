/* Polls that are answered from the picture of a line, without asking Redis. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "tests/live/queueing.h"

TestSuite(queue_picture, .init = line_setup, .fini = line_teardown, .timeout = 60);

Test(queue_picture, a_picture_tells_what_redis_knows)
{
	enum { PEOPLE = 700, ROUNDS = 4 };
	struct node *node = line_open(2), *other = &turns.nodes[1];
	struct place *places = places_join(1, PEOPLE);
	struct queue_tick few = plenty;
	unsigned random = 1;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PEOPLE / 10; i++) {
			struct place *place = &places[(unsigned)rand_r(&random) % PEOPLE];

			place_leave(i % 2 ? node : other, place->op.user_id, place->op.number);
			if (i % 3 == 0)
				place->op.number = place_join(other, place->op.user_id).number;
		}
		few.seats_available = 20 * (round + 1);
		line_tick(other, &few);
		line_expect_as_redis_knows(node, places, PEOPLE);
		line_expect_as_redis_knows(other, places, PEOPLE);
	}
	free(places);
}

Test(queue_picture, who_has_left_is_gone_here_at_once_and_elsewhere_with_the_next_tick)
{
	struct node *node = line_open(2), *other = &turns.nodes[1];
	int64_t number = place_join(node, 1).number;

	place_join(node, 2);
	line_bring_picture(node);
	line_bring_picture(other);
	cr_expect_eq(place_poll(node, 1, number).state, QUEUE_WAITING);
	place_leave(node, 1, number);
	cr_expect_eq(place_poll(node, 1, number).state, QUEUE_GONE);
	line_tick(other, &nobody_in);
	cr_expect_eq(place_poll(other, 1, number).state, QUEUE_GONE);
}

Test(queue_picture, a_picture_counts_places_of_older_epochs_and_redis_answers_for_them)
{
	struct node *node = line_open(1);
	struct place *old = places_join(1, 5), *new;
	uint64_t pictured;

	line_bring_picture(node);
	cr_assert_eq(line_adopt(node, 2, 0), DB_OK);
	new = places_join(6, 5);
	place_poll(node, 1, EPOCH(1) + 1);
	line_tick(node, &nobody_in);
	pictured = queue_pictured(node->queue);
	for (int64_t i = 0; i < 5; i++) {
		cr_expect_eq(place_poll(node, i + 1, old[i].op.number).ahead, i);
		cr_expect_eq(place_poll(node, i + 6, new[i].op.number).ahead, 5 + i);
	}
	cr_expect_eq(queue_pictured(node->queue) - pictured, 5);
	free(old);
	free(new);
}
