-- A large house: 1,000,000 seats in ten performances, 100,000 people, and 40,000 reservations of two seats
-- each: a quarter held, a quarter lapsed and not swept, a quarter expired, a quarter paid.
-- Sign-ups that were refused have taken numbers; the people here are 1 to 100,000.
SELECT setval('users_id_seq', 1, false);
INSERT INTO users (email) SELECT 'p' || n || '@onsale.test' FROM generate_series(1, 100000) AS n;
INSERT INTO identities (issuer, subject, user_id)
SELECT 'i', 'p' || id, id FROM users WHERE id > 0;
INSERT INTO accounts (user_id, balance) SELECT id, 1000000 FROM users WHERE id > 0;
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT id, 'money', 'opening', 1000000, 1000000 FROM users WHERE id > 0;
INSERT INTO events (title, venue) SELECT 'Event ' || n, 'Venue' FROM generate_series(1, 10) AS n;
SELECT create_performance(1, n, 1800000000000, '{A,B}', '{500,500}', '{100,100}', '{100,200}')
FROM generate_series(1, 10) AS n;

INSERT INTO reservations (user_id, performance_id, status, seat_ids, seat_versions, seat_count, total,
	hold_expires_at, hold_key, pass_nonce, ended_at)
SELECT 1 + n % 100000, 1 + n / 4000, (ARRAY['held', 'held', 'expired', 'paid'])[1 + n % 4]::reservation_status,
	ARRAY[n / 4000 * 100000 + n % 4000 * 2 + 1, n / 4000 * 100000 + n % 4000 * 2 + 2], '{1,1}', 2, 200,
	now() + CASE WHEN n % 4 = 0 THEN interval '1 hour' ELSE interval '-1 hour' END,
	decode(md5('h' || n), 'hex'), 0, CASE WHEN n % 4 > 1 THEN now() END
FROM generate_series(0, 39999) AS n;
UPDATE seats s SET status = CASE r.status WHEN 'paid' THEN 'sold' ELSE 'held' END::seat_status,
	user_id = r.user_id, reservation_id = r.id, version = 1,
	hold_expires_at = CASE WHEN r.status <> 'paid' THEN r.hold_expires_at END
FROM reservations r, unnest(r.seat_ids) AS t(id) WHERE s.id = t.id AND r.id > 0;
INSERT INTO sold SELECT unnest(seat_ids), id, performance_id FROM reservations WHERE status = 'paid';
INSERT INTO payments (reservation_id, user_id, amount, currency, points_used, points_awarded)
SELECT id, user_id, total, 'KRW', 0, 2 FROM reservations WHERE status = 'paid';
INSERT INTO idempotency (key, body, status, reply, reservation_id, created_at)
SELECT hold_key, hold_key, 201, repeat('x', 300), id,
	now() - CASE WHEN id % 100 = 0 THEN interval '25 hours' ELSE interval '1 hour' END
FROM reservations WHERE id > 0;
-- A thousand were told long ago; none of the others yet.
INSERT INTO outbox (id, reservation_id, kind, payload, created_at)
SELECT -id, id, 'reservation.held', '{}', now() - interval '40 days'
FROM reservations WHERE id BETWEEN 1 AND 1000;
WITH events AS (
	INSERT INTO outbox (reservation_id, kind, payload)
	SELECT id, 'reservation.held', '{}' FROM reservations WHERE id > 0
	RETURNING id
)
INSERT INTO outbox_pending (event_ids) SELECT array_agg(id) FROM events GROUP BY id >> 5;
INSERT INTO revocations (token, user_id, expires_at)
SELECT decode(md5('t' || n), 'hex'), n, now() + CASE WHEN n % 100 = 0 THEN interval '-1 hour' ELSE interval '1 hour' END
FROM generate_series(1, 40000) AS n;
-- A line of 100,000 that is shuffled.
INSERT INTO shuffles (event_id, seed, draft, entrants_digest, count, base, opened_at)
VALUES (1, sha256('1'), 1, 'digest', 100000, 137438953472, now());
INSERT INTO shuffle_entrants
SELECT 1, 1, n, decode(md5('e' || n), 'hex'), n FROM generate_series(1, 100000) AS n;
