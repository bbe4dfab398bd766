-- Whether a seat of the event was ever held: a seat's version grows with its first hold.
CREATE OR REPLACE FUNCTION ever_held(event bigint) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM performances p JOIN seats s ON s.performance_id = p.id
		WHERE p.event_id = event AND s.version > 0);
END
$$;
