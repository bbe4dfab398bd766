SELECT seats_json, letters FROM seat_map($1)
