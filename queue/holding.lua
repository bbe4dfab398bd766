-- Notes until when a live user holds seats; a time that has gone by forgets it.
--
-- KEYS  1 live   2 holding
-- ARGV  1 user   2 end of the hold, ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if tonumber(ARGV[2]) <= now then
	return redis.call('ZREM', KEYS[2], ARGV[1])
end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
	return redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
return 0
