-- What the specs stand on: a small shop, buyers who call the statements as the server does, a clock that only the
-- spec moves, a gate at which one thing is held up, and the verdict on what is left.
--
-- This schema stands before pg_catalog in the search path: the functions of db/functions/ read its clock in place of
-- the real one. The runner has put the statements into trial.statements before, and made the views of the invariants.

-- Time stands still until somebody says time_passes(). A sequence, because every session sees it at once.
CREATE SEQUENCE trial.seconds MINVALUE 0;

CREATE FUNCTION trial.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('trial.gate') = 'clock' THEN
		PERFORM pg_advisory_lock_shared(-1);
		PERFORM pg_advisory_unlock_shared(-1);
	END IF;
	RETURN timestamptz '2020-01-01 00:00Z' + (SELECT last_value FROM trial.seconds) * interval '1 second';
END
$$;

-- Every hold of before has lapsed: holds live for 300 s.
CREATE FUNCTION trial.time_passes() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setval('trial.seconds', (SELECT last_value FROM trial.seconds) + 600);
END
$$;

-- What the buyers and the sweeper were told, written in the transaction that told it.
CREATE TABLE trial.replies (
	op text, key text, reservation bigint, status bigint, replayed boolean, body text,
	at timestamptz NOT NULL DEFAULT trial.clock_timestamp());

CREATE FUNCTION trial.wait_to_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('trial.gate') = 'commit' THEN
		PERFORM pg_advisory_xact_lock_shared(-2);
	END IF;
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER replies_commit AFTER INSERT ON trial.replies DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION trial.wait_to_commit();

-- Locks are had by number in the server; here a key's is its hash.
CREATE FUNCTION trial.key_lock(key text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT hashtext(key)::bigint
$$;

-- Shuts the gate: until this transaction ends, whoever comes to what trial.gate names must wait there. `clock`: the
-- moment of judging, `commit`: all is written and nothing seen; the others are the locks themselves.
CREATE FUNCTION trial.shut() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	kind text := split_part(current_setting('trial.gate'), ':', 1);
	which text := split_part(current_setting('trial.gate'), ':', 2);
BEGIN
	CASE kind
	WHEN 'clock' THEN PERFORM pg_advisory_xact_lock(-1);
	WHEN 'commit' THEN PERFORM pg_advisory_xact_lock(-2);
	WHEN 'key' THEN PERFORM pg_advisory_xact_lock(trial.key_lock(which));
	WHEN 'limit' THEN PERFORM pg_advisory_xact_lock(1, which::integer);
	WHEN 'seat' THEN PERFORM FROM seats WHERE id = which::bigint FOR UPDATE;
	WHEN 'reservation' THEN PERFORM FROM reservations WHERE id = which::bigint FOR UPDATE;
	WHEN 'account' THEN PERFORM FROM accounts WHERE user_id = which::bigint FOR UPDATE;
	END CASE;
END
$$;

-- The shop: people 1 to 4 with 1,000 each, the seats 1 to 4 next to each other at 100 each.
INSERT INTO users (name) SELECT 'Buyer' FROM generate_series(1, 4);
INSERT INTO accounts (user_id, balance) SELECT id, 1000 FROM users;
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT id, 'money', 'opening', 1000, 1000 FROM users;
INSERT INTO events (title, venue) VALUES ('Event', 'Venue');
SELECT create_performance(1, 1, 1800000000000, '{Floor}', '{1}', '{4}', '{100}');

-- Everything is as it was before the first sale. The ledger's trigger must not see that.
CREATE FUNCTION trial.opening() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('session_replication_role', 'replica', true);
	DELETE FROM trial.replies;
	DELETE FROM idempotency;
	DELETE FROM outbox;
	DELETE FROM outbox_pending;
	DELETE FROM payments;
	DELETE FROM sold;
	DELETE FROM reservations;
	DELETE FROM ledger WHERE kind <> 'opening';
	UPDATE accounts SET balance = 1000, points = 0 WHERE (balance, points) <> (1000, 0);
	UPDATE seats SET status = 'available', user_id = NULL, reservation_id = NULL, hold_expires_at = NULL,
		version = 0
	WHERE version <> 0;
	PERFORM setval('reservations_id_seq', 1, false), setval('payments_id_seq', 1, false);
	PERFORM setval('trial.seconds', 0);
END
$$;

-- The nth word of each request.
CREATE FUNCTION trial.words(requests text[], nth integer) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(split_part(r.request, ' ', nth) ORDER BY r.place)
	FROM unnest(requests) WITH ORDINALITY AS r(request, place)
$$;

CREATE FUNCTION trial.key_locks(keys text[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(DISTINCT trial.key_lock(key) ORDER BY trial.key_lock(key)) FROM unnest(keys) AS key
$$;

CREATE FUNCTION trial.digests(texts text[]) RETURNS bytea[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(sha256(t.text::bytea) ORDER BY t.place) FROM unnest(texts) WITH ORDINALITY AS t(text, place)
$$;

-- The same element for each of the requests.
CREATE FUNCTION trial.each(element anyelement, requests text[]) RETURNS anyarray LANGUAGE sql IMMUTABLE AS $$
	SELECT array_fill(element, ARRAY[cardinality(requests)])
$$;

CREATE FUNCTION trial.head(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT '{"code":"' || code || '","request_id":"'
$$;

CREATE FUNCTION trial.statement(statement text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT text FROM trial.statements WHERE name = statement
$$;

-- The buyers. Each call is one batch, each argument one request of it; an outcome other than a reply has status 0.

-- 'key person seat,seat…', by one of the statements; gives back the requests that are to be asked again.
CREATE FUNCTION trial.hold_by(statement text, requests text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	keys text[] := trial.words(requests, 1);
	undecided text[];
	wanted text[] := trial.words(requests, 3);
	all_seats bigint[];
	firsts bigint[];
	lasts bigint[];
	places bigint[] := '{}';
	seats text;
BEGIN
	all_seats := ARRAY(SELECT DISTINCT unnest(string_to_array(w.seats, ',')::bigint[]) FROM unnest(wanted) AS w(seats)
		ORDER BY 1);
	FOREACH seats IN ARRAY wanted LOOP
		firsts := firsts || cardinality(places) + 1::bigint;
		places := places || ARRAY(SELECT array_position(all_seats, seat)::bigint
			FROM unnest(string_to_array(seats, ',')::bigint[]) AS seat ORDER BY 1);
		lasts := lasts || cardinality(places)::bigint;
	END LOOP;
	EXECUTE 'WITH told AS (SELECT * FROM (' || trial.statement(hold_by.statement) || ') t), kept AS (
			INSERT INTO trial.replies
			SELECT ''hold'', ($17::text[])[op], held_id, reply_status, replayed, reply_body FROM told
			WHERE outcome <> 5)
		SELECT array_agg(($18::text[])[op] ORDER BY op) FROM told WHERE outcome = 5'
	INTO undecided
	USING trial.key_locks(keys), trial.digests(keys), trial.digests(wanted), keys,
		trial.words(requests, 2)::bigint[], trial.each(1::bigint, requests), trial.each(300000::bigint, requests),
		trial.each(false, requests), firsts, lasts, places, all_seats, 'KRW',
		ARRAY[trial.head('seat_unavailable')], trial.each(0::bigint, requests), 3::bigint, keys, requests;
	RETURN undecided;
END
$$;

CREATE PROCEDURE trial.buyers_hold(VARIADIC requests text[]) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM trial.hold_by('hold', requests);
END
$$;

-- The optimistic ones. Who is told to ask again does, each time in a transaction of its own, and at last under the
-- locks, as in the server.
CREATE PROCEDURE trial.buyers_try(VARIADIC requests text[]) LANGUAGE plpgsql AS $$
BEGIN
	FOR attempt IN 1 .. 3 LOOP
		requests := trial.hold_by(CASE WHEN attempt < 3 THEN 'hold_optimistic' ELSE 'hold' END, requests);
		EXIT WHEN requests IS NULL;
		COMMIT;
	END LOOP;
END
$$;

-- 'key person quantity'. Who is told to ask again does, waiting: a transaction of its own, as in the server.
CREATE PROCEDURE trial.buyer_takes(request text) LANGUAGE plpgsql AS $$
DECLARE
	key text := split_part(request, ' ', 1);
	told record;
BEGIN
	FOR attempt IN 1 .. 2 LOOP
		EXECUTE trial.statement('hold_quantity')
		INTO told
		USING ARRAY[trial.key_lock(key)], trial.digests(ARRAY[key]), trial.digests(ARRAY[request]), ARRAY[key],
			ARRAY[split_part(request, ' ', 2)::bigint], ARRAY[1::bigint], ARRAY[300000::bigint], ARRAY[false],
			ARRAY[split_part(request, ' ', 3)::bigint], ARRAY[NULL::text], 'KRW',
			ARRAY[trial.head('sold_out')], ARRAY[0::bigint], 0::bigint, attempt = 2;
		EXIT WHEN told.outcome <> 5;
		COMMIT;
	END LOOP;
	INSERT INTO trial.replies VALUES ('take', key, told.held_id, told.reply_status, told.replayed, told.reply_body);
END
$$;

-- 'key person reservation points'
CREATE PROCEDURE trial.buyers_pay(VARIADIC requests text[]) LANGUAGE plpgsql AS $$
DECLARE
	keys text[] := trial.words(requests, 1);
BEGIN
	EXECUTE 'INSERT INTO trial.replies SELECT ''pay'', ($11::text[])[op], ($6::bigint[])[op], reply_status, replayed,
			reply_body
		FROM (' || trial.statement('pay') || ') t'
	USING trial.key_locks(keys), trial.digests(keys), trial.digests(trial.words(requests, 4)), keys,
		trial.words(requests, 2)::bigint[], trial.words(requests, 3)::bigint[],
		trial.words(requests, 4)::bigint[], trial.each(10::bigint, requests), 'KRW',
		ARRAY[trial.head('insufficient_balance'), trial.head('already_paid'),
			trial.head('reservation_cancelled'), trial.head('hold_expired')], keys;
END
$$;

-- 'person reservation'
CREATE PROCEDURE trial.buyers_cancel(VARIADIC requests text[]) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'INSERT INTO trial.replies SELECT ''cancel'', ($3::text[])[op], ($2::bigint[])[op], reply_status, NULL,
			reply_body
		FROM (' || trial.statement('cancel') || ') t'
	USING trial.words(requests, 1)::bigint[], trial.words(requests, 2)::bigint[], requests,
		ARRAY[trial.head('hold_expired')];
END
$$;

CREATE PROCEDURE trial.sweeper_sweeps() LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'INSERT INTO trial.replies SELECT ''sweep'', NULL, NULL, swept, NULL, NULL FROM (' || trial.statement('sweep')
		|| ') t' USING 100::bigint, 0::bigint, false;
END
$$;

-- The verdict.

-- What an operation's requests were told, in order of the number.
CREATE FUNCTION trial.told(what text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce(string_agg(status::text, ' ' ORDER BY status), '') FROM trial.replies WHERE op = what
$$;

CREATE VIEW trial.violations AS
SELECT 'invariant 1: ' || format AS violation FROM trial.sales
UNION ALL SELECT 'invariant 2: payment of ' || (body::json ->> 'reservation_id') || ' was acknowledged and is not there'
FROM trial.replies WHERE op = 'pay' AND status = 201
	AND NOT EXISTS (SELECT FROM payments p WHERE p.id = (body::json ->> 'payment_id')::bigint)
UNION ALL SELECT 'invariant 3: ' || format FROM trial.money
UNION ALL SELECT 'invariant 4: ' || format FROM trial.keys
UNION ALL SELECT 'invariant 4: the key ' || key || ' had several replies' FROM trial.replies
WHERE op <> 'sweep' AND (op <> 'cancel' OR status = 200) GROUP BY op, key HAVING count(DISTINCT body) > 1
UNION ALL SELECT 'invariant 4: the key ' || key || ' was answered anew' FROM trial.replies
WHERE op IN ('hold', 'take', 'pay') AND status > 0 GROUP BY op, key HAVING count(*) FILTER (WHERE NOT replayed) > 1
UNION ALL SELECT 'invariant 5: ' || format FROM trial.sold_now
-- A payment's reply comes with no step between it and the judgement, but for the one that is held up at its commit.
UNION ALL SELECT 'reservation ' || r.id || ' was paid after it had lapsed' FROM trial.replies t
JOIN reservations r ON r.id = t.reservation
WHERE t.op = 'pay' AND t.status = 201 AND NOT t.replayed AND t.at >= r.hold_expires_at
UNION ALL SELECT t.op || ' was told that reservation ' || r.id || ' had lapsed, before it had' FROM trial.replies t
JOIN reservations r ON r.id = t.reservation
WHERE t.status = 410 AND t.at < r.hold_expires_at
UNION ALL SELECT 'reservation ' || r.id || ' was ended as lapsed before it had' FROM reservations r
WHERE r.status = 'expired' AND r.ended_at < r.hold_expires_at
UNION ALL SELECT 'the audit: ' || a::text FROM audit() a
WHERE (a.double_sold, a.negative_balances, a.ledger_imbalance) <> (0, 0, 0);

-- sound: every invariant holds, and what the spec says of this end, too. Planned once: it is asked after every order.
CREATE FUNCTION trial.verdict(as_told boolean) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	violated text;
BEGIN
	SELECT string_agg(violation, '; ') INTO violated FROM trial.violations;
	RETURN CASE
		WHEN violated IS NOT NULL THEN violated
		WHEN as_told THEN 'sound'
		ELSE 'told: ' || (
			SELECT string_agg(concat_ws(' ', op, key, status), ', ' ORDER BY op, key, status)
			FROM trial.replies) END;
END
$$;
