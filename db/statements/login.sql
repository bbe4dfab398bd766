SELECT user_id, is_admin, hash FROM login($1)
