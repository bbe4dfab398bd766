SELECT op, document FROM me($1, $2)
