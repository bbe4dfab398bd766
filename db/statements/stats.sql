SELECT held, sold_seats, revenue FROM stats($1)
