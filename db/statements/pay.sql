SELECT op, outcome, reply_status, replayed, reply_body, paid_performance, paid_seats, paid_hold_key,
	paid_pass
FROM pay($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
