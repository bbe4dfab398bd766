-- A seat, as a hold and a reservation show it.
CREATE OR REPLACE FUNCTION seat_document(id bigint, section text, row_name text, number bigint, price bigint)
RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '{"id":' || id || ',"section":' || to_json(section) || ',"row":' || to_json(row_name)
		|| ',"number":' || number || ',"price":' || price || '}'
$$;
