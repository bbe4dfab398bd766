-- Tidies up: ends holds that have lapsed, oldest first, each with its event, and drops idempotency records
-- older than 24 hours and log-outs of tokens that have expired (a minute ago, since it is the servers' clocks
-- that judge tokens); at most sweep_limit of each. Nothing waits here: rows that somebody has locked are
-- left to him, or to the next run. Only reservations are touched: the seats of a lapsed hold keep their
-- marks, which bind nobody, so that the lock order (seats before reservations) is not broken.
CREATE OR REPLACE FUNCTION sweep(sweep_limit bigint)
RETURNS TABLE (swept bigint, keys_dropped bigint, revocations_dropped bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp(); -- a value, so that the index can be searched by it
BEGIN
	swept := expire(ARRAY(
		SELECT r.id FROM reservations r
		WHERE r.status = 'held' AND r.hold_expires_at <= judged_at
		ORDER BY r.hold_expires_at LIMIT sweep_limit
		FOR UPDATE SKIP LOCKED));

	DELETE FROM idempotency i WHERE i.key = ANY (ARRAY(
		SELECT old.key FROM idempotency old
		WHERE old.created_at < judged_at - interval '24 hours'
		ORDER BY old.created_at LIMIT sweep_limit
		FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS keys_dropped = ROW_COUNT;

	DELETE FROM revocations t WHERE t.token = ANY (ARRAY(
		SELECT old.token FROM revocations old
		WHERE old.expires_at < judged_at - interval '1 minute'
		ORDER BY old.expires_at LIMIT sweep_limit
		FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS revocations_dropped = ROW_COUNT;
	RETURN NEXT;
END
$$;
