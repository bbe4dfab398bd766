-- Reads balances and points, for a batch of requests; a row for each person that exists.
CREATE OR REPLACE FUNCTION balance(user_ids bigint[])
RETURNS TABLE (op bigint, money bigint, points bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT q.request, a.balance, a.points
	FROM unnest(user_ids) WITH ORDINALITY AS q(user_id, request)
	JOIN accounts a ON a.user_id = q.user_id;
END
$$;
