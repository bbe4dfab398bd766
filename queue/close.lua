-- Closes the list of entrants of a line that is to be shuffled, once the sale is open by this clock, which
-- is the same for all instances: whoever has a place by now is one, whoever joins from now on comes behind.
--
-- KEYS  1 wait   2 meta
-- ARGV  1 when the sale opens, ms
--
-- Replies -1 alone where Redis knows no such line; else how far the shuffle is (queue/shuffle.h), the epoch, and
-- what positions are added to: numbers of the epoch in which the list was closed.
local EPOCH = 137438953472 -- 2^37
local NONE, PENDING, CLOSED, DONE = 0, 1, 2, 3
local wait, meta = unpack(KEYS)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'next', 'rest_until', 'shuffle', 'closed')
local epoch, next_number, shuffle = tonumber(known[1]), tonumber(known[2]), known[4]
local closed = tonumber(known[5]) or 0

local function text(number)
	return string.format('%.0f', number)
end

if not epoch then
	return {-1}
end
-- After a loss of Redis people come back first.
if shuffle == 'pending' and now >= tonumber(ARGV[1]) and now >= (tonumber(known[3]) or 0) then
	-- Positions count from 1 in this epoch: places of older ones, too, need a number below the newcomers'.
	local last = math.max(next_number, redis.call('ZCARD', wait))
	closed = epoch * EPOCH + last
	redis.call('HSET', meta, 'shuffle', 'closed', 'closed', text(closed), 'next', text(last))
	shuffle = 'closed'
end
local state = {pending = PENDING, closed = CLOSED, done = DONE}
return {shuffle and state[shuffle] or NONE, epoch, math.floor(closed / EPOCH) * EPOCH}
