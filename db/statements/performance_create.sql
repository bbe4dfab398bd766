SELECT id, seats FROM create_performance($1, $2, $3, $4, $5, $6, $7)
