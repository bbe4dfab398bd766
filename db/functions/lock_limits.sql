-- Waits for the locks of the limits of people's seats, of those requests that are fresh: whoever holds one is the
-- only one to hold seats of this performance for this person.
CREATE OR REPLACE FUNCTION lock_limits(user_ids bigint[], performance_ids bigint[], fresh boolean[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(l.performance, l.person)
	FROM (
		SELECT DISTINCT (q.performance_id % 2147483647)::integer AS performance,
			(q.user_id % 2147483647)::integer AS person
		FROM unnest(user_ids, performance_ids, fresh) AS q(user_id, performance_id, fresh)
		WHERE q.fresh
		ORDER BY performance, person
	) l;
END
$$;
