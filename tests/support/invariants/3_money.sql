-- Balances equal the sum of their ledger, none is negative, nothing appears or vanishes.
SELECT format('user %s has a balance of %s, the ledger says %s', a.user_id, a.balance, coalesce(l.money, 0))
FROM accounts a LEFT JOIN (
	SELECT user_id, sum(amount) AS money FROM ledger WHERE unit = 'money' GROUP BY user_id
) l USING (user_id)
WHERE a.balance <> coalesce(l.money, 0) OR a.balance < 0
UNION ALL
SELECT format('user %s has %s points, the ledger says %s', a.user_id, a.points, coalesce(l.points, 0))
FROM accounts a LEFT JOIN (
	SELECT user_id, sum(amount) AS points FROM ledger WHERE unit = 'points' GROUP BY user_id
) l USING (user_id)
WHERE a.points <> coalesce(l.points, 0) OR a.points < 0
UNION ALL
SELECT format('ledger row %s says %s of user %s after it, its rows say %s', l.id, l.balance_after, l.user_id,
	l.running)
FROM (
	SELECT ledger.*, sum(amount) OVER (PARTITION BY user_id, unit ORDER BY id) AS running FROM ledger
) l
WHERE l.balance_after <> l.running
UNION ALL
SELECT format('user %s is in the ledger and has no account', l.user_id)
FROM ledger l LEFT JOIN accounts a USING (user_id)
WHERE a.user_id IS NULL
UNION ALL
SELECT format('reservation %s of user %s: a %s of %s %s, the ledger says %s', reservation_id, user_id, kind,
	coalesce(p.amount, 0), unit, coalesce(l.amount, 0))
FROM (
	SELECT payments.reservation_id, payments.user_id, e.unit, e.kind, sum(e.amount) AS amount
	FROM payments, LATERAL (VALUES
		('money'::ledger_unit, 'payment'::ledger_kind, -payments.amount),
		('points', 'payment', -points_used),
		('points', 'reward', points_awarded),
		('money', 'refund', refunded),
		('points', 'refund', CASE WHEN refunded_at IS NOT NULL THEN points_used END),
		('points', 'reward_revoked', -points_revoked)) AS e(unit, kind, amount)
	GROUP BY payments.reservation_id, payments.user_id, e.unit, e.kind
) p
FULL JOIN (
	SELECT reservation_id, user_id, unit, kind, sum(amount) AS amount FROM ledger
	WHERE kind NOT IN ('opening', 'charge') GROUP BY reservation_id, user_id, unit, kind
) l USING (reservation_id, user_id, unit, kind)
WHERE coalesce(p.amount, 0) <> coalesce(l.amount, 0)
