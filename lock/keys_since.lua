-- Notes since when Redis knows all idempotency keys of an event's holds; the first word stands.
--
-- KEYS  1 meta
-- ARGV  1 '1': it knows them all, ever
local since = '0'
if ARGV[1] ~= '1' then
	local time = redis.call('TIME')
	since = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
return redis.call('HSETNX', KEYS[1], 'keys_since', since)
