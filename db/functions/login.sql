-- What log-in needs of the person with this e-mail address: a row, where there is one with a password.
CREATE OR REPLACE FUNCTION login(address text)
RETURNS TABLE (user_id bigint, is_admin boolean, hash text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT u.id, u.role = 'admin', u.password_hash
	FROM users u
	WHERE lower(u.email) = lower(address) AND u.password_hash IS NOT NULL;
END
$$;
