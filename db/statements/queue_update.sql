-- Only the members that are given change; null stands for those that are not.
WITH updated AS (
	UPDATE events SET
		queue_enabled = coalesce($3, queue_enabled), queue_paused = coalesce($4, queue_paused),
		capacity = coalesce($5, capacity), admit_per_second = coalesce($6, admit_per_second),
		pass_ttl_seconds = coalesce($7, pass_ttl_seconds),
		abandon_after_seconds = coalesce($8, abandon_after_seconds), message = coalesce($9, message)
	WHERE id = $2
	RETURNING *
), audited AS (
	INSERT INTO admin_audit (admin_id, action, event_id, detail)
	SELECT $1, 'queue.update', id, jsonb_strip_nulls(jsonb_build_object('enabled', $3::boolean,
		'paused', $4::boolean, 'capacity', $5::bigint, 'admit_per_second', $6::bigint,
		'pass_ttl_seconds', $7::bigint, 'abandon_after_seconds', $8::bigint, 'message', $9::text))
	FROM updated
)
SELECT revision, id, title, venue, (extract(epoch FROM sale_opens_at) * 1000)::bigint AS opens_unix_ms,
	queue_enabled, queue_paused, capacity, admit_per_second, pass_ttl_seconds, abandon_after_seconds,
	message, (SELECT encode(s.commitment, 'hex') FROM shuffles s WHERE s.event_id = updated.id)
FROM updated
