UPDATE events SET queue_epoch = queue_epoch + 1 WHERE id = $1 RETURNING queue_epoch
