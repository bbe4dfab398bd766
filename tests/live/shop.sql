-- A small shop: people 1 to 200 with a balance of 1,000 each (1 is an operator, whom shop.h names), one
-- event, performance 1 with the seats 1 to 100 at 100 each, performance 2 with the seats 101 to 110.
INSERT INTO users (email, name, role, password_hash)
SELECT 'Buyer-' || n || '@onsale.test', 'Buyer ' || n,
	CASE n WHEN 1 THEN 'admin'::user_role ELSE 'buyer' END, CASE WHEN n <= 2 THEN '$argon2id$' || n END
FROM generate_series(1, 200) AS n ORDER BY n;
INSERT INTO accounts (user_id, balance) SELECT id, 1000 FROM users;
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT id, 'money', 'opening', 1000, 1000 FROM users;
INSERT INTO events (title, venue, queue_enabled) VALUES ('Event', 'Venue', true);
SELECT create_performance(1, 1, 1800000000000, '{Floor}', '{10}', '{10}', '{100}');
SELECT create_performance(1, 1, 1800000000000, '{Floor}', '{1}', '{10}', '{100}');

-- What must hold after whatever happened. A row for each violation.
CREATE VIEW violations AS
SELECT 'a seat in two paid reservations' AS what, s.id
FROM (SELECT unnest(seat_ids) AS id FROM reservations WHERE status = 'paid') s
GROUP BY s.id HAVING count(*) > 1
UNION ALL
SELECT 'paid without all its seats', r.id FROM reservations r
WHERE r.status = 'paid' AND r.seat_count <>
	(SELECT count(*) FROM sold s WHERE s.reservation_id = r.id AND s.seat_id = ANY (r.seat_ids))
UNION ALL
SELECT 'sold, and not paid for', s.seat_id FROM sold s
LEFT JOIN reservations r ON r.id = s.reservation_id AND r.status = 'paid' WHERE r.id IS NULL
UNION ALL
SELECT 'the seat and its sale differ', t.id FROM seats t
FULL JOIN sold s ON s.seat_id = t.id AND s.reservation_id = t.reservation_id
WHERE (t.status = 'sold') IS DISTINCT FROM (s.seat_id IS NOT NULL)
UNION ALL
SELECT 'two live holds of a seat', s.id
FROM (SELECT unnest(seat_ids) AS id FROM reservations
	WHERE status = 'held' AND hold_expires_at > clock_timestamp()) s
GROUP BY s.id HAVING count(*) > 1
UNION ALL
SELECT 'a live hold without its seat', r.id
FROM reservations r, unnest(r.seat_ids, r.seat_versions) AS f(seat_id, version)
JOIN seats s ON s.id = f.seat_id
WHERE r.status = 'held' AND r.hold_expires_at > clock_timestamp()
	AND (s.reservation_id, s.version) IS DISTINCT FROM (r.id, f.version)
UNION ALL
SELECT 'a balance is not the sum of its ledger', a.user_id FROM accounts a
LEFT JOIN (SELECT user_id, coalesce(sum(amount) FILTER (WHERE unit = 'money'), 0) AS money,
	coalesce(sum(amount) FILTER (WHERE unit = 'points'), 0) AS points
	FROM ledger GROUP BY user_id) l ON l.user_id = a.user_id
WHERE a.balance <> coalesce(l.money, 0) OR a.points <> coalesce(l.points, 0)
UNION ALL
SELECT 'a ledger row does not follow the one before', l.id
FROM (SELECT *, lag(balance_after, 1, 0::bigint) OVER (PARTITION BY user_id, unit ORDER BY id) AS before
	FROM ledger) l
WHERE l.before + l.amount <> l.balance_after
UNION ALL
SELECT 'paid another price', r.id FROM reservations r
LEFT JOIN payments p ON p.reservation_id = r.id AND p.refunded_at IS NULL
WHERE (r.status = 'paid') IS DISTINCT FROM (p.amount + p.points_used IS NOT DISTINCT FROM r.total)
UNION ALL
SELECT 'another refund than the price', r.id FROM payments p
JOIN reservations r ON r.id = p.reservation_id
WHERE p.refunded_at IS NOT NULL
	AND (r.status <> 'cancelled' OR p.amount <> p.refunded + p.points_awarded - p.points_revoked)
UNION ALL
SELECT 'not one event for each change', r.id FROM reservations r
LEFT JOIN payments p ON p.reservation_id = r.id AND p.refunded_at IS NOT NULL
WHERE (SELECT array_agg(o.kind ORDER BY o.id) FROM outbox o WHERE o.reservation_id = r.id)
	<> CASE WHEN r.status = 'held' THEN ARRAY['reservation.held']
		WHEN p.id IS NOT NULL
			THEN ARRAY['reservation.held', 'reservation.paid', 'reservation.refunded']
		ELSE ARRAY['reservation.held', 'reservation.' || r.status] END;
