/* Who is refused when there is how much to do. */
#include "server/shed.h"

#include <criterion/criterion.h>
#include "server/app.h"

static struct app app_with(unsigned in_flight, int64_t backlog_ms)
{
	return (struct app){
		.settings = {.http_in_flight_max = 1000, .db_backlog_max_ms = 400},
		.counters = {.in_flight = in_flight},
		.backlog_ms = backlog_ms,
		.passed_percent = 100,
	};
}

static void check(unsigned in_flight, int64_t backlog_ms, const bool admitted[PRIORITIES])
{
	struct app app = app_with(in_flight, backlog_ms);

	for (enum priority priority = 0; priority < PRIORITIES; priority++) {
		cr_expect(shed_admits(&app, priority) == admitted[priority],
			"%s at %u in flight, %lld ms", priority_name(priority), in_flight,
			(long long)backlog_ms);
		cr_expect(app.counters.shed[priority] == !admitted[priority]);
	}
}

/*                      operator, pay, hold, poll, join, account */
Test(shed, in_flight)
{
	check(0, 0, (bool[]){true, true, true, true, true, true});
	check(499, 0, (bool[]){true, true, true, true, true, true});
	check(500, 0, (bool[]){true, true, true, true, false, false});
	check(749, 0, (bool[]){true, true, true, true, false, false});
	check(750, 0, (bool[]){true, true, true, false, false, false});
	check(899, 0, (bool[]){true, true, true, false, false, false});
	check(900, 0, (bool[]){true, true, false, false, false, false});
	check(999, 0, (bool[]){true, true, false, false, false, false});
	check(1000, 0, (bool[]){false, false, false, false, false, false});
}

Test(shed, backlog)
{
	check(0, 199, (bool[]){true, true, true, true, true, true});
	check(0, 200, (bool[]){true, true, true, true, true, false});
	check(0, 400, (bool[]){true, true, false, true, true, false});
	check(0, 799, (bool[]){true, true, false, true, true, false});
	check(0, 800, (bool[]){true, false, false, true, true, false});
}

/* Those that were let in, and are not on PostgreSQL's lists yet, count before they are. */
Test(shed, on_the_way)
{
	struct app app = app_with(0, 200);

	app.operation_ns = 2000000;
	app.pg_pending = 300;
	app.counters.in_work[PRIORITY_HOLD] = 360;
	app.counters.in_work[PRIORITY_PAY] = 39; /* 99 are on the way: 198 ms */
	cr_expect(shed_admits(&app, PRIORITY_HOLD));
	app.counters.in_work[PRIORITY_PAY]++;
	cr_expect(!shed_admits(&app, PRIORITY_HOLD) && shed_admits(&app, PRIORITY_PAY));
	app.counters.in_work[PRIORITY_HOLD] = 0; /* fewer than are pending: others' */
	cr_expect(shed_admits(&app, PRIORITY_HOLD));
	app.counters.in_work[PRIORITY_HOLD] = 100299;
	app.passed_percent = 1; /* a crowd that loses in Redis */
	app.operation_ns = 198000;
	cr_expect(shed_admits(&app, PRIORITY_HOLD));
	app.operation_ns = 200000;
	cr_expect(!shed_admits(&app, PRIORITY_HOLD));
	app.operation_ns = 0; /* PostgreSQL is away */
	app.counters.in_work[PRIORITY_HOLD] = 5000;
	cr_expect(shed_admits(&app, PRIORITY_HOLD));
}
