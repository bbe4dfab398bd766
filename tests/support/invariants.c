/* All but 7 are statements in invariants/, each giving a line for each violation; 7 is judged here. */
#include "tests/support/invariants.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "proto/base/buf.h"
#include "proto/base/embed.h"
#include "queue/queue.h"
#include "tests/support/database.h"

EMBED(invariant_sales, "tests/support/invariants/1_sales.sql");
EMBED(invariant_acknowledged, "tests/support/invariants/2_acknowledged.sql");
EMBED(invariant_money, "tests/support/invariants/3_money.sql");
EMBED(invariant_keys, "tests/support/invariants/4_keys.sql");
EMBED(invariant_sold, "tests/support/invariants/5_sold.sql");
EMBED(invariant_holds, "tests/support/invariants/6_holds.sql");
EMBED(invariant_outbox, "tests/support/invariants/8_outbox.sql");
EMBED(invariant_outcomes, "tests/support/invariants/9_outcomes.sql");

enum { IDS_MAX = 16 * 1024 * 1024 };

static void violate(struct violations *violations, unsigned number, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void violate(struct violations *violations, unsigned number, const char *format, ...)
{
	size_t len = strlen(violations->text), room = sizeof violations->text - len;
	va_list arguments;

	violations->count++;
	violations->of[number]++;
	if (room < 512) /* enough was said */
		return;
	len += (size_t)snprintf(violations->text + len, room, "invariant %u: ", number);
	va_start(arguments, format);
	vsnprintf(violations->text + len, 256, format, arguments);
	va_end(arguments);
	len = strlen(violations->text);
	snprintf(violations->text + len, sizeof violations->text - len, "\n");
}

static void check_sql(PGconn *db, struct violations *violations, unsigned number, const char *sql,
	int count, const char *const *params)
{
	PGresult *result = database_query(db, sql, count, params);

	for (int i = 0; i < PQntuples(result); i++)
		violate(violations, number, "%s", PQgetvalue(result, i, 0));
	PQclear(result);
}

/* --- the clients' history --- */

/* An array of ids, as PostgreSQL writes one. */
static void add_id(struct buf *ids, int64_t id)
{
	buf_append_char(ids, ids->len == 0 ? '{' : ',');
	buf_append_i64(ids, id);
}

static const char *end_ids(struct buf *ids)
{
	buf_append_text(ids, ids->len == 0 ? "{}" : "}");
	CHECK(!ids->failed);
	return ids->data;
}

static int64_t id_in_reply(const struct keyed_entry *entry, const json_t *body, const char *member)
{
	int64_t id = json_integer_value(json_object_get(body, member));

	cr_assert(id > 0, "no %s in %s", member, entry->body);
	return id;
}

/* A long history is judged many times, and each reply read once. */
static void read_ids(struct keyed_entry *entry)
{
	bool pays = entry->kind == KEYED_PAY;

	if (entry->told_id > 0)
		return;
	json_t *body = json_loads(entry->body, 0, NULL);
	entry->told_id = id_in_reply(entry, body, pays ? "payment_id" : "id");
	if (pays)
		entry->told_reservation_id = id_in_reply(entry, body, "reservation_id");
	json_decref(body);
}

static void check_entry(struct violations *violations, const struct keyed_entry *entry)
{
	if (entry->different > 0)
		violate(violations, 4, "the key %s of user %lld had different replies; first %d %s",
			entry->key, (long long)entry->user_id, entry->status, entry->body);
	if (entry->fresh > 1)
		violate(violations, 4,
			"%u replies under the key %s of user %lld were not marked as replayed",
			entry->fresh, entry->key, (long long)entry->user_id);
	if (entry->unknowns > 0 && entry->outcome == OUTCOME_UNKNOWN)
		violate(violations, 9, "the outcome of the key %s of user %lld never became known",
			entry->key, (long long)entry->user_id);
}

static void check_history(const struct invariants_input *input, struct violations *violations)
{
	struct buf users = BUF_INIT(IDS_MAX), held = BUF_INIT(IDS_MAX),
		   payments = BUF_INIT(IDS_MAX);
	struct buf paid = BUF_INIT(IDS_MAX), payers = BUF_INIT(IDS_MAX);
	struct buf chargers = BUF_INIT(IDS_MAX), charges = BUF_INIT(IDS_MAX);

	for (size_t i = 0; i < input->history->count; i++) {
		struct keyed_entry *entry = history_at(input->history, i);

		check_entry(violations, entry);
		if (entry->kind == KEYED_HOLD)
			add_id(&users, entry->user_id);
		if (entry->kind == KEYED_CHARGE)
			add_id(&chargers, entry->user_id);
		if (entry->outcome != OUTCOME_OK)
			continue;
		read_ids(entry);
		if (entry->kind == KEYED_HOLD)
			add_id(&held, entry->told_id);
		if (entry->kind == KEYED_CHARGE)
			add_id(&charges, entry->told_id);
		if (entry->kind == KEYED_PAY) {
			add_id(&payments, entry->told_id);
			add_id(&paid, entry->told_reservation_id);
			add_id(&payers, entry->user_id);
		}
	}
	const char *known[] = {end_ids(&payments), end_ids(&paid), end_ids(&payers)};
	const char *told[] = {
		end_ids(&users), end_ids(&held), known[0], end_ids(&chargers), end_ids(&charges)};
	check_sql(input->db, violations, 2, invariant_acknowledged, 3, known);
	check_sql(input->db, violations, 9, invariant_outcomes, (int)ARRAY_LEN(told), told);
	buf_free(&users);
	buf_free(&held);
	buf_free(&payments);
	buf_free(&paid);
	buf_free(&payers);
	buf_free(&chargers);
	buf_free(&charges);
}

/* --- the line --- */

/* The rate's bucket holds what a second brings, at least one. */
static int64_t most_admitted(const struct invariants_input *input, int64_t span_ms)
{
	int64_t rate = input->admit_per_second, bucket = rate > 1 ? rate : 1;

	return bucket + rate * span_ms / 1000 + 1;
}

/* The line's order. Where Redis was lost, whoever shows a token of an older epoch after the rest stands in front
 * again, but nobody is called back for it: then the newest epoch alone is judged. */
static void check_order(const struct invariants_input *input, struct violations *violations)
{
	const struct admission *list = input->admissions->list;
	int64_t judged_from = 0, last = 0;

	if (input->history != NULL && input->history->redis_lost)
		for (size_t i = 0; i < input->admissions->count; i++) {
			int64_t epoch_begins = list[i].number >> QUEUE_EPOCH_SHIFT
									 << QUEUE_EPOCH_SHIFT;
			if (epoch_begins > judged_from)
				judged_from = epoch_begins;
		}
	for (size_t i = 0; i < input->admissions->count; i++) {
		if (list[i].number < judged_from)
			continue;
		if (list[i].number <= last)
			violate(violations, 7, "number %lld was admitted after %lld",
				(long long)list[i].number, (long long)last);
		last = list[i].number;
	}
}

static void check_admissions(const struct invariants_input *input, struct violations *violations)
{
	const struct admission *list = input->admissions->list;

	check_order(input, violations);
	for (size_t i = 0; i < input->admissions->count; i++) {
		if (list[i].live > input->capacity || list[i].live < 1)
			violate(violations, 7, "%lld live with a capacity of %lld",
				(long long)list[i].live, (long long)input->capacity);
		for (size_t j = 0; j <= i; j++)
			if ((int64_t)(i - j) + 1 >
				most_admitted(input, list[i].at_ms - list[j].at_ms)) {
				violate(violations, 7, "%zu admissions in %lld ms", i - j + 1,
					(long long)(list[i].at_ms - list[j].at_ms));
				break;
			}
	}
}

/* --- the outbox --- */

static void check_deliveries(const struct invariants_input *input, struct violations *violations)
{
	const struct deliveries *deliveries = input->deliveries;
	struct buf ids = BUF_INIT(IDS_MAX), reservations = BUF_INIT(IDS_MAX),
		   kinds = BUF_INIT(IDS_MAX);

	for (size_t i = 0; i < deliveries->count; i++) {
		add_id(&ids, deliveries->list[i].id);
		add_id(&reservations, deliveries->list[i].reservation_id);
		buf_append_char(&kinds, kinds.len == 0 ? '{' : ',');
		buf_append_text(&kinds, deliveries->list[i].kind);
	}
	const char *told[] = {end_ids(&ids), end_ids(&reservations), end_ids(&kinds),
		deliveries->since[0] != '\0' ? deliveries->since : "-infinity",
		deliveries->read_at};
	check_sql(input->db, violations, 8, invariant_outbox, (int)ARRAY_LEN(told), told);
	buf_free(&ids);
	buf_free(&reservations);
	buf_free(&kinds);
}

void invariants_check(const struct invariants_input *input, struct violations *violations)
{
	*violations = (struct violations){0};
	check_sql(input->db, violations, 1, invariant_sales, 0, NULL);
	check_sql(input->db, violations, 3, invariant_money, 0, NULL);
	check_sql(input->db, violations, 4, invariant_keys, 0, NULL);
	check_sql(input->db, violations, 5, invariant_sold, 0, NULL);
	check_sql(input->db, violations, 6, invariant_holds, 0, NULL);
	if (input->history != NULL)
		check_history(input, violations);
	if (input->admissions != NULL)
		check_admissions(input, violations);
	if (input->deliveries != NULL)
		check_deliveries(input, violations);
}

void invariants_hold(const struct invariants_input *input)
{
	struct violations violations;

	invariants_check(input, &violations);
	cr_assert(violations.count == 0, "%u violations\n%s", violations.count, violations.text);
}
