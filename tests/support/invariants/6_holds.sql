-- No hold outlives its TTL by more than 5 s; none is paid after it, and none expires before it.
SELECT format('reservation %s is held, and lapsed at %s', id, hold_expires_at)
FROM reservations
WHERE status = 'held' AND hold_expires_at < clock_timestamp() - interval '5 seconds'
UNION ALL
SELECT format('reservation %s lapsed at %s and was paid at %s', id, hold_expires_at, ended_at)
FROM reservations
WHERE status = 'paid' AND ended_at > hold_expires_at
UNION ALL
SELECT format('reservation %s was to last until %s and expired at %s', id, hold_expires_at, ended_at)
FROM reservations
WHERE status = 'expired' AND ended_at < hold_expires_at
