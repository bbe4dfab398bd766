/* A test's lanes: the schema's name is the process's own, so that tests may run beside each other. */
#include "db/pg_session.h"
#include "tests/live/lanes.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/base/check.h"
#include "proto/base/clock.h"
#include "proto/base/embed.h"

EMBED(lanes_sql_text, "tests/live/lanes.sql");

static struct doubled *doubled_of(struct pg_op *op)
{
	return CONTAINER_OF(op, struct doubled, op);
}

static void encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	pg_array_begin(params, PG_INT8);
	for (unsigned i = 0; i < count; i++)
		pg_array_i64(params, doubled_of(ops[i])->in);
	pg_array_end(params);
}

static bool decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (pg_row_count(rows) != count)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (ops[i])
			doubled_of(ops[i])->out = pg_row_i64(rows, i, 0);
	return true;
}

static void encode_single(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	cr_assert_eq(count, 1);
	pg_param_i64(params, doubled_of(ops[0])->in);
}

#define STATEMENT(symbol, repeatable, sql) \
	const struct pg_statement symbol = {#symbol, sql, true, repeatable, encode, decode}

STATEMENT(lanes_double, true,
	"select one * 2 from unnest($1::bigint[]) with ordinality as t (one, place) order by place");
STATEMENT(lanes_insert, false, "insert into item select unnest($1::bigint[]) returning id * 2");
STATEMENT(lanes_late, false, "insert into late_item select unnest($1::bigint[]) returning id * 2");
STATEMENT(lanes_pass, true, "select * from pass($1)");
STATEMENT(lanes_pass_once, false, "select * from pass($1)");
STATEMENT(lanes_conflict_twice, true, "select * from stumble($1, '40001', 2)");
STATEMENT(lanes_conflict_always, true, "select * from stumble($1, '40P01', 1000)");
STATEMENT(lanes_read_only_once, false, "select * from stumble($1, '25006', 1)");
STATEMENT(lanes_short, false, "select * from stumble($1, '53200', 1000)");
STATEMENT(lanes_odd_rows, true, "select unnest($1::bigint[] || 1::bigint)");
const struct pg_statement lanes_single = {
	"lanes_single", "select $1::bigint * 2", false, true, encode_single, decode};

static const struct pg_statement *const statements[] = {&lanes_double, &lanes_insert, &lanes_late,
	&lanes_pass, &lanes_pass_once, &lanes_conflict_twice, &lanes_conflict_always,
	&lanes_read_only_once, &lanes_short, &lanes_single, &lanes_odd_rows, NULL};

static void pulse(UNUSED evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
}

void lanes_open(struct lanes *lanes)
{
	char why[512], sql[128];
	struct timeval period = {0, 5000};
	memset(lanes, 0, sizeof *lanes);
	lanes->url = getenv("ONSALE_TEST_DATABASE_URL");
	cr_assert(lanes->url, "ONSALE_TEST_DATABASE_URL names no database");
	snprintf(lanes->schema, sizeof lanes->schema, "lanes_%d", (int)getpid());
	snprintf(sql, sizeof sql, "-c search_path=%s", lanes->schema);
	setenv("PGOPTIONS", sql, 1); /* the session's and the lanes' */
	lanes->session = pg_session_open(lanes->url, why, sizeof why);
	cr_assert(lanes->session, "%s", why);
	snprintf(sql, sizeof sql, "create schema %s", lanes->schema);
	lanes_sql(lanes, sql);
	lanes_sql(lanes, lanes_sql_text);
	lanes->base = event_base_new();
	lanes->pulse = event_new(lanes->base, -1, EV_PERSIST, pulse, NULL);
	event_add(lanes->pulse, &period);
	lanes->settings = (struct pg_settings){.lanes = 1,
		.batch_max = 64,
		.waiting_max = 20000,
		.deadline_ms = 10000,
		.batch_lock_timeout_ms = 250,
		.lock_timeout_ms = 4000,
		.statement_timeout_ms = 9000};
}

void lanes_start(struct lanes *lanes, const char *url)
{
	char why[512];
	lanes->settings.url = url ? url : lanes->url;
	lanes->pg = pg_new(lanes->base, &lanes->settings, statements, why, sizeof why);
	cr_assert(lanes->pg, "%s", why);
}

void lanes_start_up(struct lanes *lanes)
{
	lanes_start(lanes, NULL);
	RUN_UNTIL(lanes, pg_up(lanes->pg));
}

void lanes_close(struct lanes *lanes)
{
	char sql[128];
	pg_free(lanes->pg);
	event_free(lanes->pulse);
	event_base_free(lanes->base);
	snprintf(sql, sizeof sql, "drop schema %s cascade", lanes->schema);
	lanes_sql(lanes, sql);
	pg_session_close(lanes->session);
}

static void answered(struct pg_op *op, enum db_result result)
{
	struct doubled *doubled = doubled_of(op);
	cr_assert_eq(doubled->answered, 0, "answered twice");
	doubled->answered = ++doubled->lanes->answered;
	doubled->result = result;
}

void lanes_submit(
	struct lanes *lanes, struct doubled *op, const struct pg_statement *statement, int64_t in)
{
	memset(op, 0, sizeof *op);
	op->lanes = lanes;
	op->in = in;
	op->op.done = answered;
	pg_submit(lanes->pg, &op->op, statement);
	cr_assert_eq(op->answered, 0, "answered before pg_submit returned");
}

void lanes_submit_many(struct lanes *lanes, struct doubled *ops, unsigned count,
	const struct pg_statement *statement, int64_t first)
{
	for (unsigned i = 0; i < count; i++)
		lanes_submit(lanes, &ops[i], statement, first + i);
}

void lanes_turn(struct lanes *lanes)
{
	clock_turn();
	event_base_loop(lanes->base, EVLOOP_ONCE);
	if (lanes->pg)
		pg_turn(lanes->pg);
}

uint64_t lanes_now_ms(void)
{
	return clock_mono_us_now() / 1000;
}

void lanes_sql(struct lanes *lanes, const char *sql)
{
	char why[512];
	cr_assert(pg_session_run(lanes->session, sql, why, sizeof why), "%s", why);
}

static void number_row(void *context, const char *const *columns)
{
	*(int64_t *)context = columns[0] ? strtoll(columns[0], NULL, 10) : 0;
}

int64_t lanes_number(struct lanes *lanes, const char *sql)
{
	char why[512];
	int64_t number = 0;
	cr_assert(pg_session_query(
			  lanes->session, sql, NULL, 0, number_row, &number, why, sizeof why),
		"%s", why);
	return number;
}

int64_t lanes_blocked(struct lanes *lanes)
{
	return lanes_number(lanes,
		"select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
		"and pg_backend_pid() = any (pg_blocking_pids(pid))");
}

void lanes_kill_blocked(struct lanes *lanes)
{
	lanes_sql(lanes,
		"select pg_terminate_backend(pid) from pg_stat_activity where "
		"wait_event_type = 'Lock' and pg_backend_pid() = any (pg_blocking_pids(pid))");
}
