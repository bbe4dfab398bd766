SELECT letters, lapse_in_ms FROM seat_letters($1)
