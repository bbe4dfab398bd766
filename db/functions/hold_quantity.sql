-- Holds as many seats as are asked for, for a batch of requests: PostgreSQL chooses which. One row a request comes
-- back. What is chosen, and what the best row is: choose_seats.sql.
--
-- The locks are those of hold.sql, in its order. But all who come at once want the same seats, so nobody waits for
-- one: each batch chooses in rows of its own, as long as there are such; what somebody else has locked is passed over
-- (SKIP LOCKED); and whoever thereby lost a seat, or found it taken once it was locked, chooses again, for some rounds.
--
-- That all is sold out is said only where it is true: where fewer seats than wanted look free, in a fresh look that
-- passed none over. Where some were, or the rounds are over, the outcome is 5, and the caller asks again with
-- `waits`: then a seat is waited for, as long as it stands above all that this transaction has locked so far; those
-- below are passed over even then. So everybody who waits for a seat has only lower ones, and nobody deadlocks.
--
-- Parameters are arrays with an element a request, where nothing else is said.
--
-- outcome: 0 reply, 1 key used with another body, 2 key unknown (replay_only), 3 no such section, 4 the limit,
-- 5 ask again.
-- heads: the start of the problem document sold_out, up to the request id.
CREATE OR REPLACE FUNCTION hold_quantity(
	key_locks bigint[], -- numbers to lock the keys by, ascending
	keys bytea[],	    -- distinct
	bodies bytea[],
	request_ids text[],
	user_ids bigint[],
	performance_ids bigint[],
	ttls_ms bigint[],
	replay_only boolean[],
	quantities bigint[],
	sections text[], -- null for any
	currency text,
	heads text[],
	pass_nonces bigint[], -- 0 where no pass was asked for
	user_limit bigint,    -- of seats; one for all requests; 0 for none
	waits boolean)
RETURNS TABLE (
	op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text,
	held_id bigint, held_until timestamptz, held_seats bigint[]) -- of a 201, as long as the hold stands
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ROUNDS CONSTANT integer := 8;
	ROUNDS_IN_OWN_ROWS CONSTANT integer := 4;
	request integer;
	kept idempotency[]; -- by request; those without a kept reply are null
	fresh boolean[];    -- by request: it is to hold seats …
	placed boolean[];   -- … of a section that there is
	own_rows boolean := NOT waits;
	-- The choosing: requests that have no seats yet; what each has chosen last, a part of `chosen`.
	seeking integer[];
	askers integer[];
	performance bigint;
	only_section text;
	new_seats bigint[];
	new_firsts integer[];
	asked bigint[];
	came bigint[];
	chosen bigint[] := '{}';
	chosen_firsts integer[];
	given bigint[] := '{}';	      -- to requests that have all of theirs
	passed_over bigint[] := '{}'; -- somebody else has locked them
	sure boolean := false;	      -- for those who are seeking still there are not enough
	wait_above bigint := CASE WHEN waits THEN 0 ELSE 9223372036854775807 END;
	-- The seats that are locked and free.
	locked_ids bigint[] := '{}';
	locked_versions bigint[] := '{}';
	locked_prices bigint[] := '{}';
	locked_reservations bigint[] := '{}'; -- of holds that have lapsed
	locked_json text[] := '{}';
	-- People and performances, by request; see person_seats.sql.
	person_firsts bigint[];
	person_counts bigint[];
	limited boolean[]; -- by request: its seats would be over the limit
	judged_at timestamptz;
	seat bigint;
	place integer;
	total bigint;
	seats_text text;
	-- What is written: lapsed holds taken over, seats, reservations, replies.
	lapsed bigint[];
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
	fresh := ARRAY(SELECT (kept[n]).key IS NULL AND NOT replay_only[n]
		FROM generate_subscripts(keys, 1) AS n ORDER BY n);
	placed := ARRAY(SELECT s.section IS NULL OR EXISTS (
			SELECT FROM seats WHERE seats.performance_id = s.performance_id AND seats.section = s.section)
		FROM unnest(performance_ids, sections) WITH ORDINALITY AS s(performance_id, section, n) ORDER BY s.n);
	seeking := ARRAY(SELECT n FROM generate_subscripts(keys, 1) AS n WHERE fresh[n] AND placed[n] ORDER BY n);
	chosen_firsts := array_fill(NULL::integer, ARRAY[cardinality(keys)]);

	-- Seats: chosen, locked, and chosen again by those who lost some. Who was given all of his is out of it.
	FOR round IN 1 .. ROUNDS LOOP
		own_rows := own_rows AND round <= ROUNDS_IN_OWN_ROWS;
		asked := '{}';
		FOR performance, only_section, askers IN
			SELECT performance_ids[n], sections[n], array_agg(n ORDER BY n) FROM unnest(seeking) AS n
			GROUP BY 1, 2
		LOOP
			SELECT c.seat_ids, c.firsts INTO new_seats, new_firsts
			FROM choose_seats(performance, only_section,
				ARRAY(SELECT quantities[n] FROM unnest(askers) AS n),
				given || passed_over || asked, own_rows) c;
			FOR nth IN 1 .. cardinality(askers) LOOP
				chosen_firsts[askers[nth]] := cardinality(chosen) + new_firsts[nth];
			END LOOP;
			chosen := chosen || new_seats;
			asked := asked || new_seats;
		END LOOP;
		IF asked = '{}' THEN
			sure := NOT own_rows AND passed_over = '{}';
			EXIT WHEN NOT own_rows OR seeking = '{}';
			own_rows := false;
			CONTINUE;
		END IF;

		asked := ARRAY(SELECT unnest(asked) EXCEPT SELECT unnest(locked_ids));
		SELECT coalesce(array_agg(l.id), '{}'),
			locked_ids || array_agg(l.id) FILTER (WHERE l.free),
			locked_versions || array_agg(l.version) FILTER (WHERE l.free),
			locked_prices || array_agg(l.price) FILTER (WHERE l.free),
			locked_reservations || array_agg(l.reservation_id) FILTER (WHERE l.free),
			locked_json || array_agg(seat_document(l.id, l.section, l.row_name, l.number, l.price))
				FILTER (WHERE l.free)
		INTO came, locked_ids, locked_versions, locked_prices, locked_reservations, locked_json
		FROM (SELECT s.*, s.status = 'available'
				OR s.status = 'held' AND s.hold_expires_at <= clock_timestamp() AS free
			FROM lock_seats(asked, wait_above) s) l;
		passed_over := passed_over || ARRAY(SELECT unnest(asked) EXCEPT SELECT unnest(came));
		IF waits THEN
			wait_above := greatest(wait_above, (SELECT max(id) FROM unnest(asked) AS id));
		END IF;

		askers := seeking;
		seeking := '{}';
		FOREACH request IN ARRAY askers LOOP
			new_seats := chosen[chosen_firsts[request] : chosen_firsts[request] + quantities[request] - 1];
			IF chosen_firsts[request] IS NOT NULL AND new_seats <@ locked_ids THEN
				given := given || new_seats;
			ELSE
				seeking := seeking || request;
			END IF;
		END LOOP;
	END LOOP;

	-- Reservations: of holds on the seats given that have lapsed.
	lapsed := ARRAY(SELECT l.reservation_id FROM unnest(locked_ids, locked_reservations) AS l(id, reservation_id)
		WHERE l.reservation_id IS NOT NULL AND l.id = ANY (given));
	IF lapsed <> '{}' THEN
		PERFORM FROM reservations r WHERE r.id = ANY (lapsed) ORDER BY r.id FOR UPDATE;
	END IF;

	IF user_limit > 0 THEN
		PERFORM lock_limits(user_ids, performance_ids, fresh);
	END IF;
	judged_at := clock_timestamp();
	IF user_limit > 0 THEN
		SELECT p.firsts, p.seats INTO person_firsts, person_counts
		FROM person_seats(user_ids, performance_ids, judged_at) p;
		FOR request IN 1 .. cardinality(keys) LOOP
			place := person_firsts[request];
			CONTINUE WHEN NOT fresh[request] OR NOT placed[request] OR request = ANY (seeking);
			limited[request] := person_counts[place] + quantities[request] > user_limit;
			IF limited[request] THEN
				sure := false; -- its seats are left
			ELSE
				person_counts[place] := person_counts[place] + quantities[request];
			END IF;
		END LOOP;
	END IF;

	FOR request IN 1 .. cardinality(keys) LOOP
		op := request;
		outcome := CASE
			WHEN (kept[request]).body <> bodies[request] THEN 1
			WHEN (kept[request]).key IS NOT NULL THEN 0
			WHEN replay_only[request] THEN 2
			WHEN NOT placed[request] THEN 3
			WHEN limited[request] THEN 4
			WHEN request = ANY (seeking) AND NOT sure THEN 5
			ELSE 0 END;
		replayed := outcome = 0 AND (kept[request]).key IS NOT NULL;
		reply_status := 0;
		reply_body := NULL;
		held_id := NULL;
		held_until := NULL;
		held_seats := NULL;

		IF replayed THEN
			reply_status := (kept[request]).status;
			reply_body := (kept[request]).reply;
			held_id := (kept[request]).reservation_id;
			SELECT r.hold_expires_at, r.seat_ids INTO held_until, held_seats FROM reservations r
			WHERE r.id = held_id AND r.status = 'held';
		ELSIF outcome = 0 THEN
			IF request = ANY (seeking) THEN
				reply_status := 409;
				reply_body := heads[1] || substr(to_json(request_ids[request])::text, 2) || '}';
			ELSE
				held_id := nextval('reservations_id_seq');
				held_until := date_trunc('milliseconds',
					judged_at + ttls_ms[request] * interval '1 millisecond');
				place := chosen_firsts[request];
				held_seats := ARRAY(
					SELECT unnest(chosen[place : place + quantities[request] - 1]) ORDER BY 1);
				won_ids := won_ids || held_id;
				won_requests := won_requests || request;
				won_until := won_until || held_until;
				won_firsts := won_firsts || cardinality(won_seats) + 1;
				total := 0;
				seats_text := '';
				FOREACH seat IN ARRAY held_seats LOOP
					place := array_position(locked_ids, seat);
					total := total + locked_prices[place];
					seats_text := seats_text || ',' || locked_json[place];
					won_seats := won_seats || seat;
					won_versions := won_versions || (locked_versions[place] + 1);
				END LOOP;
				won_lasts := won_lasts || cardinality(won_seats);
				won_totals := won_totals || total;
				reply_status := 201;
				reply_body := hold_document(held_id, performance_ids[request],
					substr(seats_text, 2), total, currency, held_until);
			END IF;
			kept_requests := kept_requests || request;
			kept_statuses := kept_statuses || reply_status;
			kept_replies := kept_replies || reply_body;
			kept_reservations := kept_reservations || held_id;
		END IF;
		RETURN NEXT;
	END LOOP;

	PERFORM write_holds(keys, bodies, user_ids, performance_ids, pass_nonces, lapsed, won_seats, won_versions,
		won_ids, won_requests, won_firsts, won_lasts, won_totals, won_until, kept_requests, kept_statuses,
		kept_replies, kept_reservations);
END
$$;
