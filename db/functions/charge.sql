-- Adds to balances, for a batch of requests; one row a request comes back. Locks first, in the order of
-- hold.sql, then judges.
--
-- Parameters are arrays with an element a request; the same person may come several times.
--
-- outcome: 0 reply, 1 key used with another body, 3 no such person, 4 the balance would pass its limit.
CREATE OR REPLACE FUNCTION charge(
	key_locks bigint[], -- numbers to lock the keys by, ascending
	keys bytea[],	    -- distinct
	bodies bytea[],
	user_ids bigint[],
	amounts bigint[])
RETURNS TABLE (op bigint, outcome bigint, reply_status bigint, replayed boolean, reply_body text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	balance_limit constant bigint := 1000000000000000;
	kept_row idempotency;
	kept idempotency[]; -- by request; those without a kept reply are null
	account integer;
	account_ids bigint[];
	account_balances bigint[]; -- as they are after the requests so far
	entry bigint;
	-- What is written.
	entry_ids bigint[] := '{}';
	entry_requests integer[] := '{}';
	entry_balances bigint[] := '{}';
	entry_replies text[] := '{}';
BEGIN
	PERFORM pg_advisory_xact_lock(number) FROM unnest(key_locks) AS number;
	FOR kept_row IN SELECT i.* FROM idempotency i WHERE i.key = ANY (keys) LOOP
		kept[array_position(keys, kept_row.key)] := kept_row;
	END LOOP;
	SELECT array_agg(a.user_id), array_agg(a.balance) INTO account_ids, account_balances
	FROM (SELECT * FROM accounts WHERE accounts.user_id = ANY (user_ids)
		ORDER BY accounts.user_id FOR UPDATE) a;

	FOR request IN 1 .. cardinality(keys) LOOP
		op := request;
		outcome := 0;
		reply_status := 0;
		replayed := false;
		reply_body := NULL;
		account := array_position(account_ids, user_ids[request]);

		IF (kept[request]).key IS NOT NULL THEN
			IF (kept[request]).body = bodies[request] THEN
				reply_status := (kept[request]).status;
				replayed := true;
				reply_body := (kept[request]).reply;
			ELSE
				outcome := 1;
			END IF;
		ELSIF account IS NULL THEN
			outcome := 3;
		ELSIF amounts[request] > balance_limit - account_balances[account] THEN
			outcome := 4;
		ELSE
			account_balances[account] := account_balances[account] + amounts[request];
			entry := nextval('ledger_id_seq');
			reply_status := 201;
			reply_body := '{"id":' || entry || ',"amount":' || amounts[request]
				|| ',"balance":' || account_balances[account] || '}';
			entry_ids := entry_ids || entry;
			entry_requests := entry_requests || request;
			entry_balances := entry_balances || account_balances[account];
			entry_replies := entry_replies || reply_body;
		END IF;
		RETURN NEXT;
	END LOOP;

	IF entry_ids <> '{}' THEN
		INSERT INTO ledger (id, user_id, unit, kind, amount, balance_after)
		SELECT e.id, user_ids[e.request], 'money', 'charge', amounts[e.request], e.balance
		FROM unnest(entry_ids, entry_requests, entry_balances) AS e(id, request, balance);

		UPDATE accounts a SET balance = n.balance
		FROM unnest(account_ids, account_balances) AS n(user_id, balance)
		WHERE a.user_id = n.user_id AND a.balance <> n.balance;

		INSERT INTO idempotency (key, body, status, reply)
		SELECT keys[e.request], bodies[e.request], 201, e.reply
		FROM unnest(entry_requests, entry_replies) AS e(request, reply);
	END IF;
END
$$;
