-- Writes what a batch of holds has come to, all under the locks of its caller, which has judged: the lapsed holds
-- that were taken over end, the seats are marked, the reservations made with their events, the replies kept.
--
-- Parameters: of the batch, with an element a request; the reservations whose seats were taken over; the holds,
-- with an element each, of which held_firsts to held_lasts are the part of the seats; the replies to keep.
CREATE OR REPLACE FUNCTION write_holds(
	keys bytea[], bodies bytea[], user_ids bigint[], performance_ids bigint[], pass_nonces bigint[],
	lapsed bigint[],
	seat_ids bigint[], seat_versions bigint[], -- a hold's seats ascending; the versions that the hold writes
	held_ids bigint[], held_requests integer[], held_firsts integer[], held_lasts integer[],
	held_totals bigint[], held_until timestamptz[],
	kept_requests integer[], kept_statuses bigint[], kept_replies text[], kept_reservations bigint[])
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	IF lapsed <> '{}' THEN
		PERFORM expire(lapsed);
	END IF;
	IF held_ids <> '{}' THEN
		UPDATE seats s SET status = 'held', user_id = user_ids[h.request],
			reservation_id = h.id, hold_expires_at = h.until, version = s.version + 1
		FROM unnest(held_ids, held_requests, held_firsts, held_lasts, held_until)
				AS h(id, request, first, last, until),
			unnest(seat_ids[h.first:h.last]) AS t(seat_id)
		WHERE s.id = t.seat_id;

		WITH made AS (
			INSERT INTO reservations (id, user_id, performance_id, status, seat_ids,
				seat_versions, seat_count, total, hold_expires_at, hold_key, pass_nonce)
			SELECT h.id, user_ids[h.request], performance_ids[h.request], 'held',
				write_holds.seat_ids[h.first:h.last],
				write_holds.seat_versions[h.first:h.last],
				h.last - h.first + 1, h.total, h.until, keys[h.request],
				pass_nonces[h.request]
			FROM unnest(held_ids, held_requests, held_firsts, held_lasts, held_totals, held_until)
				AS h(id, request, first, last, total, until)
			RETURNING *
		),
		events AS (
			INSERT INTO outbox (reservation_id, kind, payload)
			SELECT m.id, 'reservation.held', json_build_object('reservation_id', m.id,
				'user_id', m.user_id, 'performance_id', m.performance_id, 'seat_ids', m.seat_ids,
				'total', m.total)
			FROM made m
			RETURNING outbox.id
		)
		INSERT INTO outbox_pending (event_ids) SELECT array_agg(e.id) FROM events e GROUP BY e.id >> 7;
	END IF;
	INSERT INTO idempotency (key, body, status, reply, reservation_id)
	SELECT keys[k.request], bodies[k.request], k.status, k.reply, k.reservation_id
	FROM unnest(kept_requests, kept_statuses, kept_replies, kept_reservations)
		AS k(request, status, reply, reservation_id);
END
$$;
