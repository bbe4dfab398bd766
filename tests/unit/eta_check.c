/* What people were told of their wait, judged: a line that moves as its rate said, one that does not, and what says
 * nothing of the estimate. */
#include "server/eta_check.h"

#include <criterion/criterion.h>
#include "queue/queue.h"

static const struct queue_rate ten_a_second = {.per_second = 10};

struct watched {
	struct eta_watch watch;
	struct eta_checks checks;
	struct eta_line line;
};

static void begin(struct watched *watched, int64_t waiting)
{
	*watched = (struct watched){
		.line = {.now_ms = 1000000, .waiting = waiting, .rate = &ten_a_second}};
	histogram_init(&watched->checks.errors_us, &histogram_waits_us);
	eta_check(&watched->watch, &watched->checks, &watched->line);
	cr_assert(watched->watch.watching);
}

/* A second goes by in which so many are admitted. */
static void second(struct watched *watched, int64_t admitted)
{
	watched->line.now_ms += 1000;
	watched->line.waiting -= admitted;
	watched->line.admitted_total += admitted;
	eta_check(&watched->watch, &watched->checks, &watched->line);
}

Test(eta_check, a_wait_as_it_was_told)
{
	struct watched watched;

	begin(&watched, 100); /* the last one was told about ten seconds */
	for (int i = 0; i < 9; i++)
		second(&watched, 10);
	cr_expect_eq(histogram_count(&watched.checks.errors_us), 0, "it is not his turn yet");
	second(&watched, 10);
	cr_expect_eq(watched.checks.within, 1);
	cr_expect_eq(watched.checks.outside, 0);
	cr_expect_eq(histogram_count(&watched.checks.errors_us), 1);
	cr_expect_leq(watched.checks.errors_us.sum, 2 * 1000 * 1000);
	cr_expect_not(watched.watch.watching, "nobody waits any more");
}

Test(eta_check, a_wait_that_took_much_longer)
{
	struct watched watched;

	begin(&watched, 100);
	for (int i = 0; i < 100; i++)
		second(&watched, 1);
	cr_expect_eq(watched.checks.within, 0);
	cr_expect_eq(watched.checks.outside, 1);
	cr_expect_geq(watched.checks.errors_us.sum, UINT64_C(85) * 1000 * 1000);
}

Test(eta_check, of_a_long_line_a_place_nearer_by_is_watched_and_then_another)
{
	struct watched watched;

	begin(&watched, 100000);
	cr_expect_eq(watched.watch.ahead, 600, "a minute of ten a second");
	for (int i = 0; i < 130; i++)
		second(&watched, 10);
	cr_expect_eq(watched.checks.within, 2);
	cr_expect(watched.watch.watching);
}

Test(eta_check, what_an_operator_stops_says_nothing)
{
	struct watched watched;

	begin(&watched, 100);
	watched.line.paused = true;
	second(&watched, 0);
	cr_expect_not(watched.watch.watching);
	watched.line.paused = false;
	second(&watched, 0);
	cr_expect(watched.watch.watching, "anew");
	for (int i = 0; i < 10; i++)
		second(&watched, 10);
	cr_expect_eq(watched.checks.within, 1);
}

Test(eta_check, a_line_that_began_anew_or_was_left_says_nothing)
{
	struct watched watched;

	begin(&watched, 100);
	second(&watched, 50);
	watched.line.admitted_total = 0; /* Redis was emptied */
	watched.line.waiting = 0;
	eta_check(&watched.watch, &watched.checks, &watched.line);
	cr_expect_not(watched.watch.watching);
	watched.line.waiting = 3;
	eta_check(&watched.watch, &watched.checks, &watched.line);
	cr_expect(watched.watch.watching);
	watched.line.waiting = 0; /* all three left */
	eta_check(&watched.watch, &watched.checks, &watched.line);
	cr_expect_not(watched.watch.watching);
	cr_expect_eq(histogram_count(&watched.checks.errors_us), 0);
}
