-- One request as a batch of its own, with little to say: the key is any text, the person 5.
CREATE FUNCTION digest_of(key text) RETURNS bytea LANGUAGE sql AS $$ SELECT decode(md5(key), 'hex') $$;

CREATE FUNCTION lock_of(key text) RETURNS bigint LANGUAGE sql AS
$$ SELECT ('x' || substr(md5(key), 1, 16))::bit(64)::bigint $$;

CREATE FUNCTION hold_one(key text, seat bigint) RETURNS text LANGUAGE sql AS $$
	SELECT h.reply_status || CASE WHEN h.replayed THEN ' again ' ELSE ' ' END || h.reply_body
	FROM hold(ARRAY[lock_of(key)], ARRAY[digest_of(key)], '{body}', '{"a\"b"}', '{5}', '{1}', '{60000}',
		'{false}', '{1}', '{1}', '{1}', ARRAY[seat], 'KRW', ARRAY['{"request_id":"'], '{0}', 0) h
$$;

CREATE FUNCTION pay_one(key text, reservation bigint) RETURNS text LANGUAGE sql AS $$
	SELECT p.reply_status || CASE WHEN p.replayed THEN ' again ' ELSE ' ' END || p.reply_body
	FROM pay(ARRAY[lock_of(key)], ARRAY[digest_of(key)], '{body}', '{r}', '{5}', ARRAY[reservation], '{0}',
		'{10}', 'KRW', ARRAY['402:', '409 paid:', '409 cancelled:', '410:']) p
$$;

CREATE FUNCTION charge_one(key text, amount bigint) RETURNS text LANGUAGE sql AS $$
	SELECT c.reply_status || CASE WHEN c.replayed THEN ' again ' ELSE ' ' END || c.reply_body
	FROM charge(ARRAY[lock_of(key)], ARRAY[digest_of(key)], '{body}', '{5}', ARRAY[amount]) c
$$;
