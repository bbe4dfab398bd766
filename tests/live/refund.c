/* Refunds against each other, against payments, and against holds of the seats that they free, over two
 * instances: the money goes back once, each seat is another's at most once, and no point is lost or found. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/crowd.h"
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { TIMES = 50, SELLERS = 200, BALANCE = 5000, PRICE = 1000, LIMIT_MS = 60000 };

TestSuite(refund, .timeout = 120);

static struct world *open_world(unsigned people, int64_t rows, const char *mode)
{
	struct world *world = world_open(&(struct world_options){
		.instances = 2, .flags = {mode, "--pay.reward_percent=10", WORLD_PATIENCE}});

	world_fill(world, people, BALANCE,
		&(struct sale_options){.rows = rows, .seats_per_row = 10, .price = PRICE});
	return world;
}

static struct call refund_of(struct world *world, const struct person *person, int64_t id)
{
	return (struct call){.method = "DELETE",
		.jwt = person->jwt,
		.path = textf(world, "/v1/reservations/%lld", (long long)id)};
}

static struct call payment_of(
	struct world *world, const struct person *person, int64_t id, const char *body)
{
	return (struct call){.method = "POST",
		.jwt = person->jwt,
		.key = textf(world, "pay-%lld", (long long)id),
		.path = textf(world, "/v1/reservations/%lld/payment", (long long)id),
		.body = body};
}

static int64_t hold(struct world *world, size_t person, size_t seat)
{
	return hold_seat(world, &world->sale, &world->people.list[person],
		world->sale.seat_ids[seat], textf(world, "hold-%zu-%zu", person, seat));
}

static int64_t buy(struct world *world, size_t person, size_t seat)
{
	int64_t id = hold(world, person, seat);
	struct call call = payment_of(world, &world->people.list[person], id, NULL);

	expect(world, &call, 201, NULL);
	return id;
}

static int64_t count(struct world *world, const char *sql)
{
	return database_i64(world->db, sql, 0, NULL);
}

Test(refund, the_same_one_at_once)
{
	struct world *world = open_world(1, 1, "--lock.mode=redis");
	struct crowd *crowd = crowd_new();
	struct call call = refund_of(world, &world->people.list[0], buy(world, 0, 0));

	for (unsigned i = 0; i < TIMES; i++)
		crowd_add(crowd, &world->instances[i % 2], &call);
	crowd_run(crowd, LIMIT_MS);
	cr_assert(crowd_count(crowd, 200, NULL) == TIMES);
	for (unsigned i = 1; i < TIMES; i++)
		cr_assert_str_eq(crowd_answer(crowd, i)->body, crowd_answer(crowd, 0)->body);
	cr_assert(answer_int(crowd_answer(crowd, 0), "refunded") == PRICE &&
		  answer_int(crowd_answer(crowd, 0), "points_revoked") == PRICE / 10);
	cr_assert(count(world, "SELECT count(*) FROM ledger WHERE kind = 'refund'") == 1);
	cr_assert(count(world, "SELECT balance FROM accounts ORDER BY user_id DESC LIMIT 1") ==
		  BALANCE);
	invariants_hold(&(struct invariants_input){.db = world->db});
	crowd_free(crowd);
	world_close(world);
}

/* Each of twenty people has a ticket and a hold: the one is given back while the other is paid with the
 * reward of the first, and the hold is cancelled while it is paid. */
Test(refund, against_payments_of_the_same_person)
{
	enum { PEOPLE = 20, EACH = 3 };
	struct world *world = open_world(PEOPLE, 4, "--lock.mode=redis");
	struct crowd *crowd = crowd_new();

	for (size_t i = 0; i < PEOPLE; i++) {
		const struct person *person = &world->people.list[i];
		struct call first = refund_of(world, person, buy(world, i, 2 * i));
		int64_t id = hold(world, i, 2 * i + 1);
		struct call pay = payment_of(world, person, id, "{\"use_points\":100}");
		struct call second = refund_of(world, person, id);
		crowd_add(crowd, &world->instances[0], &first);
		crowd_add(crowd, &world->instances[1], &pay);
		crowd_add(crowd, &world->instances[i % 2], &second);
	}
	crowd_run(crowd, LIMIT_MS);
	for (size_t i = 0; i < PEOPLE; i++) {
		const struct answer *paid = crowd_answer(crowd, EACH * i + 1);
		cr_assert(crowd_answer(crowd, EACH * i)->status == 200);
		cr_assert(
			paid->status == 201 || strstr(paid->body, "reservation_cancelled") != NULL,
			"%s", paid->body);
		cr_assert(crowd_answer(crowd, EACH * i + 2)->status == 200);
	}
	cr_assert(count(world, "SELECT count(*) FROM sold") == 0);
	cr_assert(
		count(world, "SELECT count(*) FROM reservations WHERE status <> 'cancelled'") == 0);
	/* Where the second was paid with the first one's reward, some of it may come back as points. */
	cr_assert(
		count(world,
			textf(world,
				"SELECT count(*) FROM accounts a JOIN users u ON u.id = a.user_id "
				"WHERE u.role = 'buyer' AND a.balance + a.points <> %d",
				BALANCE)) == 0);
	invariants_hold(&(struct invariants_input){.db = world->db});
	crowd_free(crowd);
	world_close(world);
}

/* All give back at once what they bought, and as many others want it. */
static void freed_seats(const char *mode)
{
	struct world *world = open_world(2 * SELLERS, SELLERS / 10, mode);
	struct crowd *crowd = crowd_new(), *later = crowd_new();

	for (size_t i = 0; i < SELLERS; i++) {
		const struct person *seller = &world->people.list[i];
		struct call refund = refund_of(world, seller, buy(world, i, i));
		struct call wanted = {.method = "POST",
			.path = "/v1/reservations",
			.jwt = world->people.list[SELLERS + i].jwt,
			.key = "mine",
			.body = hold_body(world, &world->sale, &world->sale.seat_ids[i], 1)};
		crowd_add(crowd, &world->instances[i % 2], &refund);
		crowd_add(crowd, &world->instances[(i + i / 2) % 2], &wanted);
		wanted.key = "once-more";
		crowd_add(later, &world->instances[i % 2], &wanted);
	}
	crowd_run(crowd, LIMIT_MS);
	size_t held = crowd_count(crowd, 201, NULL),
	       refused = crowd_count(crowd, 409, "seat_unavailable");
	printf("%zu held a seat while it was given back, %zu came too early\n", held, refused);
	cr_assert(crowd_count(crowd, 200, NULL) == SELLERS && held + refused == SELLERS);
	cr_assert(count(world, "SELECT count(*) FROM sold") == 0);
	invariants_hold(&(struct invariants_input){.db = world->db});

	crowd_run(later, LIMIT_MS); /* whoever came too early gets it now */
	cr_assert(crowd_count(later, 201, NULL) == refused);
	cr_assert(count(world, "SELECT count(*) FROM seats WHERE status = 'held'") == SELLERS);
	invariants_hold(&(struct invariants_input){.db = world->db});
	crowd_free(later);
	crowd_free(crowd);
	world_close(world);
}

Test(refund, against_holds_with_redis)
{
	freed_seats("--lock.mode=redis");
}

Test(refund, against_holds_without_locks_in_redis)
{
	freed_seats("--lock.mode=none");
}
