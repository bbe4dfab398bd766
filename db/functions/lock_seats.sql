-- Locks seats for whoever chose them: those up to an id that is not waited for as far as they are free to be locked
-- (SKIP LOCKED), those above it waiting, ascending. Gives the rows that were locked, as their last owners left
-- them.
CREATE OR REPLACE FUNCTION lock_seats(ids bigint[], wait_above bigint) RETURNS SETOF seats
LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT s.* FROM seats s WHERE s.id = ANY (ids) AND s.id <= wait_above
		ORDER BY s.id FOR UPDATE SKIP LOCKED;
	RETURN QUERY SELECT s.* FROM seats s WHERE s.id = ANY (ids) AND s.id > wait_above
		ORDER BY s.id FOR UPDATE;
END
$$;
