-- Cancels reservations, for a batch of requests; one row a request comes back. A held one frees its seats; a
-- paid one also gives the money back and the points that were used, and takes the reward back. Locks first,
-- in the order of hold.sql, then judges. It needs no key: the reply is made of what is stored, so a second
-- time gives the same one.
--
-- A reward is taken back out of the points that are there once the used ones are back. What is spent of it
-- comes off the refund, one minor unit a point: never more than the refund, and points are never negative.
--
-- Parameters are arrays with an element a request, where nothing else is said; the same reservation and the
-- same person may come several times, and each sees what those before it did.
--
-- outcome: 0 reply, 3 no such reservation of this person.
-- heads: the start of the problem document hold_expired, up to the request id.
CREATE OR REPLACE FUNCTION cancel(
	user_ids bigint[],
	reservation_ids bigint[],
	request_ids text[],
	heads text[])
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, reply_body text,
	freed boolean, -- by this request; then the rest is set
	freed_paid boolean, freed_performance bigint, freed_seats bigint[], freed_hold_key bytea)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz;
	found record;
	account integer;
	account_ids bigint[];
	account_balances bigint[]; -- as they are after the requests so far
	account_points bigint[];
	money_back bigint;
	revoked bigint;
	-- What is written: cancellations, and of those that were paid the refunds.
	cancelled_ids bigint[] := '{}';
	cancelled_replies text[] := '{}';
	cancelled_seats bigint[] := '{}';
	unpaid_ids bigint[] := '{}';
	refund_payments bigint[] := '{}';
	refund_reservations bigint[] := '{}';
	refund_users bigint[] := '{}';
	refund_amounts bigint[] := '{}';
	refund_points bigint[] := '{}';
	refund_revoked bigint[] := '{}';
	refund_balances bigint[] := '{}';
	refund_points_left bigint[] := '{}';
BEGIN
	-- Seats, reservations, accounts. A reservation's seats never change: they are read unlocked.
	PERFORM FROM seats s
	WHERE s.id = ANY (ARRAY(
		SELECT unnest(r.seat_ids)
		FROM unnest(user_ids, reservation_ids) AS q(user_id, reservation_id)
		JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
		WHERE r.status IN ('held', 'paid')))
	ORDER BY s.id FOR UPDATE;
	PERFORM FROM reservations r WHERE r.id = ANY (reservation_ids) ORDER BY r.id FOR UPDATE;
	SELECT array_agg(a.user_id), array_agg(a.balance), array_agg(a.points)
	INTO account_ids, account_balances, account_points
	FROM (SELECT * FROM accounts
		WHERE accounts.user_id = ANY (ARRAY(
			SELECT r.user_id
			FROM unnest(user_ids, reservation_ids) AS q(user_id, reservation_id)
			JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
			WHERE r.status = 'paid'))
		ORDER BY accounts.user_id FOR UPDATE) a;

	judged_at := clock_timestamp();
	FOR found IN
		SELECT q.request::integer, r.*, p.id AS payment_id, p.amount, p.points_used, p.points_awarded,
			coalesce(p.refunded, 0) AS refunded, coalesce(p.points_revoked, 0) AS points_revoked
		FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS q(user_id, reservation_id, request)
		LEFT JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
		LEFT JOIN payments p ON p.reservation_id = r.id
		ORDER BY q.request
	LOOP
		op := found.request;
		outcome := 0;
		reply_status := 0;
		reply_body := NULL;
		freed := false;
		freed_paid := NULL;
		freed_performance := NULL;
		freed_seats := NULL;
		freed_hold_key := NULL;
		money_back := found.refunded;
		revoked := found.points_revoked;

		IF found.id IS NULL THEN
			outcome := 3;
		ELSIF found.status = 'expired'
			OR found.status = 'held' AND found.hold_expires_at <= judged_at THEN
			reply_status := 410;
			reply_body := heads[1] || substr(to_json(request_ids[op])::text, 2) || '}';
		ELSIF found.id = ANY (cancelled_ids) THEN
			reply_status := 200;
			reply_body := cancelled_replies[array_position(cancelled_ids, found.id)];
		ELSE
			IF found.status = 'paid' THEN
				account := array_position(account_ids, found.user_id);
				account_points[account] := account_points[account] + found.points_used;
				revoked := least(found.points_awarded, account_points[account]);
				account_points[account] := account_points[account] - revoked;
				money_back := greatest(0, found.amount - (found.points_awarded - revoked));
				account_balances[account] := account_balances[account] + money_back;
				refund_payments := refund_payments || found.payment_id;
				refund_reservations := refund_reservations || found.id;
				refund_users := refund_users || found.user_id;
				refund_amounts := refund_amounts || money_back;
				refund_points := refund_points || found.points_used;
				refund_revoked := refund_revoked || revoked;
				refund_balances := refund_balances || account_balances[account];
				refund_points_left := refund_points_left || account_points[account];
			ELSIF found.status = 'held' THEN
				unpaid_ids := unpaid_ids || found.id;
			END IF;
			reply_status := 200;
			reply_body := '{"id":' || found.id || ',"status":"cancelled","refunded":' || money_back
				|| ',"points_revoked":' || revoked || '}';
			IF found.status <> 'cancelled' THEN
				freed := true;
				freed_paid := found.status = 'paid';
				freed_performance := found.performance_id;
				freed_seats := found.seat_ids;
				freed_hold_key := found.hold_key;
				cancelled_ids := cancelled_ids || found.id;
				cancelled_replies := cancelled_replies || reply_body;
				cancelled_seats := cancelled_seats || found.seat_ids;
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;

	IF cancelled_ids <> '{}' THEN
		UPDATE seats s SET status = 'available', user_id = NULL, reservation_id = NULL,
			hold_expires_at = NULL, version = s.version + 1
		WHERE s.id = ANY (cancelled_seats) AND s.reservation_id = ANY (cancelled_ids);
		UPDATE reservations r SET status = 'cancelled', ended_at = judged_at
		WHERE r.id = ANY (cancelled_ids);
		WITH events AS (
			INSERT INTO outbox (reservation_id, kind, payload)
			SELECT r.id, 'reservation.cancelled', json_build_object('reservation_id', r.id,
				'user_id', r.user_id, 'performance_id', r.performance_id, 'seat_ids', r.seat_ids)
			FROM reservations r WHERE r.id = ANY (unpaid_ids)
			RETURNING outbox.id
		)
		INSERT INTO outbox_pending (event_ids) SELECT array_agg(e.id) FROM events e GROUP BY e.id >> 7;
	END IF;
	IF refund_payments <> '{}' THEN
		DELETE FROM sold s
		WHERE s.seat_id = ANY (cancelled_seats) AND s.reservation_id = ANY (refund_reservations);

		UPDATE payments p SET refunded = b.amount, points_revoked = b.revoked, refunded_at = judged_at
		FROM unnest(refund_payments, refund_amounts, refund_revoked) AS b(payment_id, amount, revoked)
		WHERE p.id = b.payment_id;

		INSERT INTO ledger (user_id, unit, kind, amount, balance_after, reservation_id)
		SELECT b.user_id, e.unit, e.kind, e.amount, e.balance_after, b.reservation_id
		FROM unnest(refund_users, refund_reservations, refund_amounts, refund_points, refund_revoked,
				refund_balances, refund_points_left)
				AS b(user_id, reservation_id, amount, points, revoked, balance, points_left),
			LATERAL (VALUES
				('money'::ledger_unit, 'refund'::ledger_kind, b.amount, b.balance),
				('points', 'refund', b.points, b.points_left + b.revoked),
				('points', 'reward_revoked', -b.revoked, b.points_left))
				AS e(unit, kind, amount, balance_after)
		WHERE e.amount <> 0;

		UPDATE accounts a SET balance = n.balance, points = n.points
		FROM unnest(account_ids, account_balances, account_points) AS n(user_id, balance, points)
		WHERE a.user_id = n.user_id AND (a.balance, a.points) <> (n.balance, n.points);

		WITH events AS (
			INSERT INTO outbox (reservation_id, kind, payload)
			SELECT r.id, 'reservation.refunded', json_build_object('reservation_id', r.id,
				'user_id', r.user_id, 'performance_id', r.performance_id, 'seat_ids', r.seat_ids,
				'payment_id', b.payment_id, 'refunded', b.amount, 'points_returned', b.points,
				'points_revoked', b.revoked)
			FROM unnest(refund_payments, refund_reservations, refund_amounts, refund_points, refund_revoked)
				AS b(payment_id, reservation_id, amount, points, revoked)
			JOIN reservations r ON r.id = b.reservation_id
			RETURNING outbox.id
		)
		INSERT INTO outbox_pending (event_ids) SELECT array_agg(e.id) FROM events e GROUP BY e.id >> 7;
	END IF;
END
$$;
