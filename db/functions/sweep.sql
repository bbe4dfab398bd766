-- Tidies up: ends holds that have lapsed, oldest first, each with its event, and drops idempotency records
-- older than 24 hours and log-outs of tokens that have expired (a minute ago, since it is the servers' clocks
-- that judge tokens); at most sweep_limit of each. Nothing waits here: rows that somebody has locked are
-- left to him, or to the next run. Events of the outbox that happened keep_days ago go, too (0: they stay), but not
-- while one from before them may be waiting to be told: no transaction lasts an hour. Where nobody is to be told, none
-- waits: what is left to tell is dropped as if it were told. Only reservations are touched: the seats of a lapsed
-- hold keep their marks, which bind nobody, so that the lock order (seats before reservations) is not broken.
CREATE OR REPLACE FUNCTION sweep(sweep_limit bigint, keep_days bigint DEFAULT 0, nobody_told boolean DEFAULT false)
RETURNS TABLE (swept bigint, keys_dropped bigint, revocations_dropped bigint, events_dropped bigint,
	untold_dropped bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp(); -- a value, so that the index can be searched by it
	kept_from timestamptz := judged_at - keep_days * interval '1 day';
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

	untold_dropped := 0;
	IF nobody_told THEN
		DELETE FROM outbox_pending p WHERE p.id = ANY (ARRAY(
			SELECT old.id FROM outbox_pending old ORDER BY old.id LIMIT sweep_limit
			FOR UPDATE SKIP LOCKED));
		GET DIAGNOSTICS untold_dropped = ROW_COUNT;
	END IF;

	events_dropped := 0;
	kept_from := least(kept_from,
		(SELECT p.created_at - interval '1 hour' FROM outbox_pending p ORDER BY p.id LIMIT 1));
	IF keep_days > 0 AND (SELECT o.created_at FROM outbox o ORDER BY o.id LIMIT 1) < kept_from THEN
		DELETE FROM outbox o WHERE o.id = ANY (ARRAY(
			SELECT old.id FROM outbox old
			WHERE old.id <= (SELECT max(f.id) FROM (
				SELECT first.id FROM outbox first ORDER BY first.id LIMIT sweep_limit) f)
				AND old.created_at < kept_from
			ORDER BY old.id
			FOR UPDATE SKIP LOCKED));
		GET DIAGNOSTICS events_dropped = ROW_COUNT;
	END IF;
	RETURN NEXT;
END
$$;
