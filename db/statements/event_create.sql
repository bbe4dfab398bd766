WITH created AS (
	INSERT INTO events (title, venue, sale_opens_at, queue_enabled, queue_paused, capacity,
		admit_per_second, pass_ttl_seconds, abandon_after_seconds, message)
	VALUES ($2, $3, to_timestamp($4::bigint / 1000.0), $5, $6, $7, $8, $9, $10, $11)
	RETURNING id, title
), audited AS (
	INSERT INTO admin_audit (admin_id, action, event_id, detail)
	SELECT $1, 'event.create', id, jsonb_build_object('title', title) FROM created
)
SELECT id FROM created
