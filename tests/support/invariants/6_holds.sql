-- No hold outlives its TTL by more than 5 s.
SELECT format('reservation %s is held, and lapsed at %s', id, hold_expires_at)
FROM reservations
WHERE status = 'held' AND hold_expires_at < clock_timestamp() - interval '5 seconds'
