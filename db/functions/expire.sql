-- Ends lapsed holds, each with its event. The caller has locked these reservations and judged them lapsed;
-- those that have ended otherwise stay as they are. Their seats keep the lapsed marks, which bind nobody.
-- Returns how many were ended.
CREATE OR REPLACE FUNCTION expire(lapsed_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ended bigint;
BEGIN
	WITH expired AS (
		UPDATE reservations r SET status = 'expired', ended_at = clock_timestamp()
		WHERE r.id = ANY (lapsed_ids) AND r.status = 'held'
		RETURNING r.id, r.user_id, r.performance_id, r.seat_ids
	),
	events AS (
		INSERT INTO outbox (reservation_id, kind, payload)
		SELECT e.id, 'reservation.expired', json_build_object('reservation_id', e.id,
			'user_id', e.user_id, 'performance_id', e.performance_id, 'seat_ids', e.seat_ids)
		FROM expired e
		RETURNING outbox.id
	),
	pending AS (
		INSERT INTO outbox_pending (event_ids) SELECT array_agg(e.id) FROM events e GROUP BY e.id >> 7
	)
	SELECT count(*) INTO ended FROM expired;
	RETURN ended;
END
$$;
