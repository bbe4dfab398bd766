-- Every acknowledged payment exists. $1 payments, $2 their reservations, $3 who paid.
SELECT format('the acknowledged payment %s of reservation %s by user %s does not exist', a.payment_id,
	a.reservation_id, a.user_id)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS a(payment_id, reservation_id, user_id)
LEFT JOIN payments p ON (p.id, p.reservation_id, p.user_id) = (a.payment_id, a.reservation_id, a.user_id)
WHERE p.id IS NULL
