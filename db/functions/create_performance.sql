-- Creates a performance of an event with its seats: for each section rows A, B … of seats from number 1.
-- The section parameters are arrays with an element a section; names are distinct. One row comes back,
-- where the event exists.
CREATE OR REPLACE FUNCTION create_performance(
	admin bigint,
	event bigint,
	starts_unix_ms bigint,
	section_names text[],
	section_rows bigint[],
	section_seats_per_row bigint[],
	section_prices bigint[])
RETURNS TABLE (id bigint, seats bigint)
LANGUAGE plpgsql
SET jit = off
AS $$
BEGIN
	SELECT coalesce(sum(s.rows * s.per_row), 0) INTO seats
	FROM unnest(section_rows, section_seats_per_row) AS s(rows, per_row);
	INSERT INTO performances (event_id, starts_at, seats_total, sections)
	SELECT e.id, to_timestamp(starts_unix_ms / 1000.0), create_performance.seats,
		ARRAY(SELECT s.name FROM unnest(section_names, section_prices) WITH ORDINALITY AS s(name, price, nth)
			ORDER BY s.price DESC, s.nth)
	FROM events e WHERE e.id = event
	RETURNING performances.id INTO id;
	IF id IS NULL THEN
		RETURN;
	END IF;

	INSERT INTO seats (performance_id, section, row_name, number, price)
	SELECT create_performance.id, s.name, r.name, n.number, s.price
	FROM unnest(section_names, section_rows, section_seats_per_row, section_prices)
			WITH ORDINALITY AS s(name, rows, per_row, price, nth),
		LATERAL (SELECT t.nth, row_name(t.nth) AS name
			FROM generate_series(0, s.rows - 1) AS t(nth) OFFSET 0) r,
		LATERAL generate_series(1, s.per_row) AS n(number)
	ORDER BY s.nth, r.nth, n.number;

	INSERT INTO admin_audit (admin_id, action, event_id, detail)
	VALUES (admin, 'performance.create', event,
		jsonb_build_object('performance_id', create_performance.id, 'seats', create_performance.seats));
	RETURN NEXT;
END
$$;
