-- The numbers in line that shuffles gave people, for a batch of requests; a row for each that was given one.
CREATE OR REPLACE FUNCTION shuffle_number(event_ids bigint[], user_ids bigint[])
RETURNS TABLE (op bigint, number bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT q.request, s.base + e.position
	FROM unnest(event_ids, user_ids) WITH ORDINALITY AS q(event_id, user_id, request)
	JOIN shuffles s ON s.event_id = q.event_id
	JOIN shuffle_entrants e ON e.event_id = s.event_id AND e.draft = s.draft AND e.user_id = q.user_id;
END
$$;
