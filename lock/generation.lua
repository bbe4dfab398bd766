-- After an outage: markers from before bind nobody. What was decided meanwhile went past Redis, which
-- therefore knows all keys only from now on.
--
-- KEYS  1 meta
local time = redis.call('TIME')
local since = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'keys_since', since)
return redis.call('HINCRBY', KEYS[1], 'lock_generation', 1)
