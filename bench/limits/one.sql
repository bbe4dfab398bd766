-- One hold and one payment as a function each, for pgbench: what somebody would write who takes a transaction a
-- request. They do what a hold and a payment of ours do to one seat: the key looked for and its reply kept, rows
-- locked in the same order, judged by the clock after the last lock, the same tables written. They leave out
-- what would only slow them: arrays, the limit of seats a person, refusals under the key (a refusal is an error
-- here, which ends the run). They are faster than our own hold() and pay() with arrays of one.

CREATE OR REPLACE FUNCTION hold_one(hold_key bytea, person bigint, performance bigint, seat bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	kept idempotency;
	seat_row seats;
	judged_at timestamptz;
	until timestamptz;
	held bigint;
	event bigint;
	reply text;
BEGIN
	PERFORM pg_advisory_xact_lock(('x' || encode(substr(hold_key, 1, 8), 'hex'))::bit(64)::bigint);
	SELECT * INTO kept FROM idempotency WHERE key = hold_key;
	IF FOUND THEN
		RETURN kept.reply;
	END IF;
	SELECT * INTO seat_row FROM seats WHERE id = seat FOR UPDATE;
	judged_at := clock_timestamp();
	IF seat_row.id IS NULL OR seat_row.performance_id <> performance OR seat_row.status = 'sold'
		OR seat_row.hold_expires_at > judged_at THEN
		RAISE EXCEPTION 'seat % cannot be had', seat;
	END IF;
	until := date_trunc('milliseconds', judged_at + interval '1 day');
	held := nextval('reservations_id_seq');
	reply := hold_document(held, performance,
		seat_document(seat_row.id, seat_row.section, seat_row.row_name, seat_row.number, seat_row.price),
		seat_row.price, 'KRW', until);
	UPDATE seats SET status = 'held', user_id = person, reservation_id = held, hold_expires_at = until,
		version = version + 1
	WHERE id = seat;
	INSERT INTO reservations (id, user_id, performance_id, status, seat_ids, seat_versions, seat_count, total,
		hold_expires_at, hold_key, pass_nonce)
	VALUES (held, person, performance, 'held', ARRAY[seat], ARRAY[seat_row.version + 1], 1, seat_row.price, until,
		hold_one.hold_key, 0);
	INSERT INTO outbox (reservation_id, kind, payload)
	VALUES (held, 'reservation.held', json_build_object('reservation_id', held, 'user_id', person,
		'performance_id', performance, 'seat_ids', ARRAY[seat], 'total', seat_row.price))
	RETURNING id INTO event;
	INSERT INTO outbox_pending (event_ids) VALUES (ARRAY[event]);
	INSERT INTO idempotency (key, body, status, reply, reservation_id)
	VALUES (hold_key, hold_key, 201, reply, held);
	RETURN reply;
END
$$;

CREATE OR REPLACE FUNCTION pay_one(pay_key bytea, reservation bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	kept idempotency;
	held_row reservations;
	account accounts;
	judged_at timestamptz;
	fences bigint;
	payment bigint;
	awarded bigint;
	event bigint;
	reply text;
BEGIN
	PERFORM pg_advisory_xact_lock(('x' || encode(substr(pay_key, 1, 8), 'hex'))::bit(64)::bigint);
	SELECT * INTO kept FROM idempotency WHERE key = pay_key;
	IF FOUND THEN
		RETURN kept.reply;
	END IF;
	PERFORM FROM seats WHERE id = ANY (ARRAY(
		SELECT unnest(r.seat_ids) FROM reservations r WHERE r.id = reservation)) ORDER BY id FOR UPDATE;
	SELECT * INTO held_row FROM reservations WHERE id = reservation FOR UPDATE;
	SELECT * INTO account FROM accounts WHERE user_id = held_row.user_id FOR UPDATE;
	judged_at := clock_timestamp();
	SELECT count(*) INTO fences
	FROM unnest(held_row.seat_ids, held_row.seat_versions) AS f(seat_id, version)
	JOIN seats s ON s.id = f.seat_id
	WHERE s.reservation_id = held_row.id AND s.version = f.version;
	IF held_row.status IS DISTINCT FROM 'held' OR held_row.hold_expires_at <= judged_at
		OR fences <> held_row.seat_count OR account.balance < held_row.total THEN
		RAISE EXCEPTION 'reservation % cannot be paid', reservation;
	END IF;
	payment := nextval('payments_id_seq');
	awarded := held_row.total / 100;
	reply := '{"payment_id":' || payment || ',"reservation_id":' || held_row.id || ',"status":"paid","amount":'
		|| held_row.total || ',"balance":' || account.balance - held_row.total || ',"points_awarded":' || awarded || '}';
	UPDATE seats SET status = 'sold', hold_expires_at = NULL WHERE id = ANY (held_row.seat_ids);
	UPDATE reservations SET status = 'paid', ended_at = judged_at WHERE id = held_row.id;
	INSERT INTO sold (seat_id, reservation_id, performance_id)
	SELECT unnest(held_row.seat_ids), held_row.id, held_row.performance_id;
	INSERT INTO payments (id, reservation_id, user_id, amount, currency, points_used, points_awarded)
	VALUES (payment, held_row.id, held_row.user_id, held_row.total, 'KRW', 0, awarded);
	INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
	VALUES (held_row.user_id, 'money', 'payment', -held_row.total, account.balance - held_row.total, held_row.id),
		(held_row.user_id, 'points', 'reward', awarded, account.points + awarded, held_row.id);
	UPDATE accounts SET balance = balance - held_row.total, points = points + awarded
	WHERE user_id = held_row.user_id;
	INSERT INTO outbox (reservation_id, kind, payload)
	VALUES (held_row.id, 'reservation.paid', json_build_object('reservation_id', held_row.id, 'user_id',
		held_row.user_id, 'payment_id', payment, 'amount', held_row.total, 'points_used', 0, 'currency', 'KRW'))
	RETURNING id INTO event;
	INSERT INTO outbox_pending (event_ids) VALUES (ARRAY[event]);
	INSERT INTO idempotency (key, body, status, reply) VALUES (pay_key, pay_key, 201, reply);
	RETURN reply;
END
$$;

-- The same through our own functions with arrays of one, so that the two can be compared.
CREATE OR REPLACE FUNCTION hold_one_of_ours(hold_key bytea, person bigint, performance bigint, seat bigint)
RETURNS text LANGUAGE sql AS $$
	SELECT reply_body FROM hold(
		ARRAY[('x' || encode(substr(hold_key, 1, 8), 'hex'))::bit(64)::bigint], ARRAY[hold_key], ARRAY[hold_key],
		ARRAY['bench'], ARRAY[person], ARRAY[performance], ARRAY[86400000::bigint], ARRAY[false],
		ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[seat], 'KRW', ARRAY[''], ARRAY[0::bigint], 0)
$$;
