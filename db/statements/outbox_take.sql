SELECT pending_id, id, reservation_id, kind, payload, created_at, age_ms FROM outbox_take($1, $2, $3)
