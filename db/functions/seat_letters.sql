-- The states of a performance's seats, one letter each in the order of seat_list, and the time until the next
-- hold lapses (null: none will). One row, where the performance exists.
CREATE OR REPLACE FUNCTION seat_letters(performance bigint)
RETURNS TABLE (letters text, lapse_in_ms bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
BEGIN
	IF NOT EXISTS (SELECT FROM performances p WHERE p.id = performance) THEN
		RETURN;
	END IF;
	SELECT coalesce(string_agg(CASE WHEN s.status = 'sold' THEN 'S' WHEN s.until > judged_at THEN 'H'
			ELSE 'A' END, ''), ''),
		extract(epoch FROM min(s.until) FILTER (WHERE s.until > judged_at) - judged_at) * 1000
	INTO letters, lapse_in_ms
	FROM (
		SELECT seats.status, seats.hold_expires_at AS until -- null, but for a hold
		FROM seats WHERE seats.performance_id = performance
		ORDER BY seats.section, length(seats.row_name), seats.row_name, seats.number
	) s;
	RETURN NEXT;
END
$$;
