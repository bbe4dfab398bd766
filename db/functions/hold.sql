-- Holds seats for a batch of requests: for each all its seats, or none. One row a request comes back.
--
-- The order is that of every function here: lock everything in the one lock order (keys, seats,
-- reservations, people's limits, accounts, each ascending over the whole batch), and only then judge, in
-- statements that begin after the last lock was had and so see what its former owner did. A seat that
-- several requests of a batch want goes to the first of them. Refusals are rows, never errors.
--
-- optimistic: seats are read without a lock, and whoever finds one taken is refused by that, having waited for nobody.
-- Only the seats of requests that find all of theirs free are locked, where they still are as they were read: see
-- claim_seats.sql. A request that lost one meanwhile is to be asked again (outcome 5).
--
-- The limit is of one person's seats in one performance, held and paid together. The same person may ask for
-- more under other keys at the same time: within a batch they are counted one after the other, and those of
-- other batches wait for the limit's lock.
--
-- Parameters are arrays with an element a request, where nothing else is said. The settings keep a plan
-- that was made while the tables were small from reading whole tables once they are large.
--
-- outcome: 0 reply, 1 key used with another body, 2 key unknown (replay_only), 3 no such seat, 4 the limit,
-- 5 ask again.
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
	user_limit bigint,    -- of seats; one for all requests; 0 for none
	optimistic boolean DEFAULT false)
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	held_id bigint, held_until timestamptz, -- of a 201, as long as the hold stands
	taken_ids bigint[], taken_sold bigint[]) -- of a fresh 409: the seats, and 1 for each that is sold
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	request integer;
	kept idempotency[]; -- by request; those without a kept reply are null
	fresh boolean[]; -- by request: it is to hold seats
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
	conflicts boolean[]; -- by request, where optimistic: a seat was lost between reading and locking it
	-- People and performances, by request.
	person_firsts bigint[]; -- the batch's first request of this person for this performance …
	person_counts bigint[]; -- … at which stands how many seats that person has, after the requests so far
	-- What is judged.
	lapsed_at timestamptz; -- what had lapsed by then is free
	judged_at timestamptz;
	hold_ttl_ms bigint := -1;
	expires_at timestamptz;
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
	kept := kept_replies(key_locks, keys);

	IF optimistic THEN
		SELECT array_agg(s.id), array_agg(s.performance_id), array_agg(s.status = 'sold'),
			array_agg(s.hold_expires_at), array_agg(s.reservation_id), array_agg(s.version),
			array_agg(s.price),
			array_agg(seat_document(s.id, s.section, s.row_name, s.number, s.price))
		INTO found_ids, seat_performances, seat_sold, seat_until, seat_reservations, seat_versions,
			seat_prices, seat_json
		FROM (SELECT * FROM seats WHERE seats.id = ANY (seat_ids) ORDER BY seats.id) s;
		lapsed_at := clock_timestamp();
		conflicts := claim_seats(
			ARRAY(SELECT (kept[n]).key IS NULL AND NOT replay_only[n]
				FROM generate_subscripts(keys, 1) AS n ORDER BY n),
			seat_firsts, seat_lasts, seat_places, seat_ids, found_ids, seat_versions,
			ARRAY(SELECT f.id FROM unnest(found_ids, seat_sold, seat_until) AS f(id, sold, until)
				WHERE NOT f.sold AND (f.until IS NULL OR f.until <= lapsed_at)));
	ELSE
		-- What a locking read returns is the row as its last owner left it.
		SELECT array_agg(s.id), array_agg(s.performance_id), array_agg(s.status = 'sold'),
			array_agg(s.hold_expires_at), array_agg(s.reservation_id), array_agg(s.version),
			array_agg(s.price),
			array_agg(seat_document(s.id, s.section, s.row_name, s.number, s.price))
		INTO found_ids, seat_performances, seat_sold, seat_until, seat_reservations, seat_versions,
			seat_prices, seat_json
		FROM (SELECT * FROM seats WHERE seats.id = ANY (seat_ids) ORDER BY seats.id FOR UPDATE) s;
		lapsed_at := clock_timestamp();
	END IF;
	all_found := cardinality(found_ids) = cardinality(seat_ids);

	-- Reservations: of holds on these seats that have lapsed.
	lapsing := ARRAY(
		SELECT l.reservation_id FROM unnest(seat_reservations, seat_until) AS l(reservation_id, until)
		WHERE l.until <= lapsed_at);
	IF lapsing <> '{}' THEN
		PERFORM FROM reservations r WHERE r.id = ANY (lapsing) ORDER BY r.id FOR UPDATE;
	END IF;

	IF user_limit > 0 THEN
		fresh := ARRAY(SELECT (kept[n]).key IS NULL AND NOT replay_only[n]
			FROM generate_subscripts(keys, 1) AS n ORDER BY n);
		PERFORM lock_limits(user_ids, performance_ids, fresh);
	END IF;

	judged_at := clock_timestamp();
	IF user_limit > 0 THEN
		SELECT p.firsts, p.seats INTO person_firsts, person_counts
		FROM person_seats(user_ids, performance_ids, judged_at) p;
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
		ELSIF conflicts[request] THEN
			outcome := 5;
			RETURN NEXT;
			CONTINUE;
		ELSIF user_limit > 0 AND person_counts[person_firsts[request]]
			+ seat_lasts[request] - seat_firsts[request] + 1 > user_limit THEN
			outcome := 4;
			RETURN NEXT;
			CONTINUE;
		ELSE
			IF ttls_ms[request] <> hold_ttl_ms THEN
				hold_ttl_ms := ttls_ms[request];
				expires_at := date_trunc('milliseconds',
					judged_at + hold_ttl_ms * interval '1 millisecond');
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
				person_counts[person_firsts[request]] := person_counts[person_firsts[request]]
					+ seat_lasts[request] - seat_firsts[request] + 1;
			END IF;
			reply_status := 201;
			reply_body := hold_document(held_id, performance_ids[request], substr(seats_text, 2), total,
				currency, expires_at);
		END IF;
		kept_requests := kept_requests || request;
		kept_statuses := kept_statuses || reply_status;
		kept_replies := kept_replies || reply_body;
		kept_reservations := kept_reservations || held_id;
		RETURN NEXT;
	END LOOP;

	PERFORM write_holds(keys, bodies, user_ids, performance_ids, pass_nonces, lapsed, won_seats, won_versions,
		won_ids, won_requests, won_firsts, won_lasts, won_totals, won_until, kept_requests, kept_statuses,
		kept_replies, kept_reservations);
END
$$;
