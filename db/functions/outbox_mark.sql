-- Notes events as published: their deliveries are acknowledged. Returns how many were not yet. Like outbox_take.sql
-- it does not wait for the disk.
CREATE OR REPLACE FUNCTION outbox_mark(ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	marked bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	UPDATE outbox o SET published_at = clock_timestamp()
	WHERE o.id = ANY (ids) AND o.published_at IS NULL;
	GET DIAGNOSTICS marked = ROW_COUNT;
	RETURN marked;
END
$$;
