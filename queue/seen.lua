-- Heartbeats: these users polled within the last second. Only who still waits is in `seen`.
--
-- KEYS  1 seen
-- ARGV  users
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local beats = {}

for _, user in ipairs(ARGV) do
	beats[#beats + 1] = now
	beats[#beats + 1] = user
end
redis.call('ZADD', KEYS[1], 'XX', unpack(beats))
return 1
