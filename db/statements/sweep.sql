SELECT swept, keys_dropped, revocations_dropped FROM sweep($1)
