-- Waits for the locks of a batch's keys (ascending numbers), and gives what is kept under each, by the key's place
-- in `keys`: null where nothing is. Whoever holds the lock of a key is the only one to work under it.
CREATE OR REPLACE FUNCTION kept_replies(key_locks bigint[], keys bytea[]) RETURNS idempotency[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	kept_row idempotency;
	kept idempotency[];
BEGIN
	PERFORM pg_advisory_xact_lock(number) FROM unnest(key_locks) AS number;
	FOR kept_row IN SELECT i.* FROM idempotency i WHERE i.key = ANY (keys) LOOP
		kept[array_position(keys, kept_row.key)] := kept_row;
	END LOOP;
	RETURN kept;
END
$$;
