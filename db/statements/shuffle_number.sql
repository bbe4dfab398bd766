SELECT op, number FROM shuffle_number($1, $2)
