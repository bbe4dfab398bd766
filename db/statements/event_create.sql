WITH created AS (
	INSERT INTO events (title, venue, sale_opens_at, queue_enabled, queue_paused, capacity,
		admit_per_second, pass_ttl_seconds, abandon_after_seconds, message)
	VALUES ($2, $3, to_timestamp($4::bigint / 1000.0), $5, $6, $7, $8, $9, $10, $11)
	RETURNING id, title, sale_opens_at
), audited AS (
	INSERT INTO admin_audit (admin_id, action, event_id, detail)
	SELECT $1, 'event.create', id, jsonb_build_object('title', title) FROM created
), shuffled AS (
	INSERT INTO shuffles (event_id, seed)
	SELECT id, $12 FROM created WHERE sale_opens_at > clock_timestamp()
	RETURNING commitment
)
SELECT id, (SELECT encode(commitment, 'hex') FROM shuffled) FROM created
