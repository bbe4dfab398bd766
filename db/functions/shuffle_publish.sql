-- Makes a draft of a shuffle the one that counts, if it is whole and no other was first; the others are dropped.
-- The draft that counts afterwards; null where there is none.
CREATE OR REPLACE FUNCTION shuffle_publish(event bigint, attempt bigint, digest bytea, total bigint,
	first_number bigint) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	winner bigint;
BEGIN
	SELECT s.draft INTO winner FROM shuffles s WHERE s.event_id = event FOR UPDATE;
	IF NOT FOUND OR winner IS NOT NULL THEN
		RETURN winner;
	END IF;
	IF (SELECT count(*) FROM shuffle_entrants e WHERE e.event_id = event AND e.draft = attempt) <> total THEN
		RETURN NULL;
	END IF;
	UPDATE shuffles s SET draft = attempt, entrants_digest = digest, count = total, base = first_number,
		opened_at = clock_timestamp()
	WHERE s.event_id = event;
	DELETE FROM shuffle_entrants e WHERE e.event_id = event AND e.draft <> attempt;
	RETURN attempt;
END
$$;
