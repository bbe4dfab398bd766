/* A storm on the stores: two instances of several lanes each, holds of overlapping seats in random order,
 * holds of a quantity, short ones that lapse on the way, payments, cancellations, refunds, charges and sweeps, all at once. Nothing may
 * deadlock, and every invariant of shop.sql must hold when it is over. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/live/shop.h"
#include "tests/support/wait.h"

enum { SHOPPERS = 300, ROUNDS = 40, PEOPLE = 30, SEATS = 100, USER_LIMIT = 6 };

/* What a shopper does with a hold. */
enum plan { PLAN_PAY, PLAN_CANCEL, PLAN_LEAVE };

/* Every operation was answered, and none because its batch had failed, as it does of a deadlock. */
static void check_answer(const struct pg_op *op, enum db_result result)
{
	cr_assert_eq(result, DB_OK);
	cr_assert_not(op->alone, "a batch failed");
}

/* One shopper: a hold, then a payment, a cancellation or nothing, then the next. */
struct shopper {
	struct storm *storm;
	unsigned nth, round;
	int64_t user_id;
	enum plan plan;
	struct store_hold hold;
	struct store_pay pay;
	struct store_cancel cancel;
	struct store_charge charge;
	char key[48];
};

struct storm {
	struct shop shop;
	struct shopper shoppers[SHOPPERS];
	unsigned done, holds, chosen, undecided, refused, limited, paid, expired, cancelled,
		refunded, replayed;
	unsigned random;
	struct store_sweep sweep;
	int64_t swept;
	bool over;
};

static void shopper_next(struct shopper *shopper);
static void shopper_cancel(struct shopper *shopper);

static unsigned roll(struct storm *storm, unsigned below)
{
	return (unsigned)rand_r(&storm->random) % below;
}

static struct pg *instance(struct shopper *shopper)
{
	struct shop *shop = &shopper->storm->shop;

	return shop->instances[roll(shopper->storm, shop->instance_count)];
}

static struct idem shopper_idem(struct shopper *shopper, const char *what)
{
	snprintf(shopper->key, sizeof shopper->key, "%s %u %u", what, shopper->nth, shopper->round);
	return shop_idem(shopper->key, "");
}

static void paid(struct pg_op *op, enum db_result result)
{
	struct shopper *shopper = op->owner;

	check_answer(op, result);
	cr_assert_eq(shopper->pay.outcome, STORE_REPLY);
	if (shopper->pay.reply.status == 410)
		shopper->storm->expired++;
	if (!shopper->pay.paid) {
		shopper_next(shopper);
		return;
	}
	shopper->storm->paid++;
	if (roll(shopper->storm, 2) == 0)
		shopper_cancel(shopper);
	else
		shopper_next(shopper);
}

static void cancelled(struct pg_op *op, enum db_result result)
{
	struct shopper *shopper = op->owner;

	check_answer(op, result);
	cr_assert_eq(shopper->cancel.outcome, STORE_REPLY);
	shopper->storm->cancelled += shopper->cancel.freed;
	shopper->storm->refunded += shopper->cancel.was_paid;
	shopper_next(shopper);
}

static void shopper_cancel(struct shopper *shopper)
{
	shopper->cancel.user_id = shopper->user_id;
	shopper->cancel.reservation_id = shopper->hold.reservation_id;
	shopper->cancel.request_id = "r";
	shopper->cancel.op.done = cancelled;
	shopper->cancel.op.owner = shopper;
	store_cancel(instance(shopper), &shopper->cancel);
}

static void held(struct pg_op *op, enum db_result result)
{
	struct shopper *shopper = op->owner;
	struct storm *storm = shopper->storm;

	check_answer(op, result);
	if (shopper->hold.outcome == STORE_UNDECIDED) {
		storm->undecided++;
		shopper->hold.waits = true;
		store_hold(instance(shopper), &shopper->hold);
		return;
	}
	if (shopper->hold.outcome == STORE_REFUSED) {
		storm->limited++;
		shopper_next(shopper);
		return;
	}
	cr_assert_eq(shopper->hold.outcome, STORE_REPLY);
	if (shopper->hold.reply.status != 201) {
		storm->refused++;
		shopper_next(shopper);
		return;
	}
	storm->holds++;
	storm->chosen += shopper->hold.quantity > 0;
	switch (shopper->plan) {
	case PLAN_PAY:
		shopper->pay.idem = shopper_idem(shopper, "pay");
		shopper->pay.user_id = shopper->user_id;
		shopper->pay.reservation_id = shopper->hold.reservation_id;
		shopper->pay.use_points = roll(storm, 2) * 7;
		shopper->pay.reward_percent = 10;
		shopper->pay.currency = "KRW";
		shopper->pay.op.done = paid;
		shopper->pay.op.owner = shopper;
		store_pay(instance(shopper), &shopper->pay);
		break;
	case PLAN_CANCEL: shopper_cancel(shopper); break;
	case PLAN_LEAVE: shopper_next(shopper); break;
	}
}

static void charged(struct pg_op *op, enum db_result result)
{
	struct shopper *shopper = op->owner;

	check_answer(op, result);
	cr_assert_eq(shopper->charge.reply.status, 201);
	shopper_next(shopper);
}

static void shopper_hold(struct shopper *shopper)
{
	struct storm *storm = shopper->storm;
	struct store_hold *hold = &shopper->hold;
	int64_t first = 1 + roll(storm, SEATS);

	hold->seat_count = 1 + roll(storm, 3);
	for (size_t i = 0; i < hold->seat_count; i++) /* distinct, and in any order */
		hold->seat_ids[i] = 1 + (first + (int64_t)i * 17) % SEATS;
	hold->quantity = roll(storm, 3) == 0 ? (int64_t)hold->seat_count : 0;
	hold->waits = roll(storm, 4) == 0;
	hold->idem = shopper_idem(shopper, "hold");
	hold->user_id = shopper->user_id;
	hold->performance_id = 1;
	unsigned plan = roll(storm, 40);
	shopper->plan = plan == 0 ? PLAN_PAY : plan < 16 ? PLAN_CANCEL : PLAN_LEAVE;
	bool lapses = shopper->plan == PLAN_LEAVE || roll(storm, 2) == 0;
	hold->hold_ttl_ms = lapses ? 1 + roll(storm, 20) : 60000;
	hold->currency = "KRW";
	hold->user_limit = USER_LIMIT;
	hold->op.done = held;
	hold->op.owner = shopper;
	store_hold(instance(shopper), hold);
}

static void shopper_next(struct shopper *shopper)
{
	if (shopper->round++ == ROUNDS) {
		shopper->storm->done++;
		return;
	}
	if (roll(shopper->storm, 10) > 0) {
		shopper_hold(shopper);
		return;
	}
	shopper->charge.idem = shopper_idem(shopper, "charge");
	shopper->charge.user_id = shopper->user_id;
	shopper->charge.amount = 1 + roll(shopper->storm, 50);
	shopper->charge.op.done = charged;
	shopper->charge.op.owner = shopper;
	store_charge(instance(shopper), &shopper->charge);
}

static void swept(struct pg_op *op, enum db_result result)
{
	struct storm *storm = op->owner;

	check_answer(op, result);
	storm->swept += storm->sweep.swept;
	if (storm->done == SHOPPERS)
		storm->over = true;
	else
		store_sweep(storm->shop.pg, &storm->sweep);
}

static void shoppers_free(struct storm *storm)
{
	for (unsigned i = 0; i < SHOPPERS; i++) {
		store_reply_free(&storm->shoppers[i].hold.reply);
		store_reply_free(&storm->shoppers[i].pay.reply);
		store_reply_free(&storm->shoppers[i].cancel.reply);
		store_reply_free(&storm->shoppers[i].charge.reply);
	}
}

Test(store_storm, overlapping_seats_never_deadlock_and_nothing_is_sold_twice, .timeout = 120)
{
	static struct storm storm = {.random = 7};
	char deadlocks[256];

	shop_open(&storm.shop, 2, 4);
	snprintf(deadlocks, sizeof deadlocks,
		"SELECT deadlocks FROM pg_stat_database WHERE datname = '%s'", storm.shop.name);
	for (unsigned i = 0; i < SHOPPERS; i++) {
		storm.shoppers[i] = (struct shopper){
			.storm = &storm, .nth = i, .user_id = 2 + i % PEOPLE};
		shopper_next(&storm.shoppers[i]);
	}
	storm.sweep.limit = 20;
	storm.sweep.op.done = swept;
	storm.sweep.op.owner = &storm;
	store_sweep(storm.shop.pg, &storm.sweep);
	uint64_t give_up_ms = now_ms() + 100000;
	while (!storm.over) {
		cr_assert_lt(now_ms(), give_up_ms, "the storm does not end");
		shop_turn(&storm.shop);
	}
	cr_log_info(
		"%u holds, %u of them of a quantity, %u asked again, %u refused, %u over the limit, %u paid, %u too late, %u cancelled, "
		"%u of them refunded, %lld swept",
		storm.holds, storm.chosen, storm.undecided, storm.refused, storm.limited,
		storm.paid, storm.expired, storm.cancelled, storm.refunded, (long long)storm.swept);
	cr_expect(storm.chosen > 0 && storm.holds > storm.chosen && storm.refused > 0 &&
		  storm.limited > 0 && storm.paid > 0 && storm.cancelled > storm.refunded &&
		  storm.refunded > 0);
	cr_expect_eq(shop_number(&storm.shop, deadlocks), 0);
	cr_expect_eq(shop_number(&storm.shop, "SELECT count(*) FROM payments"), storm.paid);
	shop_sound(&storm.shop);
	shoppers_free(&storm);
	shop_close(&storm.shop);
}
