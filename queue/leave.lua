-- Gives a place back, or the slot that it was admitted to.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 holding   6 gone   7 meta
-- ARGV  1 user   2 number of the place
local EPOCH = 137438953472 -- 2^37
local wait, seen, pass, live, holding, gone, meta = unpack(KEYS)
local user, number = ARGV[1], tonumber(ARGV[2])

if tonumber(redis.call('ZSCORE', wait, user)) == number then
	redis.call('ZREM', wait, user)
	redis.call('ZREM', seen, user)
end
local found = redis.call('HGET', pass, user)
local of = found and tonumber(string.match(found, '^%d+:(%d+)'))
if of == number or of == 0 then -- 0: put back by restore_pass.lua
	redis.call('HDEL', pass, user)
	redis.call('ZREM', live, user)
	redis.call('ZREM', holding, user)
end
-- A number of an older epoch would be put back by its token, were it not known to have ended.
local epoch = tonumber(redis.call('HGET', meta, 'epoch'))
if epoch and math.floor(number / EPOCH) < epoch then
	redis.call('HSET', gone, string.format('%.0f', number) .. ':' .. user, 1)
end
return 1
