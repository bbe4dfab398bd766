-- What never changes of a performance's seats, in order of section, row and number: one line a seat, its object
-- as the contract has it up to the status (JSON holds no line ends). One row, where the performance exists.
CREATE OR REPLACE FUNCTION seat_list(performance bigint)
RETURNS TABLE (lines text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM performances p WHERE p.id = performance) THEN
		RETURN;
	END IF;
	SELECT coalesce(string_agg('{"id":' || s.id || ',"section":' || to_json(s.section) || ',"row":'
			|| to_json(s.row_name) || ',"number":' || s.number || ',"price":' || s.price
			|| ',"status":"' || E'\n', ''), '')
	INTO lines
	FROM (
		SELECT * FROM seats WHERE seats.performance_id = performance
		ORDER BY seats.section, length(seats.row_name), seats.row_name, seats.number
	) s;
	RETURN NEXT;
END
$$;
