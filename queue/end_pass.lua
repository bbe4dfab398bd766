-- Ends passes that were used up: their slots are free.
--
-- KEYS  1 pass   2 live   3 holding   4 gone   5 meta
-- ARGV  for each pass: 1 user   2 nonce, 0 for whichever it is
local EPOCH = 137438953472 -- 2^37
local pass, live, holding, gone, meta = unpack(KEYS)
local epoch = tonumber(redis.call('HGET', meta, 'epoch') or nil)

local function end_pass(user, asked)
	local found = redis.call('HGET', pass, user)
	if not found then
		return
	end
	local nonce, number = string.match(found, '^(%d+):(%d+)')
	if asked ~= '0' and asked ~= nonce then
		return
	end
	redis.call('HDEL', pass, user)
	redis.call('ZREM', live, user)
	redis.call('ZREM', holding, user)
	-- A number of an older epoch would be put back by its token, were it not known to have ended.
	if epoch and math.floor(tonumber(number) / EPOCH) < epoch then
		redis.call('HSET', gone, number .. ':' .. user, 1)
	end
end

for i = 1, #ARGV, 2 do
	end_pass(ARGV[i], ARGV[i + 1])
end
return 1
