-- Entrants of a shuffle that is done, by position, above after_position.
CREATE OR REPLACE FUNCTION shuffle_page(event bigint, after_position bigint, page_limit bigint)
RETURNS TABLE ("position" bigint, entrant bytea, user_id bigint, base bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT e.position, e.entrant, e.user_id, s.base
	FROM shuffles s JOIN shuffle_entrants e ON e.event_id = s.event_id AND e.draft = s.draft
	WHERE s.event_id = event AND e.position > after_position
	ORDER BY e.position LIMIT page_limit;
END
$$;
