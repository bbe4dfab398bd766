-- The control run's payment: it takes the money of whoever holds a reservation, and asks nothing of the seat.
-- One request a call (db.batch_max = 1).
CREATE OR REPLACE FUNCTION pay(
	key_locks bigint[], keys bytea[], bodies bytea[], request_ids text[], user_ids bigint[],
	reservation_ids bigint[], points_to_use bigint[], reward_percents bigint[], currency text, heads text[])
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	paid_performance bigint, paid_seats bigint[], paid_hold_key bytea,
	paid_pass bigint)
LANGUAGE plpgsql
AS $$
DECLARE
	held reservations;
	payment bigint;
	balance_left bigint;
BEGIN
	SELECT r.* INTO held FROM reservations r WHERE r.id = reservation_ids[1];
	UPDATE accounts a SET balance = a.balance - held.total WHERE a.user_id = user_ids[1]
	RETURNING a.balance INTO balance_left;
	INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
	VALUES (user_ids[1], 'money', 'payment', -held.total, balance_left, held.id);
	INSERT INTO payments (reservation_id, user_id, amount, currency, points_used, points_awarded)
	VALUES (held.id, user_ids[1], held.total, pay.currency, 0, 0)
	RETURNING id INTO payment;
	UPDATE reservations r SET status = 'paid', ended_at = clock_timestamp() WHERE r.id = held.id;
	UPDATE seats s SET status = 'sold', hold_expires_at = NULL WHERE s.id = ANY (held.seat_ids);
	INSERT INTO sold (seat_id, reservation_id, performance_id)
	SELECT unnest(held.seat_ids), held.id, held.performance_id;
	INSERT INTO outbox (reservation_id, kind, payload) VALUES (held.id, 'reservation.paid', '{}');
	op := 1;
	outcome := 0;
	reply_status := 201;
	replayed := false;
	reply_body := '{"payment_id":' || payment || '}';
	paid_performance := held.performance_id;
	paid_seats := held.seat_ids;
	paid_hold_key := held.hold_key;
	paid_pass := held.pass_nonce;
	RETURN NEXT;
END
$$;
