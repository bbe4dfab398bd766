SELECT op, used, (extract(epoch FROM held_until) * 1000)::bigint FROM places_used($1, $2, $3, $4)
