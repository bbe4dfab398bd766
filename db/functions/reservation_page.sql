-- A page of a person's reservations, newest first: those below the id `after` (0: from the newest on), at most
-- page_limit. One row: the body of the reply, whose next is the id to go on after, null where none is left.
CREATE OR REPLACE FUNCTION reservation_page(
	of_user bigint, after bigint, page_limit bigint, currency text)
RETURNS TABLE (body text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
	below bigint := CASE after WHEN 0 THEN 9223372036854775807 ELSE after END;
	ids bigint[]; -- one more than are shown, where there is one
BEGIN
	ids := ARRAY(
		SELECT r.id FROM reservations r WHERE r.user_id = of_user AND r.id < below
		ORDER BY r.id DESC LIMIT page_limit + 1);
	SELECT '{"items":[' || coalesce(string_agg(
			reservation_document(r, judged_at, currency), ',' ORDER BY r.id DESC), '')
		|| '],"next":' || CASE WHEN cardinality(ids) > page_limit THEN ids[page_limit]::text
			ELSE 'null' END || '}'
	INTO body
	FROM reservations r WHERE r.id = ANY (ids[:page_limit]);
	RETURN NEXT;
END
$$;
