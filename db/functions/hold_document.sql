-- The reply to a hold. seats: their documents, with a comma between two.
CREATE OR REPLACE FUNCTION hold_document(
	id bigint, performance bigint, seats text, total bigint, currency text, expires_at timestamptz)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '{"id":' || id || ',"status":"held","performance_id":' || performance || ',"seats":[' || seats
		|| '],"total":' || total || ',"currency":' || to_json(currency)
		|| ',"hold_expires_at":"' || rfc3339(expires_at) || '"}'
$$;
