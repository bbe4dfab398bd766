-- What the clients were told is what happened, once all unknown outcomes are resolved. $1 all who held,
-- $2 reservations that they know of, $3 payments that they know of, $4 all who charged, $5 charges that they know
-- of.
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
UNION ALL
SELECT format('user %s made charge %s and does not know of it', l.user_id, l.id)
FROM ledger l
WHERE l.kind = 'charge' AND l.user_id = ANY ($4::bigint[]) AND NOT l.id = ANY ($5::bigint[])
UNION ALL
SELECT format('charge %s was acknowledged and does not exist', known.id)
FROM unnest($5::bigint[]) AS known(id) LEFT JOIN ledger l ON l.id = known.id AND l.kind = 'charge'
WHERE l.id IS NULL
