-- A page of a person's ledger, oldest first, as the contract shows it: the entries above after_id, at most
-- page_limit of them, and as "next" the id to go on after, null on the last page. Null where there is no such
-- person. An entry takes its id while its account is locked: none turns up below one that was shown.
CREATE OR REPLACE FUNCTION ledger_page(person bigint, after_id bigint, page_limit bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	items text;
	next_id bigint;
BEGIN
	PERFORM FROM accounts a WHERE a.user_id = person;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT string_agg('{"id":' || e.id || ',"unit":"' || e.unit || '","kind":"' || e.kind
			|| '","amount":' || e.amount || ',"balance_after":' || e.balance_after
			|| ',"reservation_id":' || coalesce(e.reservation_id::text, 'null')
			|| ',"created_at":"' || rfc3339(e.created_at) || '"}', ',' ORDER BY e.id)
			FILTER (WHERE e.nth <= page_limit),
		CASE WHEN count(*) > page_limit THEN max(e.id) FILTER (WHERE e.nth <= page_limit) END
	INTO items, next_id
	FROM (SELECT l.*, row_number() OVER (ORDER BY l.id) AS nth FROM ledger l
		WHERE l.user_id = person AND l.id > after_id
		ORDER BY l.id LIMIT page_limit + 1) e;
	RETURN '{"items":[' || coalesce(items, '') || '],"next":' || coalesce(next_id::text, 'null') || '}';
END
$$;
