SELECT op, outcome, reply_status, replayed, reply_body, held_id,
	(extract(epoch FROM held_until - clock_timestamp()) * 1000)::bigint AS hold_left_ms,
	taken_ids, taken_sold
FROM hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, true)
