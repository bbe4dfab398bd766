-- Counts the seats that are left and those that are sold, one row for each performance asked for (0 and 0
-- where there is no such performance). Reads index entries of taken seats only, in one snapshot: a seat that is
-- just being paid counts either as held or as sold.
CREATE OR REPLACE FUNCTION availability(performance_ids bigint[])
RETURNS TABLE (nth bigint, available bigint, sold_seats bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp(); -- a value, so that the index can be searched by it
BEGIN
	RETURN QUERY
	SELECT q.nth, coalesce(p.seats_total - held.seats - sales.seats, 0), coalesce(sales.seats, 0)
	FROM unnest(performance_ids) WITH ORDINALITY AS q(performance_id, nth)
	LEFT JOIN performances p ON p.id = q.performance_id
	LEFT JOIN LATERAL (
		SELECT coalesce(sum(r.seat_count), 0)::bigint AS seats FROM reservations r
		WHERE r.performance_id = p.id AND r.status = 'held' AND r.hold_expires_at > judged_at
	) held ON true
	LEFT JOIN LATERAL (
		SELECT count(*) AS seats FROM sold s WHERE s.performance_id = p.id
	) sales ON true;
END
$$;
