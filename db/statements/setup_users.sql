-- $1 a text that no other run had, $2 how many, $3 balance, $4 role. Returns the new ids, ascending.
WITH made AS (
	INSERT INTO users (email, name, role)
	SELECT 'user-' || $1 || '-' || n || '@onsale.test', 'User ' || n, $4::user_role
	FROM generate_series(1, $2::bigint) AS n
	RETURNING id
), opened AS (
	INSERT INTO accounts (user_id, balance) SELECT id, $3::bigint FROM made
), entered AS (
	INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
	SELECT id, 'money', 'opening', $3::bigint, $3::bigint FROM made WHERE $3::bigint > 0
)
SELECT id FROM made ORDER BY id
