-- Reads reservations, for a batch of requests; one row a request comes back, its document null where this
-- person has no such reservation.
CREATE OR REPLACE FUNCTION reservation(user_ids bigint[], reservation_ids bigint[], currency text)
RETURNS TABLE (op bigint, document text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
BEGIN
	RETURN QUERY
	SELECT q.request, reservation_document(r, judged_at, currency)
	FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS q(user_id, reservation_id, request)
	LEFT JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id;
END
$$;
