SELECT op, outcome, reply_status, replayed, reply_body FROM charge($1, $2, $3, $4, $5)
