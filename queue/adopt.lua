-- Starts an epoch: newcomers get its numbers, behind all that there are. What is there stays.
--
-- KEYS  1 meta   2 standing
-- ARGV  1 epoch   2 rest, ms   3 the number that showed the need, 0 where no line was known   4 run id
--       5 '', or how far the shuffle is by PostgreSQL, for a line of which Redis does not know it: pending, done
--
-- The next tick sees that none came before it, and gives everybody the time to come back.
local EPOCH_MAX = 65535 -- (epoch + 1) * 2^37 must be exact in a double
local EPOCH = 137438953472 -- 2^37
local epoch, rest_ms, number = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

if epoch < 1 or epoch > EPOCH_MAX then
	return redis.error_reply('ERR epoch out of range')
end
local known = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
local current = tonumber(known[1])
if current and (current >= epoch or known[2] == ARGV[4] and math.floor(number / EPOCH) < current) then
	return 0 -- somebody else was first
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'next', '0', 'run_id', ARGV[4],
	'rest_until', string.format('%.0f', now + rest_ms))
if epoch > 1 then
	redis.call('HSET', KEYS[1], 'adopted_at', string.format('%.0f', now))
end
redis.call('HDEL', KEYS[1], 'last_tick', 'shown')
redis.call('DEL', KEYS[2]) -- it shows numbers of the newest epoch alone
if ARGV[5] ~= '' then
	redis.call('HSETNX', KEYS[1], 'shuffle', ARGV[5])
end
return 1
