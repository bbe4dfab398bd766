SELECT swept, keys_dropped FROM sweep($1)
