-- Finds the users that an outside identity provider's people are, for a batch of requests, and makes those who
-- are not there yet, with empty accounts; the same person may come several times. A row for each request.
--
-- Of two transactions with the same new person the primary key of identities lets one be first; the other waits
-- for it, and finds its user. Identities are written in order, and after all of them the e-mail addresses, in
-- order too: no two batches wait for each other. An address that somebody has is not given to a second one, and
-- never makes the newcomer that somebody: the user is made without it.
CREATE OR REPLACE FUNCTION identify(issuers text[], subjects text[], addresses text[], names text[])
RETURNS TABLE (op bigint, user_id bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	fresh bigint[];
	firsts bigint[]; -- which request each of them came with first
BEGIN
	WITH request AS (
		SELECT q.issuer, q.subject, min(q.nth) AS nth
		FROM unnest(issuers, subjects) WITH ORDINALITY AS q(issuer, subject, nth)
		WHERE NOT EXISTS (
			SELECT FROM identities i WHERE i.issuer = q.issuer AND i.subject = q.subject)
		GROUP BY q.issuer, q.subject
	), made AS (
		INSERT INTO identities (issuer, subject, user_id)
		SELECT r.issuer, r.subject, nextval(pg_get_serial_sequence('users', 'id'))
		FROM (SELECT * FROM request ORDER BY issuer COLLATE "C", subject COLLATE "C") AS r
		ON CONFLICT DO NOTHING
		RETURNING issuer, subject, user_id
	)
	SELECT array_agg(m.user_id), array_agg(r.nth) INTO fresh, firsts
	FROM made m JOIN request r ON r.issuer = m.issuer AND r.subject = m.subject;

	IF fresh IS NOT NULL THEN
		INSERT INTO users (id, email, name)
		SELECT f.id, addresses[f.nth], names[f.nth]
		FROM unnest(fresh, firsts) AS f(id, nth)
		WHERE addresses[f.nth] <> ''
		ORDER BY lower(addresses[f.nth]) COLLATE "C"
		ON CONFLICT (lower(email)) DO NOTHING;

		INSERT INTO users (id, name)
		SELECT f.id, names[f.nth]
		FROM unnest(fresh, firsts) AS f(id, nth)
		WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = f.id);

		INSERT INTO accounts (user_id) SELECT unnest(fresh);
	END IF;

	RETURN QUERY
	SELECT q.nth, i.user_id
	FROM unnest(issuers, subjects) WITH ORDINALITY AS q(issuer, subject, nth)
	JOIN identities i ON i.issuer = q.issuer AND i.subject = q.subject;
END
$$;
