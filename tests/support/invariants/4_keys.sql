-- One effect for each idempotency key, and the record of it beside the effect.
SELECT format('the key %s made %s reservations', encode(hold_key, 'hex'), count(*))
FROM reservations GROUP BY hold_key HAVING count(*) > 1
UNION ALL
SELECT format('reservation %s is not the effect of its key', r.id)
FROM reservations r LEFT JOIN idempotency i ON i.key = r.hold_key AND i.reservation_id = r.id
	AND i.status = 201
WHERE i.key IS NULL
UNION ALL
SELECT format('the key %s promises reservation %s, which does not exist', encode(i.key, 'hex'),
	i.reservation_id)
FROM idempotency i LEFT JOIN reservations r ON r.id = i.reservation_id
WHERE i.reservation_id IS NOT NULL AND r.id IS NULL
UNION ALL
SELECT format('%s payments, and %s keys that promise one', p.made, i.promised)
FROM (SELECT count(*) AS made FROM payments) p,
	(SELECT count(*) AS promised FROM idempotency WHERE status = 201 AND reply LIKE '{"payment_id":%') i
WHERE p.made <> i.promised
