-- Every event was delivered at least once, those of a reservation in order, and nothing that never happened. What a
-- Redis has lost of deliveries cannot be judged: after a loss only what happened since is. $1 to $3 the deliveries
-- in their order: event, reservation, kind; $4 the moment of the loss, or -infinity; $5 when they were read.
WITH deliveries AS (
	SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS d(id, reservation_id, kind, nth)
),
judged AS (
	SELECT o.id, o.reservation_id, o.kind, o.created_at, pending.id IS NULL AS told, min(d.nth) AS first
	FROM outbox o LEFT JOIN (SELECT unnest(event_ids) FROM outbox_pending) AS pending(id) ON pending.id = o.id
	LEFT JOIN deliveries d ON (d.id, d.reservation_id, d.kind) = (o.id, o.reservation_id, o.kind)
	WHERE o.created_at > $4::timestamptz
	GROUP BY o.id, pending.id
)
SELECT format('event %s, %s %s, was not delivered, and counts as %s', id, kind, reservation_id,
	CASE WHEN told THEN 'told' ELSE 'pending' END)
FROM judged
WHERE first IS NULL
	AND created_at < $5::timestamptz - CASE WHEN told THEN interval '1 second' ELSE interval '5 seconds' END
UNION ALL
SELECT format('of reservation %s event %s was first delivered before event %s', reservation_id, id, earlier)
FROM (
	SELECT reservation_id, id, first, lag(id) OVER reservation AS earlier,
		lag(first) OVER reservation AS earlier_first
	FROM judged WINDOW reservation AS (PARTITION BY reservation_id ORDER BY id)
) ordered
WHERE first < earlier_first
UNION ALL
SELECT format('event %s, %s %s, was delivered and does not exist', d.id, d.kind, d.reservation_id)
FROM deliveries d LEFT JOIN outbox o ON (o.id, o.reservation_id, o.kind) = (d.id, d.reservation_id, d.kind)
WHERE o.id IS NULL
