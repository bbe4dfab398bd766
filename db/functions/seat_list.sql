-- The seats of a performance in order of section, row and number: as the contract lists them, and as one
-- letter a seat. One row, where the performance exists.
CREATE OR REPLACE FUNCTION seat_map(performance bigint)
RETURNS TABLE (seats_json text, letters text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz := clock_timestamp();
BEGIN
	IF NOT EXISTS (SELECT FROM performances p WHERE p.id = performance) THEN
		RETURN;
	END IF;
	SELECT '[' || string_agg('{"id":' || s.id || ',"section":' || to_json(s.section) || ',"row":'
			|| to_json(s.row_name) || ',"number":' || s.number || ',"price":' || s.price
			|| ',"status":"' || s.judged || '"}', ',') || ']',
		string_agg(CASE s.judged WHEN 'available' THEN 'A' WHEN 'held' THEN 'H' ELSE 'S' END, '')
	INTO seats_json, letters
	FROM (
		SELECT seats.*, CASE
			WHEN seats.status = 'held' AND seats.hold_expires_at <= judged_at THEN 'available'
			ELSE seats.status END AS judged
		FROM seats WHERE seats.performance_id = performance
		ORDER BY seats.section, length(seats.row_name), seats.row_name, seats.number
	) s;
	seats_json := coalesce(seats_json, '[]');
	letters := coalesce(letters, '');
	RETURN NEXT;
END
$$;
