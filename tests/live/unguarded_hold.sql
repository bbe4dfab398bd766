-- The control run's hold: it looks whether the seat is free and then takes it, with no lock, no second look
-- and no constraint in between. One request a call (db.batch_max = 1), one seat a request.
ALTER TABLE sold DROP CONSTRAINT sold_pkey;
ALTER TABLE payments DROP CONSTRAINT payments_reservation_id_key;

CREATE SEQUENCE finders;

CREATE OR REPLACE FUNCTION hold(
	key_locks bigint[], keys bytea[], bodies bytea[], request_ids text[], user_ids bigint[],
	performance_ids bigint[], ttls_ms bigint[], replay_only boolean[], seat_firsts bigint[],
	seat_lasts bigint[], seat_places bigint[], seat_ids bigint[], currency text, heads text[],
	pass_nonces bigint[], user_limit bigint, optimistic boolean DEFAULT false)
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	held_id bigint, held_until timestamptz, taken_ids bigint[], taken_sold bigint[])
LANGUAGE plpgsql
AS $$
DECLARE
	seat seats;
BEGIN
	op := 1;
	outcome := 0;
	replayed := false;
	taken_ids := '{}';
	taken_sold := '{}';
	SELECT s.* INTO seat FROM seats s WHERE s.id = seat_ids[1];
	IF seat.status <> 'available' THEN
		reply_status := 409;
		reply_body := heads[1] || substr(to_json(request_ids[1])::text, 2)
			|| ',"seat_ids":[' || seat.id || ']}';
		taken_ids := ARRAY[seat.id];
		taken_sold := ARRAY[(seat.status = 'sold')::integer::bigint];
		RETURN NEXT;
		RETURN;
	END IF;
	-- Who found it free waits until a second one did too.
	PERFORM nextval('finders');
	WHILE (SELECT last_value FROM finders) < 2 LOOP
		PERFORM pg_sleep(0.001);
	END LOOP;
	held_until := clock_timestamp() + ttls_ms[1] * interval '1 millisecond';
	INSERT INTO reservations (user_id, performance_id, status, seat_ids, seat_versions, seat_count, total,
		hold_expires_at, hold_key, pass_nonce)
	VALUES (user_ids[1], performance_ids[1], 'held', seat_ids, ARRAY[seat.version + 1], 1, seat.price,
		held_until, keys[1], 0)
	RETURNING id INTO held_id;
	UPDATE seats s SET status = 'held', user_id = user_ids[1], reservation_id = held_id,
		hold_expires_at = held_until, version = s.version + 1
	WHERE s.id = seat.id;
	INSERT INTO outbox (reservation_id, kind, payload) VALUES (held_id, 'reservation.held', '{}');
	reply_status := 201;
	reply_body := '{"id":' || held_id || '}';
	INSERT INTO idempotency (key, body, status, reply, reservation_id)
	VALUES (keys[1], bodies[1], reply_status, reply_body, held_id);
	RETURN NEXT;
END
$$;
