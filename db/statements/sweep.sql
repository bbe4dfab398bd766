SELECT swept, keys_dropped, revocations_dropped, events_dropped, untold_dropped FROM sweep($1, $2, $3)
