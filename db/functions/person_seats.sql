-- How many seats, held and paid, each request's person has of its performance. A person may come several times in
-- a batch: `firsts` says at which request the count stands that those of the same person and performance share.
CREATE OR REPLACE FUNCTION person_seats(
	user_ids bigint[], performance_ids bigint[], judged_at timestamptz,
	OUT firsts bigint[], OUT seats bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	SELECT array_agg(q.first ORDER BY q.request), array_agg(h.seats ORDER BY q.request)
	INTO firsts, seats
	FROM (
		SELECT *, min(p.request) OVER (PARTITION BY p.user_id, p.performance_id) AS first
		FROM unnest(user_ids, performance_ids) WITH ORDINALITY AS p(user_id, performance_id, request)
	) q, LATERAL (
		SELECT coalesce(sum(r.seat_count), 0)::bigint AS seats FROM reservations r
		WHERE r.user_id = q.user_id AND r.performance_id = q.performance_id
			AND (r.status = 'paid' OR r.status = 'held' AND r.hold_expires_at > judged_at)
	) h;
END
$$;
