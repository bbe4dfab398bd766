-- Cancels held reservations, for a batch of requests; one row a request comes back. Locks first, in the
-- order of hold.sql, then judges. It needs no key: a second time gives the same reply.
--
-- Parameters are arrays with an element a request, where nothing else is said; the same reservation may
-- come several times.
--
-- outcome: 0 reply, 3 no such reservation of this person, 4 it is paid.
-- heads: the start of the problem document hold_expired, up to the request id.
CREATE OR REPLACE FUNCTION cancel(
	user_ids bigint[],
	reservation_ids bigint[],
	request_ids text[],
	heads text[])
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, reply_body text,
	freed boolean, -- by this request; then the rest is set
	freed_performance bigint, freed_seats bigint[], freed_hold_key bytea)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	judged_at timestamptz;
	found record;
	cancelled_ids bigint[] := '{}';
	cancelled_seats bigint[] := '{}';
BEGIN
	PERFORM FROM seats s
	WHERE s.id = ANY (ARRAY(
		SELECT unnest(r.seat_ids)
		FROM unnest(user_ids, reservation_ids) AS q(user_id, reservation_id)
		JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
		WHERE r.status = 'held'))
	ORDER BY s.id FOR UPDATE;
	PERFORM FROM reservations r WHERE r.id = ANY (reservation_ids) ORDER BY r.id FOR UPDATE;

	judged_at := clock_timestamp();
	FOR found IN
		SELECT q.request::integer, r.*
		FROM unnest(user_ids, reservation_ids) WITH ORDINALITY AS q(user_id, reservation_id, request)
		LEFT JOIN reservations r ON r.id = q.reservation_id AND r.user_id = q.user_id
		ORDER BY q.request
	LOOP
		op := found.request;
		outcome := 0;
		reply_status := 0;
		reply_body := NULL;
		freed := false;
		freed_performance := NULL;
		freed_seats := NULL;
		freed_hold_key := NULL;

		IF found.id IS NULL THEN
			outcome := 3;
		ELSIF found.status = 'paid' THEN
			outcome := 4;
		ELSIF found.status = 'expired'
			OR found.status = 'held' AND found.hold_expires_at <= judged_at THEN
			reply_status := 410;
			reply_body := heads[1] || substr(to_json(request_ids[op])::text, 2) || '}';
		ELSE
			IF found.status = 'held' AND found.id <> ALL (cancelled_ids) THEN
				freed := true;
				freed_performance := found.performance_id;
				freed_seats := found.seat_ids;
				freed_hold_key := found.hold_key;
				cancelled_ids := cancelled_ids || found.id;
				cancelled_seats := cancelled_seats || found.seat_ids;
			END IF;
			reply_status := 200;
			reply_body := '{"id":' || found.id
				|| ',"status":"cancelled","refunded":0,"points_revoked":0}';
		END IF;
		RETURN NEXT;
	END LOOP;

	IF cancelled_ids <> '{}' THEN
		UPDATE seats s SET status = 'available', user_id = NULL, reservation_id = NULL,
			hold_expires_at = NULL, version = s.version + 1
		WHERE s.id = ANY (cancelled_seats) AND s.reservation_id = ANY (cancelled_ids);
		WITH cancelled AS (
			UPDATE reservations r SET status = 'cancelled', ended_at = judged_at
			WHERE r.id = ANY (cancelled_ids)
			RETURNING r.id, r.user_id, r.performance_id, r.seat_ids
		)
		INSERT INTO outbox (reservation_id, kind, payload)
		SELECT c.id, 'reservation.cancelled', json_build_object('reservation_id', c.id,
			'user_id', c.user_id, 'performance_id', c.performance_id, 'seat_ids', c.seat_ids)
		FROM cancelled c;
	END IF;
END
$$;
