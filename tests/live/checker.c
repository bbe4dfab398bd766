/* A checker is only as good as what it catches: each damage, done to a database in which all is well, is
 * caught by its own invariant. */
#include <criterion/criterion.h>
#include <string.h>
#include "tests/support/invariants.h"
#include "tests/support/world.h"

enum { BALANCE = 10000, PAID, HELD, CANCELLED, REFUNDED };

TestSuite(checker, .timeout = 60);

static void pay(struct world *world, struct history *history, const struct person *person,
	const char *path, const char *key, const char *body)
{
	struct call call = {.method = "POST",
		.path = textf(world, "%s/payment", path),
		.jwt = person->jwt,
		.key = key,
		.body = body};
	size_t entry = history_add(history, KEYED_PAY, person->id, key);

	history_reply(history, entry, expect(world, &call, 201, NULL));
}

static void charge(struct world *world, struct history *history, const struct person *person)
{
	struct call call = {.method = "POST",
		.path = "/v1/me/balance/charges",
		.jwt = person->jwt,
		.key = "charge",
		.body = "{\"amount\":5}"};
	size_t entry = history_add(history, KEYED_CHARGE, person->id, call.key);

	history_reply(history, entry, expect(world, &call, 201, NULL));
}

/* A sale as it should be: two seats paid, one held, one cancelled, one refunded that was paid with points too;
 * kept keys and a history. */
static void make_sale(struct world *world, struct history *history)
{
	static const int ends[] = {PAID, PAID, HELD, CANCELLED, REFUNDED};

	world_fill(world, 2, BALANCE, &(struct sale_options){.seats_per_row = 5, .price = 1000});
	charge(world, history, &world->people.list[0]);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const struct person *person = &world->people.list[i % 2];
		const char *key = textf(world, "key-%zu", i);
		int64_t id = hold_seat(world, &world->sale, person, world->sale.seat_ids[i], key);
		const char *path = textf(world, "/v1/reservations/%lld", (long long)id);
		size_t entry = history_add(history, KEYED_HOLD, person->id, key);
		history_reply(history, entry,
			&(struct answer){.status = 201,
				.body = (char *)textf(world, "{\"id\":%lld}", (long long)id)});
		if (ends[i] == PAID || ends[i] == REFUNDED)
			pay(world, history, person, path, key,
				ends[i] == PAID ? NULL : "{\"use_points\":5}");
		if (ends[i] == CANCELLED || ends[i] == REFUNDED)
			expect(world,
				&(struct call){
					.method = "DELETE", .path = path, .jwt = person->jwt},
				200, NULL);
	}
}

/* Damages that SQL can do, each with the invariant that must catch it. Triggers are off meanwhile. */
static const struct damage {
	unsigned invariant;
	const char *sql;
} damages[] = {
	{1, "UPDATE reservations SET seat_ids = (SELECT seat_ids FROM reservations ORDER BY id LIMIT 1) "
	    "WHERE id = (SELECT id FROM reservations WHERE status = 'paid' ORDER BY id DESC LIMIT 1)"},
	{1, "UPDATE seats SET status = 'available', reservation_id = NULL, hold_expires_at = NULL "
	    "WHERE status = 'held'"},
	{2, "DELETE FROM payments WHERE id = (SELECT max(id) FROM payments)"},
	{3, "UPDATE accounts SET balance = balance + 1 WHERE user_id = (SELECT max(user_id) FROM accounts)"},
	{3, "UPDATE accounts SET points = points + 1 WHERE user_id = (SELECT max(user_id) FROM accounts)"},
	{3, "DELETE FROM ledger WHERE kind = 'payment'"},
	{3, "UPDATE ledger SET balance_after = balance_after + 1 WHERE kind = 'payment'"},
	{3, "DELETE FROM payments WHERE id = (SELECT max(id) FROM payments)"},
	{3, "UPDATE payments SET points_used = points_used + 1"},
	{3, "UPDATE payments SET points_awarded = points_awarded + 1"},
	{3, "UPDATE payments SET refunded = refunded - 1"},
	{3, "UPDATE payments SET points_revoked = points_revoked - 1"},
	{3, "DELETE FROM ledger WHERE kind = 'refund' AND unit = 'money'"},
	{3, "DELETE FROM ledger WHERE kind = 'refund' AND unit = 'points'"},
	{3, "DELETE FROM ledger WHERE kind = 'reward_revoked'"},
	{3, "UPDATE ledger SET reservation_id = reservation_id + 1 WHERE kind = 'refund'"},
	{4, "UPDATE reservations SET hold_key = (SELECT hold_key FROM reservations LIMIT 1)"},
	{4, "DELETE FROM idempotency WHERE reservation_id IS NOT NULL"},
	{4, "DELETE FROM reservations WHERE status = 'held'"},
	{4, "DELETE FROM idempotency WHERE reservation_id IS NULL"},
	{5, "UPDATE seats SET status = 'sold', hold_expires_at = NULL WHERE status = 'held'"},
	{5, "DELETE FROM sold WHERE seat_id = (SELECT max(seat_id) FROM sold)"},
	{5, "UPDATE reservations SET status = 'cancelled' WHERE status = 'paid'"},
	{5, "UPDATE payments SET amount = amount - 1 WHERE refunded_at IS NULL"},
	{5, "ALTER TABLE payments DROP CONSTRAINT payments_reservation_id_key; "
	    "INSERT INTO payments (reservation_id, user_id, amount, currency, points_used, points_awarded) "
	    "SELECT reservation_id, user_id, amount, currency, 0, 0 FROM payments LIMIT 1"},
	{5, "UPDATE payments SET refunded = refunded - 1"},
	{5, "UPDATE payments SET refunded = NULL, points_revoked = NULL, refunded_at = NULL"},
	{5, "UPDATE payments SET refunded = amount, points_revoked = points_awarded, refunded_at = now()"},
	{5, "INSERT INTO sold SELECT seat_ids[1], id, performance_id FROM reservations "
	    "WHERE status = 'cancelled'"},
	{5, "UPDATE outbox SET kind = 'reservation.cancelled' WHERE kind = 'reservation.refunded'"},
	{5, "UPDATE outbox SET id = -id WHERE kind = 'reservation.refunded'"},
	{5, "DELETE FROM outbox WHERE kind = 'reservation.paid'"},
	{5, "INSERT INTO outbox (reservation_id, kind, payload) "
	    "SELECT id, 'reservation.paid', '{}' FROM reservations WHERE status = 'held'"},
	{5, "UPDATE reservations SET total = total + 1 WHERE status = 'held'"},
	{6, "UPDATE reservations SET hold_expires_at = now() - interval '6 seconds' WHERE status = 'held'"},
	{6, "UPDATE reservations SET ended_at = hold_expires_at + interval '1 ms' WHERE status = 'paid'"},
	{6, "UPDATE reservations SET status = 'expired', ended_at = hold_expires_at - interval '1 ms' "
	    "WHERE status = 'held'"},
	{9, "DELETE FROM ledger WHERE kind = 'charge'"},
	{9, "INSERT INTO ledger (user_id, unit, kind, amount, balance_after) "
	    "SELECT user_id, 'money', 'charge', 1, 1 FROM ledger WHERE kind = 'charge'"},
	{9, "INSERT INTO reservations SELECT id + 1000, user_id, performance_id, status, seat_ids, "
	    "seat_versions, seat_count, total, hold_expires_at, hold_key, pass_nonce, created_at, ended_at "
	    "FROM reservations WHERE status = 'cancelled'"},
	{9, "DELETE FROM reservations WHERE status = 'cancelled'"},
};

Test(checker, damaged_rows)
{
	struct world *world = world_open(NULL);
	struct history history = {0};
	struct invariants_input input = {.db = world->db, .history = &history};

	make_sale(world, &history);
	invariants_hold(&input);
	database_run(world->db, "ALTER TABLE ledger DISABLE TRIGGER USER");
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct violations violations;
		database_run(world->db, "BEGIN");
		database_run(world->db, damages[i].sql);
		invariants_check(&input, &violations);
		cr_assert(violations.of[damages[i].invariant] > 0,
			"invariant %u does not see: %s\n%s", damages[i].invariant, damages[i].sql,
			violations.text);
		database_run(world->db, "ROLLBACK");
	}
	invariants_hold(&input);
	history_free(&history);
	world_close(world);
}

/* Each of these entries alone is wrong. */
Test(checker, damaged_history)
{
	struct world *world = world_open(NULL);
	struct answer first = {
		.status = 409, .head = (char *)"HTTP/1.1 409 Conflict\r\n", .body = (char *)"{}"};
	struct answer marked = first, other = first;
	struct violations violations;

	marked.head = other.head = (char *)"HTTP/1.1 409 Conflict\r\nIdempotent-Replayed: true\r\n";
	other.body = (char *)"{ }";
	const struct answer *const repeats[] = {&marked, &first, &other, NULL};
	static const unsigned expected[] = {0, 4, 4, 9};
	for (size_t i = 0; i < ARRAY_LEN(repeats); i++) {
		struct history history = {0};
		struct invariants_input input = {.db = world->db, .history = &history};
		size_t entry = history_add(&history, KEYED_PAY, 1, "key");
		if (repeats[i] == NULL) {
			history_unknown(&history, entry);
		} else {
			history_reply(&history, entry, &first);
			history_reply(&history, entry, repeats[i]);
		}
		invariants_check(&input, &violations);
		cr_assert(violations.count == (expected[i] > 0) &&
				  violations.of[expected[i]] == violations.count,
			"case %zu: %s", i, violations.text);
		history_free(&history);
	}
	world_close(world);
}

Test(checker, damaged_admissions)
{
	struct world *world = world_open(NULL);
	struct violations violations;
	static const struct {
		unsigned violated;
		struct admission list[3];
	} rows[] = {
		{0, {{1, 1, 1, 2, 0}, {2, 2, 2, 2, 0}, {3, 5, 1, 2, 1000}}},
		{1, {{1, 2, 1, 2, 0}, {2, 1, 2, 2, 0}, {3, 5, 1, 2, 1000}}},
		{1, {{1, 1, 1, 2, 0}, {2, 2, 3, 2, 0}, {3, 3, 1, 2, 1000}}},
		{1, {{1, 1, 1, 2, 0}, {1, 1, 1, 2, 0}, {3, 3, 1, 2, 1000}}},
		{1, {{1, 1, 1, 2, 0}, {2, 2, 2, 2, 0}, {3, 3, 2, 2, 0}}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct admissions admissions = {(struct admission *)rows[i].list, 3};
		struct invariants_input input = {.db = world->db,
			.admissions = &admissions,
			.capacity = 2,
			.admit_per_second = 1};
		invariants_check(&input, &violations);
		cr_assert(violations.of[7] == rows[i].violated &&
				  violations.count == rows[i].violated,
			"row %zu: %s", i, violations.text);
	}
	world_close(world);
}

/* Three events of two reservations, all told; what of them was delivered, in which order. */
Test(checker, damaged_deliveries)
{
	struct world *world = world_open(
		&(struct world_options){.flags = {"--outbox.target=none"}});
	struct violations violations;
	static const struct {
		unsigned violated;
		size_t count;
		struct delivery list[5];
	} rows[] = {
		{0, 3, {{1, 1, "a"}, {2, 1, "b"}, {3, 2, "a"}}},
		{0, 3,
			{{3, 2, "a"}, {1, 1, "a"},
				{2, 1, "b"}}}, /* other reservations may overtake */
		{0, 5, {{1, 1, "a"}, {2, 1, "b"}, {1, 1, "a"}, {2, 1, "b"}, {3, 2, "a"}}},
		{0, 4, {{1, 1, "a"}, {2, 1, "b"}, {1, 1, "a"}, {3, 2, "a"}}},
		{1, 3, {{2, 1, "b"}, {1, 1, "a"}, {3, 2, "a"}}},
		{1, 2, {{1, 1, "a"}, {2, 1, "b"}}},
		{1, 4, {{1, 1, "a"}, {2, 1, "b"}, {3, 2, "a"}, {4, 2, "b"}}},
		{2, 3, {{1, 1, "a"}, {2, 1, "b"}, {3, 1, "a"}}},
		{2, 3, {{1, 1, "a"}, {2, 1, "a"}, {3, 2, "a"}}},
	};

	database_run(world->db, "INSERT INTO outbox (reservation_id, kind, payload, created_at) "
				"SELECT r, k, '{}', now() - interval '2 seconds' "
				"FROM (VALUES (1, 'a'), (1, 'b'), (2, 'a')) AS v(r, k)");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct deliveries deliveries = {0};
		struct invariants_input input = {.db = world->db, .deliveries = &deliveries};
		deliveries_begin(&deliveries, world->db);
		for (size_t j = 0; j < rows[i].count; j++)
			deliveries_add(&deliveries, rows[i].list[j].id,
				rows[i].list[j].reservation_id, rows[i].list[j].kind);
		invariants_check(&input, &violations);
		cr_assert(violations.of[8] == rows[i].violated, "row %zu: %s", i, violations.text);
		deliveries_lost(&deliveries, world->db);
		deliveries.count = 0;
		invariants_check(&input, &violations);
		cr_assert(violations.of[8] == 0, "what Redis has lost is not judged: %s",
			violations.text);
		deliveries_free(&deliveries);
	}
	world_close(world);
}
