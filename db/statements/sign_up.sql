SELECT sign_up($1, $2, $3)
