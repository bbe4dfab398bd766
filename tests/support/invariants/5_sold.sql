-- Sold now <=> its reservation is paid <=> payments less refunds are its price <=> outbox events say so. What
-- was spent of a reward before it was taken back counts as given back: it came off the refund.
SELECT format('seat %s is %s and %s in sold', s.id, s.status,
	CASE WHEN o.seat_id IS NULL THEN 'is not' ELSE 'is' END)
FROM seats s FULL JOIN sold o ON o.seat_id = s.id
WHERE (s.status = 'sold') IS DISTINCT FROM (o.seat_id IS NOT NULL)
UNION ALL
SELECT format('seat %s was sold to reservation %s, which is %s', o.seat_id, o.reservation_id,
	coalesce(r.status::text, 'missing'))
FROM sold o LEFT JOIN reservations r ON r.id = o.reservation_id
WHERE r.status IS DISTINCT FROM 'paid' OR NOT o.seat_id = ANY (r.seat_ids)
UNION ALL
SELECT format('reservation %s is paid and its seat %s is not sold to it', r.id, s.seat_id)
FROM reservations r CROSS JOIN unnest(r.seat_ids) AS s(seat_id)
LEFT JOIN sold o ON o.seat_id = s.seat_id AND o.reservation_id = r.id
WHERE r.status = 'paid' AND o.seat_id IS NULL
UNION ALL
SELECT format('reservation %s is %s, costs %s and was paid %s', r.id, r.status, r.total,
	coalesce(p.paid, 0))
FROM reservations r LEFT JOIN (
	SELECT reservation_id, sum(CASE WHEN refunded_at IS NULL THEN amount + points_used
		ELSE amount - refunded - (points_awarded - points_revoked) END) AS paid
	FROM payments GROUP BY reservation_id
) p ON p.reservation_id = r.id
WHERE coalesce(p.paid, 0) <> CASE WHEN r.status = 'paid' THEN r.total ELSE 0 END
UNION ALL
SELECT format('reservation %s costs %s, its seats %s', r.id, r.total, sum(s.price))
FROM reservations r JOIN seats s ON s.id = ANY (r.seat_ids)
GROUP BY r.id HAVING r.total <> sum(s.price)
UNION ALL
SELECT format('reservation %s is %s and its events are %s', r.id, r.status, coalesce(o.kinds, '{}'))
FROM reservations r
LEFT JOIN (
	SELECT reservation_id, array_agg(substr(kind, length('reservation.') + 1) ORDER BY id) AS kinds
	FROM outbox GROUP BY reservation_id
) o ON o.reservation_id = r.id
WHERE o.kinds IS DISTINCT FROM CASE
	WHEN r.status = 'held' THEN '{held}'::text[]
	WHEN r.status = 'cancelled' AND EXISTS (SELECT FROM payments p WHERE p.reservation_id = r.id)
		THEN '{held,paid,refunded}'
	ELSE ARRAY['held', r.status::text] END
