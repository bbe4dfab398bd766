-- What an event has brought so far: seats held, seats sold, and the money that was paid for those (a refund
-- takes its payment back out). One row, where the event exists. Reads index entries of taken seats only.
CREATE OR REPLACE FUNCTION stats(event bigint)
RETURNS TABLE (held bigint, sold_seats bigint, revenue bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp(); -- a value, so that the index can be searched by it
BEGIN
	RETURN QUERY
	SELECT coalesce(sum(holds.seats), 0)::bigint, coalesce(sum(sales.seats), 0)::bigint,
		coalesce(sum(sales.amount), 0)::bigint
	FROM events e
	LEFT JOIN performances p ON p.event_id = e.id
	LEFT JOIN LATERAL (
		SELECT sum(r.seat_count) AS seats FROM reservations r
		WHERE r.performance_id = p.id AND r.status = 'held' AND r.hold_expires_at > judged_at
	) holds ON true
	LEFT JOIN LATERAL (
		SELECT sum(o.seats) AS seats, sum(paid.amount) AS amount
		FROM (
			SELECT s.reservation_id, count(*) AS seats FROM sold s
			WHERE s.performance_id = p.id GROUP BY s.reservation_id
		) o
		LEFT JOIN LATERAL (
			SELECT y.amount FROM payments y WHERE y.reservation_id = o.reservation_id
		) paid ON true
	) sales ON true
	WHERE e.id = event
	GROUP BY e.id;
END
$$;
