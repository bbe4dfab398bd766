-- Tokens that were logged out after a revision, oldest first, at most page_limit of them.
CREATE OR REPLACE FUNCTION revoked(after_revision bigint, page_limit bigint)
RETURNS TABLE (revision bigint, token bytea, expires_unix_s bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT r.revision, r.token, extract(epoch FROM r.expires_at)::bigint
	FROM revocations r WHERE r.revision > after_revision
	ORDER BY r.revision LIMIT page_limit;
END
$$;
