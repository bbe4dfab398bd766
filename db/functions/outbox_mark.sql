-- Notes events as told: their deliveries are acknowledged. pending_ids: the rows of outbox_pending that they were taken
-- by, each of them whole. Returns how many were still there. Like outbox_take.sql it does not wait for the disk.
CREATE OR REPLACE FUNCTION outbox_mark(pending_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	marked bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	DELETE FROM outbox_pending p WHERE p.id = ANY (pending_ids);
	GET DIAGNOSTICS marked = ROW_COUNT;
	RETURN marked;
END
$$;
