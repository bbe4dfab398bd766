-- $1 e-mail, $2 name, $3 role, $4 password hash, $5 balance of a new account.
WITH person AS (
	INSERT INTO users (email, name, role, password_hash) VALUES ($1, $2, $3::user_role, $4)
	ON CONFLICT (lower(email)) DO UPDATE
		SET role = excluded.role, password_hash = excluded.password_hash
	RETURNING id
), opened AS (
	INSERT INTO accounts (user_id, balance) SELECT id, $5::bigint FROM person
	ON CONFLICT DO NOTHING
	RETURNING user_id, balance
)
INSERT INTO ledger (user_id, unit, kind, amount, balance_after)
SELECT user_id, 'money', 'opening', balance, balance FROM opened WHERE balance > 0
