SELECT revoke($1, $2, $3)
