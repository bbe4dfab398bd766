SELECT lines FROM seat_list($1)
