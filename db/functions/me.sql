-- Reads people as the contract shows them to themselves, for a batch of requests; a row for each person that
-- exists.
CREATE OR REPLACE FUNCTION me(user_ids bigint[], currency text)
RETURNS TABLE (op bigint, document text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT q.request, '{"id":' || u.id || ',"email":' || coalesce(to_json(u.email)::text, 'null') || ',"name":' || to_json(u.name)
		|| ',"role":"' || u.role || '","balance":' || a.balance || ',"points":' || a.points
		|| ',"currency":' || to_json(currency) || '}'
	FROM unnest(user_ids) WITH ORDINALITY AS q(user_id, request)
	JOIN users u ON u.id = q.user_id
	JOIN accounts a ON a.user_id = q.user_id;
END
$$;
