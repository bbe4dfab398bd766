-- Reads reservations as the contract shows them, for a batch of requests; one row a request comes back,
-- its document null where this person has no such reservation. A hold that has lapsed is shown as expired,
-- swept or not.
CREATE OR REPLACE FUNCTION reservation(user_ids bigint[], reservation_ids bigint[], currency text)
RETURNS TABLE (op bigint, document text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
BEGIN
	RETURN QUERY
	SELECT q.request, '{"id":' || r.id || ',"status":"'
		|| CASE WHEN r.status = 'held' AND r.hold_expires_at <= judged_at THEN 'expired'
			ELSE r.status::text END
		|| '","performance_id":' || r.performance_id || ',"seats":[' || (
			SELECT string_agg('{"id":' || s.id || ',"section":' || to_json(s.section)
				|| ',"row":' || to_json(s.row_name) || ',"number":' || s.number
				|| ',"price":' || s.price || '}', ',' ORDER BY s.id)
			FROM seats s WHERE s.id = ANY (r.seat_ids))
		|| '],"total":' || r.total || ',"currency":' || to_json(currency)
		|| ',"hold_expires_at":"' || rfc3339(r.hold_expires_at) || '"}'
	FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS q(user_id, reservation_id, request)
	LEFT JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id;
END
$$;
