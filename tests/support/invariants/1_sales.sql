-- One sale a seat; a reservation has all its seats or none.
SELECT format('seat %s is paid for by %s reservations', s.seat_id, count(*))
FROM reservations r, unnest(r.seat_ids) AS s(seat_id)
WHERE r.status = 'paid'
GROUP BY s.seat_id HAVING count(*) > 1
UNION ALL
SELECT format('seat %s has several owners: reservations %s', s.seat_id, string_agg(r.id::text, ', '))
FROM reservations r, unnest(r.seat_ids) AS s(seat_id)
WHERE r.status = 'paid' OR (r.status = 'held' AND r.hold_expires_at > clock_timestamp())
GROUP BY s.seat_id HAVING count(*) > 1
UNION ALL
SELECT format('reservation %s is %s and does not own its seat %s', r.id, r.status, s.seat_id)
FROM reservations r CROSS JOIN unnest(r.seat_ids) AS s(seat_id)
LEFT JOIN seats ON seats.id = s.seat_id
WHERE (r.status = 'paid' OR (r.status = 'held' AND r.hold_expires_at > clock_timestamp()))
	AND seats.reservation_id IS DISTINCT FROM r.id
