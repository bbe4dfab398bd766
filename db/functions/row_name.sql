-- The name of a row of seats: 0 is A, 25 is Z, 26 is AA.
CREATE OR REPLACE FUNCTION row_name(nth bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	rest bigint := nth;
	name text := '';
BEGIN
	LOOP
		name := chr(65 + (rest % 26)::integer) || name;
		rest := rest / 26 - 1;
		EXIT WHEN rest < 0;
	END LOOP;
	RETURN name;
END
$$;
