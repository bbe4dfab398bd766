SELECT position, entrant, user_id, base FROM shuffle_page($1, $2, $3)
