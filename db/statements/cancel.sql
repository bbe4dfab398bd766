SELECT op, outcome, reply_status, reply_body, freed, freed_paid, freed_performance, freed_seats,
	freed_hold_key
FROM cancel($1, $2, $3, $4)
