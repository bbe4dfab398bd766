SELECT body FROM reservation_page($1, $2, $3, $4)
