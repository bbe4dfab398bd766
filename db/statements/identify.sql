SELECT op, user_id FROM identify($1, $2, $3, $4)
