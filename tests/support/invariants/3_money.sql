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
SELECT format('reservation %s: payments of %s, the ledger took %s', coalesce(p.reservation_id, l.reservation_id),
	coalesce(p.amount, 0), coalesce(l.amount, 0))
FROM (SELECT reservation_id, sum(amount) AS amount FROM payments GROUP BY reservation_id) p
FULL JOIN (
	SELECT reservation_id, -sum(amount) AS amount FROM ledger
	WHERE unit = 'money' AND kind = 'payment' GROUP BY reservation_id
) l USING (reservation_id)
WHERE coalesce(p.amount, 0) <> coalesce(l.amount, 0)
