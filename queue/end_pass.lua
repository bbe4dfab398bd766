-- Ends a pass that was used up: its slot is free.
--
-- KEYS  1 pass   2 live   3 holding   4 gone   5 meta
-- ARGV  1 user   2 nonce, 0 for whichever it is
local EPOCH = 137438953472 -- 2^37
local pass, live, holding, gone, meta = unpack(KEYS)
local user = ARGV[1]

local found = redis.call('HGET', pass, user)
if not found then
	return 0
end
local nonce, number = string.match(found, '^(%d+):(%d+)')
if ARGV[2] ~= '0' and ARGV[2] ~= nonce then
	return 0
end
redis.call('HDEL', pass, user)
redis.call('ZREM', live, user)
redis.call('ZREM', holding, user)
-- A number of an older epoch would be put back by its token, were it not known to have ended.
local epoch = tonumber(redis.call('HGET', meta, 'epoch'))
if epoch and math.floor(tonumber(number) / EPOCH) < epoch then
	redis.call('HSET', gone, number .. ':' .. user, 1)
end
return 1
