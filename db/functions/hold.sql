-- Holds seats for a batch of requests: for each all its seats, or none. One row a request comes back.
--
-- The order is that of every function here: lock everything in the one lock order (keys, seats,
-- reservations, people's limits, accounts, each ascending over the whole batch), and only then judge, in
-- statements that begin after the last lock was had and so see what its former owner did. A seat that
-- several requests of a batch want goes to the first of them. Refusals are rows, never errors.
--
-- The limit is of one person's seats in one performance, held and paid together. The same person may ask for
-- more under other keys at the same time: within a batch they are counted one after the other, and those of
-- other batches wait for the limit's lock.
--
-- Parameters are arrays with an element a request, where nothing else is said. The settings keep a plan
-- that was made while the tables were small from reading whole tables once they are large.
--
-- outcome: 0 reply, 1 key used with another body, 2 key unknown (replay_only), 3 no such seat, 4 the limit.
-- heads: the start of the problem document seat_unavailable, up to the request id.
CREATE OR REPLACE FUNCTION hold(
	key_locks bigint[], -- numbers to lock the keys by, ascending
	keys bytea[],	    -- distinct
	bodies bytea[],
	request_ids text[],
	user_ids bigint[],
	performance_ids bigint[],
	ttls_ms bigint[],
	replay_only boolean[],
	seat_firsts bigint[], -- the request's part of seat_places …
	seat_lasts bigint[],
	seat_places bigint[], -- … whose elements are places in seat_ids, ascending within a request
	seat_ids bigint[],    -- every seat of the batch once, ascending
	currency text,
	heads text[],
	pass_nonces bigint[], -- 0 where no pass was asked for
	user_limit bigint)    -- of seats; one for all requests; 0 for none
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	held_id bigint, held_until timestamptz, -- of a 201, as long as the hold stands
	taken_ids bigint[], taken_sold bigint[]) -- of a fresh 409: the seats, and 1 for each that is sold
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	request integer;
	kept_row idempotency;
	kept idempotency[]; -- by request; those without a kept reply are null
	-- The seats, in the order of seat_ids.
	found_ids bigint[];
	seat_performances bigint[];
	seat_sold boolean[];
	seat_until timestamptz[];
	seat_reservations bigint[];
	seat_versions bigint[];
	seat_prices bigint[];
	seat_json text[];
	all_found boolean;
	-- People and performances, by request.
	person_firsts bigint[]; -- the batch's first request of this person for this performance …
	person_seats bigint[];	-- … at which stands how many seats that person has, after the requests so far
	-- What is judged.
	lapsed_at timestamptz; -- what had lapsed by then is free
	judged_at timestamptz;
	hold_ttl_ms bigint := -1;
	expires_at timestamptz;
	expires_text text;
	seat bigint;
	missing boolean;
	total bigint;
	seats_text text;
	-- What is written: lapsed holds taken over, seats, reservations, replies.
	lapsing bigint[]; -- those that may be
	lapsed bigint[] := '{}';
	won_seats bigint[] := '{}';
	won_versions bigint[] := '{}';
	won_ids bigint[] := '{}';
	won_requests integer[] := '{}';
	won_firsts integer[] := '{}';
	won_lasts integer[] := '{}';
	won_totals bigint[] := '{}';
	won_until timestamptz[] := '{}';
	kept_requests integer[] := '{}';
	kept_statuses bigint[] := '{}';
	kept_replies text[] := '{}';
	kept_reservations bigint[] := '{}';
BEGIN
	-- Keys: whoever holds the lock of a key is the only one to work under it.
	PERFORM pg_advisory_xact_lock(number) FROM unnest(key_locks) AS number;
	FOR kept_row IN SELECT i.* FROM idempotency i WHERE i.key = ANY (keys) LOOP
		kept[array_position(keys, kept_row.key)] := kept_row;
	END LOOP;

	-- Seats: what a locking read returns is the row as its last owner left it.
	SELECT array_agg(s.id), array_agg(s.performance_id), array_agg(s.status = 'sold'),
		array_agg(s.hold_expires_at), array_agg(s.reservation_id), array_agg(s.version),
		array_agg(s.price),
		array_agg('{"id":' || s.id || ',"section":' || to_json(s.section) || ',"row":'
			|| to_json(s.row_name) || ',"number":' || s.number || ',"price":' || s.price || '}')
	INTO found_ids, seat_performances, seat_sold, seat_until, seat_reservations, seat_versions,
		seat_prices, seat_json
	FROM (SELECT * FROM seats WHERE seats.id = ANY (seat_ids) ORDER BY seats.id FOR UPDATE) s;
	all_found := cardinality(found_ids) = cardinality(seat_ids);

	-- Reservations: of holds on these seats that have lapsed.
	lapsed_at := clock_timestamp();
	lapsing := ARRAY(
		SELECT l.reservation_id FROM unnest(seat_reservations, seat_until) AS l(reservation_id, until)
		WHERE l.until <= lapsed_at);
	IF lapsing <> '{}' THEN
		PERFORM FROM reservations r WHERE r.id = ANY (lapsing) ORDER BY r.id FOR UPDATE;
	END IF;

	-- Limits: whoever holds the lock is the only one to hold seats of this performance for this person.
	IF user_limit > 0 THEN
		PERFORM pg_advisory_xact_lock(l.performance, l.person)
		FROM (
			SELECT DISTINCT (q.performance_id % 2147483647)::integer AS performance,
				(q.user_id % 2147483647)::integer AS person
			FROM unnest(user_ids, performance_ids) WITH ORDINALITY AS q(user_id, performance_id, request)
			WHERE (kept[q.request]).key IS NULL AND NOT replay_only[q.request]
			ORDER BY performance, person
		) l;
	END IF;

	judged_at := clock_timestamp();
	IF user_limit > 0 THEN
		SELECT array_agg(q.first ORDER BY q.request), array_agg(h.seats ORDER BY q.request)
		INTO person_firsts, person_seats
		FROM (
			SELECT *, min(p.request) OVER (PARTITION BY p.user_id, p.performance_id) AS first
			FROM unnest(user_ids, performance_ids) WITH ORDINALITY AS p(user_id, performance_id, request)
		) q, LATERAL (
			SELECT coalesce(sum(r.seat_count), 0)::bigint AS seats FROM reservations r
			WHERE r.user_id = q.user_id AND r.performance_id = q.performance_id
				AND (r.status = 'paid' OR r.status = 'held' AND r.hold_expires_at > judged_at)
		) h;
	END IF;
	FOR request IN 1 .. cardinality(keys) LOOP
		op := request;
		outcome := 0;
		reply_status := 0;
		replayed := false;
		reply_body := NULL;
		held_id := NULL;
		held_until := NULL;
		taken_ids := '{}';
		taken_sold := '{}';

		IF (kept[request]).key IS NOT NULL THEN
			IF (kept[request]).body = bodies[request] THEN
				reply_status := (kept[request]).status;
				replayed := true;
				reply_body := (kept[request]).reply;
				held_id := (kept[request]).reservation_id;
				SELECT r.hold_expires_at INTO held_until FROM reservations r
				WHERE r.id = held_id AND r.status = 'held';
			ELSE
				outcome := 1;
			END IF;
			RETURN NEXT;
			CONTINUE;
		ELSIF replay_only[request] THEN
			outcome := 2;
			RETURN NEXT;
			CONTINUE;
		END IF;

		missing := false;
		total := 0;
		seats_text := '';
		FOR place IN seat_firsts[request] .. seat_lasts[request] LOOP
			seat := seat_places[place];
			IF all_found IS NOT TRUE THEN
				seat := array_position(found_ids, seat_ids[seat]);
			END IF;
			IF seat_performances[seat] IS DISTINCT FROM performance_ids[request] THEN
				missing := true;
				EXIT;
			ELSIF seat_sold[seat] OR seat_until[seat] > lapsed_at THEN
				taken_ids := taken_ids || found_ids[seat];
				taken_sold := taken_sold || seat_sold[seat]::integer::bigint;
			ELSE
				total := total + seat_prices[seat];
				seats_text := seats_text || ',' || seat_json[seat];
			END IF;
		END LOOP;

		IF missing THEN
			outcome := 3;
			taken_ids := '{}';
			RETURN NEXT;
			CONTINUE;
		ELSIF taken_ids <> '{}' THEN
			reply_status := 409;
			reply_body := heads[1] || substr(to_json(request_ids[request])::text, 2)
				|| ',"seat_ids":[' || array_to_string(taken_ids, ',') || ']}';
		ELSIF user_limit > 0 AND person_seats[person_firsts[request]]
			+ seat_lasts[request] - seat_firsts[request] + 1 > user_limit THEN
			outcome := 4;
			RETURN NEXT;
			CONTINUE;
		ELSE
			IF ttls_ms[request] <> hold_ttl_ms THEN
				hold_ttl_ms := ttls_ms[request];
				expires_at := date_trunc('milliseconds',
					judged_at + hold_ttl_ms * interval '1 millisecond');
				expires_text := rfc3339(expires_at);
			END IF;
			held_id := nextval('reservations_id_seq');
			held_until := expires_at;
			won_ids := won_ids || held_id;
			won_requests := won_requests || request;
			won_firsts := won_firsts || cardinality(won_seats) + 1;
			won_totals := won_totals || total;
			won_until := won_until || expires_at;
			FOR place IN seat_firsts[request] .. seat_lasts[request] LOOP
				seat := seat_places[place];
				IF all_found IS NOT TRUE THEN
					seat := array_position(found_ids, seat_ids[seat]);
				END IF;
				IF seat_reservations[seat] IS NOT NULL THEN
					lapsed := lapsed || seat_reservations[seat];
				END IF;
				seat_until[seat] := 'infinity'; -- for the requests behind this one
				won_seats := won_seats || found_ids[seat];
				won_versions := won_versions || (seat_versions[seat] + 1);
			END LOOP;
			won_lasts := won_lasts || cardinality(won_seats);
			IF user_limit > 0 THEN
				person_seats[person_firsts[request]] := person_seats[person_firsts[request]]
					+ seat_lasts[request] - seat_firsts[request] + 1;
			END IF;
			reply_status := 201;
			reply_body := '{"id":' || held_id || ',"status":"held","performance_id":'
				|| performance_ids[request] || ',"seats":[' || substr(seats_text, 2)
				|| '],"total":' || total || ',"currency":' || to_json(currency)
				|| ',"hold_expires_at":"' || expires_text || '"}';
		END IF;
		kept_requests := kept_requests || request;
		kept_statuses := kept_statuses || reply_status;
		kept_replies := kept_replies || reply_body;
		kept_reservations := kept_reservations || held_id;
		RETURN NEXT;
	END LOOP;

	IF lapsed <> '{}' THEN
		PERFORM expire(lapsed);
	END IF;
	IF won_ids <> '{}' THEN
		UPDATE seats s SET status = 'held', user_id = user_ids[won.request],
			reservation_id = won.id, hold_expires_at = won.until, version = s.version + 1
		FROM unnest(won_ids, won_requests, won_firsts, won_lasts, won_until)
				AS won(id, request, first, last, until),
			unnest(won_seats[won.first:won.last]) AS held(seat_id)
		WHERE s.id = held.seat_id;

		WITH made AS (
			INSERT INTO reservations (id, user_id, performance_id, status, seat_ids,
				seat_versions, seat_count, total, hold_expires_at, hold_key, pass_nonce)
			SELECT won.id, user_ids[won.request], performance_ids[won.request], 'held',
				won_seats[won.first:won.last], won_versions[won.first:won.last],
				won.last - won.first + 1, won.total, won.until, keys[won.request],
				pass_nonces[won.request]
			FROM unnest(won_ids, won_requests, won_firsts, won_lasts, won_totals, won_until)
				AS won(id, request, first, last, total, until)
			RETURNING *
		)
		INSERT INTO outbox (reservation_id, kind, payload)
		SELECT m.id, 'reservation.held', json_build_object('reservation_id', m.id,
			'user_id', m.user_id, 'performance_id', m.performance_id, 'seat_ids', m.seat_ids,
			'total', m.total)
		FROM made m;
	END IF;
	INSERT INTO idempotency (key, body, status, reply, reservation_id)
	SELECT keys[k.request], bodies[k.request], k.status, k.reply, k.reservation_id
	FROM unnest(kept_requests, kept_statuses, kept_replies, kept_reservations)
		AS k(request, status, reply, reservation_id);
END
$$;
