-- Before the house is filled. The calls of plans.c differ by the number of the run.
CREATE FUNCTION run() RETURNS bigint LANGUAGE sql AS $$ SELECT current_setting('plans.run')::bigint $$;
-- Of plans.sql: a reservation that is held, with its person; one that has lapsed comes behind it.
CREATE FUNCTION held() RETURNS bigint LANGUAGE sql AS $$ SELECT 400 * run() + 1 $$;
-- An event whose shuffle is still to come.
CREATE FUNCTION shuffled() RETURNS bigint LANGUAGE sql AS $$ SELECT 100 + run() $$;
CREATE FUNCTION keys(what text) RETURNS bytea[] LANGUAGE sql AS
$$ SELECT ARRAY[(what || ' a ' || run())::bytea, (what || ' b ' || run())::bytea] $$;

-- A plan is kept until somebody analyzes its tables: here nobody does unasked.
ALTER TABLE users SET (autovacuum_enabled = off);
ALTER TABLE accounts SET (autovacuum_enabled = off);
ALTER TABLE ledger SET (autovacuum_enabled = off);
ALTER TABLE seats SET (autovacuum_enabled = off);
ALTER TABLE reservations SET (autovacuum_enabled = off);
ALTER TABLE sold SET (autovacuum_enabled = off);
ALTER TABLE payments SET (autovacuum_enabled = off);
ALTER TABLE idempotency SET (autovacuum_enabled = off);
ALTER TABLE outbox SET (autovacuum_enabled = off);
ALTER TABLE revocations SET (autovacuum_enabled = off);
ALTER TABLE shuffle_entrants SET (autovacuum_enabled = off);
ALTER TABLE identities SET (autovacuum_enabled = off);

-- Somebody who has come before, and in the full house somebody who has not.
CREATE FUNCTION subjects() RETURNS text[] LANGUAGE sql AS
$$ SELECT ARRAY['s7', 'early', CASE WHEN last_value > 1000 THEN 'late ' || run() || last_value ELSE 'early' END]
	FROM users_id_seq $$;

-- A row or two in each, so that a table is one page, and known to be: there reading all of it is what the
-- planner likes best.
INSERT INTO users (id, email) VALUES (-1, 'early-1@onsale.test'), (-2, 'early-2@onsale.test');
INSERT INTO accounts SELECT id, 1000 FROM users;
INSERT INTO identities (issuer, subject, user_id) VALUES ('i', 'early', -1), ('i', 's7', -2);
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT id, 'money', 'opening', 1000, 1000 FROM users;
INSERT INTO seats (id, performance_id, section, row_name, number, price)
SELECT -n, -1, 'A', 'A', n, 100 FROM generate_series(1, 20) AS n;
INSERT INTO reservations (id, user_id, performance_id, status, seat_ids, seat_versions, seat_count, total,
	hold_expires_at, hold_key, pass_nonce)
SELECT -n, -1, -1, 'held', '{-1}', '{0}', 1, 100, now() + interval '1 day', 'x', 0
FROM generate_series(1, 5) AS n;
INSERT INTO sold SELECT -n, -1, -1 FROM generate_series(1, 5) AS n;
INSERT INTO payments (reservation_id, user_id, amount, currency, points_used, points_awarded)
VALUES (-1, -1, 100, 'KRW', 0, 0);
INSERT INTO idempotency (key, body, status, reply)
SELECT n::text::bytea, 'b', 201, 'x' FROM generate_series(1, 5) AS n;
INSERT INTO outbox (id, reservation_id, kind, payload) OVERRIDING SYSTEM VALUE VALUES (0, -1, 'early', '{}');
INSERT INTO outbox_pending (event_ids) VALUES ('{0}');
INSERT INTO revocations (token, user_id, expires_at) VALUES ('early', -1, now() + interval '1 day');
INSERT INTO events (id, title, venue) SELECT n, 'Shuffled ' || n, 'Venue' FROM generate_series(100, 120) AS n;
INSERT INTO shuffles (event_id, seed) SELECT n, sha256(n::text::bytea) FROM generate_series(100, 120) AS n;
INSERT INTO shuffle_entrants SELECT 100, 1, 1, 'early', -1;
ANALYZE;
