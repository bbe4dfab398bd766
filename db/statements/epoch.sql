-- The new epoch, and how far the shuffle of the line is: 0 has none, 1 to come, 2 done.
UPDATE events SET queue_epoch = queue_epoch + 1 WHERE id = $1 RETURNING queue_epoch,
	coalesce((SELECT CASE WHEN opened_at IS NULL THEN 1 ELSE 2 END FROM shuffles WHERE event_id = id), 0)
