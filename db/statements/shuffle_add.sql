-- A part of a draft, as long as none counts: the row is locked against shuffle_publish.
WITH open AS MATERIALIZED (
	SELECT FROM shuffles WHERE event_id = $1 AND opened_at IS NULL FOR SHARE
)
INSERT INTO shuffle_entrants (event_id, draft, position, entrant, user_id)
SELECT $1, $2, $3 + nth, entrant, user_id
FROM open, unnest($4::bytea[], $5::bigint[]) WITH ORDINALITY AS part(entrant, user_id, nth)
ON CONFLICT DO NOTHING
