-- A reservation as the contract shows it. A hold that has lapsed is shown as expired, swept or not.
CREATE OR REPLACE FUNCTION reservation_document(r reservations, judged_at timestamptz, currency text)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '{"id":' || r.id || ',"status":"'
		|| CASE WHEN r.status = 'held' AND r.hold_expires_at <= judged_at THEN 'expired'
			ELSE r.status::text END
		|| '","performance_id":' || r.performance_id || ',"seats":[' || (
			SELECT string_agg(seat_document(s.id, s.section, s.row_name, s.number, s.price), ','
				ORDER BY s.id)
			FROM seats s WHERE s.id = ANY (r.seat_ids))
		|| '],"total":' || r.total || ',"currency":' || to_json(currency)
		|| ',"hold_expires_at":"' || rfc3339(r.hold_expires_at) || '"}'
$$;
