-- Gives a place back, or the slot that it was admitted to.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 holding   6 gone   7 meta   8 standing
-- ARGV  1 user   2 number of the place
local EPOCH = 137438953472 -- 2^37
local wait, seen, pass, live, holding, gone, meta, standing = unpack(KEYS)
local user, number = ARGV[1], tonumber(ARGV[2])
local any = number % EPOCH == 0 -- given before the shuffle: it stands for whatever place the user has
local epoch = tonumber(redis.call('HGET', meta, 'epoch'))

-- A number of an older epoch would be put back by its token, were it not known to have ended.
local function note_gone(ended)
	if epoch and math.floor(ended / EPOCH) < epoch then
		redis.call('HSET', gone, string.format('%.0f', ended) .. ':' .. user, 1)
	end
end

local waits_as = tonumber(redis.call('ZSCORE', wait, user))
if waits_as and (any or waits_as == number) then
	redis.call('ZREM', wait, user)
	redis.call('ZREM', seen, user)
	note_gone(waits_as)
	if math.floor(waits_as / EPOCH) == epoch then
		redis.call('SETBIT', standing, string.format('%.0f', waits_as % EPOCH), 0)
	end
end
local found = redis.call('HGET', pass, user)
local admitted_as = found and tonumber(string.match(found, '^%d+:(%d+)'))
if admitted_as and (any or admitted_as == number or admitted_as == 0) then -- 0: put back by restore_pass.lua
	redis.call('HDEL', pass, user)
	redis.call('ZREM', live, user)
	redis.call('ZREM', holding, user)
	note_gone(admitted_as)
end
if not any then
	note_gone(number)
elseif epoch and epoch > 1 then
	redis.call('HSET', gone, '0:' .. user, 1)
end
return 1
