-- Pays held reservations, for a batch of requests; one row a request comes back. Locks first, in the order
-- of hold.sql, then judges: a payment that waited for a seat, a reservation or an account sees what was
-- left of them, and the expiry is compared with the clock as it is once all locks are had.
--
-- A reservation is payable where it is held and has not lapsed, and each of its seats still carries the
-- version that the hold wrote (the fence). One point pays one minor unit of the currency.
--
-- Parameters are arrays with an element a request, where nothing else is said; the same reservation and
-- the same person may come several times, and each sees what those before it did.
--
-- outcome: 0 reply, 1 key used with another body, 3 no such reservation of this person.
-- heads: the start of the problem documents, up to the request id: insufficient_balance, already_paid,
-- reservation_cancelled, hold_expired.
CREATE OR REPLACE FUNCTION pay(
	key_locks bigint[], -- numbers to lock the keys by, ascending
	keys bytea[],	    -- distinct
	bodies bytea[],
	request_ids text[],
	user_ids bigint[],
	reservation_ids bigint[],
	points_to_use bigint[], -- at most
	reward_percents bigint[],
	currency text,
	heads text[])
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	paid_performance bigint, paid_seats bigint[], paid_hold_key bytea,
	paid_pass bigint) -- of a 201
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	kept_row idempotency;
	kept idempotency[]; -- by request; those without a kept reply are null
	fresh_users bigint[];
	fresh_reservations bigint[];
	judged_at timestamptz;
	found record;
	account integer;
	account_ids bigint[];
	account_balances bigint[]; -- as they are after the requests so far
	account_points bigint[];
	points_used bigint;
	points_awarded bigint;
	amount bigint;
	payment bigint;
	-- What is written: payments, seats, replies.
	paid_ids bigint[] := '{}';
	paid_requests integer[] := '{}';
	paid_reservations bigint[] := '{}';
	paid_amounts bigint[] := '{}';
	paid_points_used bigint[] := '{}';
	paid_points_awarded bigint[] := '{}';
	paid_balances bigint[] := '{}';
	paid_points bigint[] := '{}';
	sold_seats bigint[] := '{}';
	kept_requests integer[] := '{}';
	kept_statuses bigint[] := '{}';
	kept_replies text[] := '{}';
BEGIN
	-- Keys.
	PERFORM pg_advisory_xact_lock(number) FROM unnest(key_locks) AS number;
	FOR kept_row IN SELECT i.* FROM idempotency i WHERE i.key = ANY (keys) LOOP
		kept[array_position(keys, kept_row.key)] := kept_row;
	END LOOP;
	SELECT array_agg(f.user_id), array_agg(f.reservation_id) INTO fresh_users, fresh_reservations
	FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS f(user_id, reservation_id, request)
	WHERE (kept[f.request]).key IS NULL;

	-- Seats, reservations, accounts. A reservation's seats never change: they are read unlocked.
	PERFORM FROM seats s
	WHERE s.id = ANY (ARRAY(
		SELECT unnest(r.seat_ids) FROM reservations r
		WHERE r.id = ANY (fresh_reservations) AND r.status = 'held'))
	ORDER BY s.id FOR UPDATE;
	PERFORM FROM reservations r WHERE r.id = ANY (fresh_reservations) ORDER BY r.id FOR UPDATE;
	SELECT array_agg(a.user_id), array_agg(a.balance), array_agg(a.points)
	INTO account_ids, account_balances, account_points
	FROM (SELECT * FROM accounts WHERE accounts.user_id = ANY (fresh_users)
		ORDER BY accounts.user_id FOR UPDATE) a;

	judged_at := clock_timestamp();
	FOR found IN
		SELECT q.request::integer, q.user_id AS asker, r.*,
			r.status = 'held' AND r.hold_expires_at > judged_at AND r.seat_count = (
				SELECT count(*) FROM unnest(r.seat_ids, r.seat_versions) AS f(seat_id, version)
				JOIN seats s ON s.id = f.seat_id
				WHERE s.reservation_id = r.id AND s.version = f.version
			) AS payable
		FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS q(user_id, reservation_id, request)
		LEFT JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
		ORDER BY q.request
	LOOP
		op := found.request;
		outcome := 0;
		reply_status := 0;
		replayed := false;
		reply_body := NULL;
		paid_performance := found.performance_id;
		paid_seats := found.seat_ids;
		paid_hold_key := found.hold_key;
		paid_pass := found.pass_nonce;

		IF (kept[op]).key IS NOT NULL THEN
			IF (kept[op]).body = bodies[op] THEN
				reply_status := (kept[op]).status;
				replayed := true;
				reply_body := (kept[op]).reply;
			ELSE
				outcome := 1;
			END IF;
			RETURN NEXT;
			CONTINUE;
		END IF;
		account := array_position(account_ids, found.asker);
		IF found.id IS NULL OR account IS NULL THEN
			outcome := 3;
			RETURN NEXT;
			CONTINUE;
		END IF;

		points_used := least(points_to_use[op], account_points[account], found.total);
		amount := found.total - points_used;
		points_awarded := amount * reward_percents[op] / 100;
		IF found.status = 'paid' OR found.id = ANY (paid_reservations) THEN
			reply_status := 409;
			reply_body := heads[2];
		ELSIF found.status = 'cancelled' THEN
			reply_status := 409;
			reply_body := heads[3];
		ELSIF NOT found.payable THEN
			reply_status := 410;
			reply_body := heads[4];
		ELSIF account_balances[account] < amount THEN
			reply_status := 402;
			reply_body := heads[1];
		ELSE
			account_balances[account] := account_balances[account] - amount;
			account_points[account] := account_points[account] - points_used + points_awarded;
			payment := nextval('payments_id_seq');
			paid_ids := paid_ids || payment;
			paid_requests := paid_requests || found.request;
			paid_reservations := paid_reservations || found.id;
			paid_amounts := paid_amounts || amount;
			paid_points_used := paid_points_used || points_used;
			paid_points_awarded := paid_points_awarded || points_awarded;
			paid_balances := paid_balances || account_balances[account];
			paid_points := paid_points || account_points[account];
			sold_seats := sold_seats || found.seat_ids;
			reply_status := 201;
			reply_body := '{"payment_id":' || payment || ',"reservation_id":' || found.id
				|| ',"status":"paid","amount":' || amount || ',"balance":'
				|| account_balances[account] || ',"points_awarded":' || points_awarded || '}';
		END IF;
		IF reply_status <> 201 THEN
			reply_body := reply_body || substr(to_json(request_ids[op])::text, 2) || '}';
		END IF;
		kept_requests := kept_requests || found.request;
		kept_statuses := kept_statuses || reply_status;
		kept_replies := kept_replies || reply_body;
		RETURN NEXT;
	END LOOP;

	IF paid_ids <> '{}' THEN
		UPDATE seats s SET status = 'sold', hold_expires_at = NULL WHERE s.id = ANY (sold_seats);
		WITH paid AS (
			UPDATE reservations r SET status = 'paid', ended_at = judged_at
			WHERE r.id = ANY (paid_reservations)
			RETURNING r.id, r.performance_id, r.seat_ids
		)
		INSERT INTO sold (seat_id, reservation_id, performance_id)
		SELECT unnest(p.seat_ids), p.id, p.performance_id FROM paid p;

		INSERT INTO payments (id, reservation_id, user_id, amount, currency, points_used, points_awarded)
		SELECT p.id, p.reservation_id, user_ids[p.request], p.amount, pay.currency, p.used, p.awarded
		FROM unnest(paid_ids, paid_requests, paid_reservations, paid_amounts, paid_points_used,
			paid_points_awarded) AS p(id, request, reservation_id, amount, used, awarded);

		INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
		SELECT user_ids[p.request], e.unit, e.kind, e.amount, e.balance_after, p.reservation_id
		FROM unnest(paid_requests, paid_reservations, paid_amounts, paid_points_used,
				paid_points_awarded, paid_balances, paid_points)
				AS p(request, reservation_id, amount, used, awarded, balance, points),
			LATERAL (VALUES
				('money'::ledger_unit, 'payment'::ledger_kind, -p.amount, p.balance),
				('points', 'payment', -p.used, p.points - p.awarded),
				('points', 'reward', p.awarded, p.points))
				AS e(unit, kind, amount, balance_after)
		WHERE e.amount <> 0;

		UPDATE accounts a SET balance = n.balance, points = n.points
		FROM unnest(account_ids, account_balances, account_points) AS n(user_id, balance, points)
		WHERE a.user_id = n.user_id AND (a.balance, a.points) <> (n.balance, n.points);

		WITH events AS (
			INSERT INTO outbox (reservation_id, kind, payload)
			SELECT p.reservation_id, 'reservation.paid', json_build_object(
				'reservation_id', p.reservation_id, 'user_id', user_ids[p.request],
				'payment_id', p.id, 'amount', p.amount, 'points_used', p.used,
				'currency', pay.currency)
			FROM unnest(paid_ids, paid_requests, paid_reservations, paid_amounts, paid_points_used)
				AS p(id, request, reservation_id, amount, used)
			RETURNING outbox.id
		)
		INSERT INTO outbox_pending (event_ids) SELECT array_agg(e.id) FROM events e GROUP BY e.id >> 7;
	END IF;
	INSERT INTO idempotency (key, body, status, reply)
	SELECT keys[k.request], bodies[k.request], k.status, k.reply
	FROM unnest(kept_requests, kept_statuses, kept_replies) AS k(request, status, reply);
END
$$;
