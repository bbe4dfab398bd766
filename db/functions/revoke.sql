-- Logs access tokens out, for a batch of requests; the same token may come several times. Returns how many
-- were not logged out yet.
--
-- Revisions are given under a lock that is held until the commit, and in a statement of their own after it:
-- none becomes visible after a higher one.
CREATE OR REPLACE FUNCTION revoke(tokens bytea[], user_ids bigint[], expiries_unix_s bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	last_second constant bigint := 253402300799; -- of the year 9999
	revoked bigint;
BEGIN
	PERFORM pg_advisory_xact_lock('revocations'::regclass::oid::bigint);
	INSERT INTO revocations (token, user_id, expires_at)
	SELECT r.token, r.user_id, to_timestamp(least(r.expiry, last_second))
	FROM unnest(tokens, user_ids, expiries_unix_s) AS r(token, user_id, expiry)
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS revoked = ROW_COUNT;
	RETURN revoked;
END
$$;
