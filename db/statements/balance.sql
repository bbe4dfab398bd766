SELECT op, money, points FROM balance($1)
