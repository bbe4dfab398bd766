SELECT swept, keys_dropped, revocations_dropped, events_dropped FROM sweep($1, $2)
