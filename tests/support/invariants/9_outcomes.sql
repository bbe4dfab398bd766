-- What the clients were told is what happened, once all unknown outcomes are resolved. $1 all who held,
-- $2 reservations that they know of, $3 payments that they know of.
SELECT format('user %s has reservation %s and does not know of it', r.user_id, r.id)
FROM reservations r
WHERE r.user_id = ANY ($1::bigint[]) AND NOT r.id = ANY ($2::bigint[])
UNION ALL
SELECT format('reservation %s was acknowledged and does not exist', known.id)
FROM unnest($2::bigint[]) AS known(id) LEFT JOIN reservations r ON r.id = known.id
WHERE r.id IS NULL
UNION ALL
SELECT format('user %s made payment %s and does not know of it', p.user_id, p.id)
FROM payments p
WHERE p.user_id = ANY ($1::bigint[]) AND NOT p.id = ANY ($3::bigint[])
