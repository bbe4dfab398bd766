-- Events (starts_at and seats_total null) and performances (title null), each by its revision.
(SELECT revision, id, title, venue, (extract(epoch FROM sale_opens_at) * 1000)::bigint AS opens_unix_ms,
	queue_enabled, queue_paused, capacity, admit_per_second, pass_ttl_seconds, abandon_after_seconds,
	message, encode(s.commitment, 'hex') AS commitment, NULL::bigint AS event_id, NULL::bigint AS starts_unix_ms, NULL::bigint AS seats_total
FROM events LEFT JOIN shuffles s ON s.event_id = id WHERE revision > $1 ORDER BY revision LIMIT $3)
UNION ALL
(SELECT revision, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, event_id,
	(extract(epoch FROM starts_at) * 1000)::bigint, seats_total
FROM performances WHERE revision > $2 ORDER BY revision LIMIT $3)
