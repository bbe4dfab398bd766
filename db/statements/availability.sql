SELECT nth, available, sold_seats FROM availability($1)
