SELECT op, document FROM reservation($1, $2, $3)
