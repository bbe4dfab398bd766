-- What must never be, counted: a row. All of it is judged in one snapshot, so that a sale that goes on meanwhile
-- is seen before or after, never halfway. It reads whole tables: an operator asks for it, no buyer waits.
--
--   double_sold         seats that two paid reservations claim, or of which seat, sold row and reservation do
--                       not say the same
--   negative_balances   accounts below zero, in money or points
--   ledger_imbalance    accounts whose balance or points are not the sum of their ledger
--   orphan_holds        held, 5 s past its expiry, and not swept
--   unpublished_events  of the outbox: a number that comes and goes
CREATE OR REPLACE FUNCTION audit()
RETURNS TABLE (double_sold bigint, negative_balances bigint, ledger_imbalance bigint, orphan_holds bigint,
	unpublished_events bigint, checked_at text)
LANGUAGE plpgsql STABLE
SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
BEGIN
	SELECT count(*) INTO double_sold
	FROM (
		SELECT t.seat_id FROM reservations r, unnest(r.seat_ids) AS t(seat_id)
		WHERE r.status = 'paid' GROUP BY t.seat_id HAVING count(*) > 1
		UNION
		SELECT t.seat_id FROM reservations r CROSS JOIN unnest(r.seat_ids) AS t(seat_id)
		LEFT JOIN sold o ON o.seat_id = t.seat_id AND o.reservation_id = r.id
		WHERE r.status = 'paid' AND o.seat_id IS NULL
		UNION
		SELECT o.seat_id FROM sold o
		LEFT JOIN reservations r ON r.id = o.reservation_id
		LEFT JOIN seats s ON s.id = o.seat_id
		WHERE r.status IS DISTINCT FROM 'paid' OR NOT o.seat_id = ANY (r.seat_ids)
			OR s.status IS DISTINCT FROM 'sold'
			OR s.reservation_id IS DISTINCT FROM o.reservation_id
		UNION
		SELECT s.id FROM seats s LEFT JOIN sold o ON o.seat_id = s.id
		WHERE s.status = 'sold' AND o.seat_id IS NULL
	) wrong;

	SELECT count(*) INTO negative_balances FROM accounts a WHERE a.balance < 0 OR a.points < 0;

	SELECT count(*) INTO ledger_imbalance
	FROM accounts a
	FULL JOIN (
		SELECT l.user_id, coalesce(sum(l.amount) FILTER (WHERE l.unit = 'money'), 0) AS money,
			coalesce(sum(l.amount) FILTER (WHERE l.unit = 'points'), 0) AS points
		FROM ledger l GROUP BY l.user_id
	) sums ON sums.user_id = a.user_id
	WHERE a.user_id IS NULL OR a.balance <> coalesce(sums.money, 0)
		OR a.points <> coalesce(sums.points, 0);

	SELECT count(*) INTO orphan_holds FROM reservations r
	WHERE r.status = 'held' AND r.hold_expires_at < judged_at - interval '5 seconds';

	SELECT coalesce(sum(cardinality(p.event_ids)), 0) INTO unpublished_events FROM outbox_pending p;

	checked_at := rfc3339(judged_at);
	RETURN NEXT;
END
$$;
