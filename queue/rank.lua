-- Gives entrants of a closed list the numbers that the shuffle gave them, a part at a time.
--
-- KEYS  1 wait   2 meta
-- ARGV  1 the epoch, as close.lua told it   2 number of the first of these users   3 '1': these are the last
--       then the users, in their order
--
-- Replies -1 where that list is no more, else 0. Run again it changes nothing. Whoever left is not brought
-- back, and whoever has joined since is a newcomer.
local wait, meta = unpack(KEYS)
local number = tonumber(ARGV[2])
local FIRST = 4

local known = redis.call('HMGET', meta, 'epoch', 'shuffle', 'closed')
if known[1] ~= ARGV[1] or known[2] ~= 'closed' then
	return -1
end
local closed, places = tonumber(known[3]), {}
if #ARGV >= FIRST then
	for i, score in ipairs(redis.call('ZMSCORE', wait, unpack(ARGV, FIRST))) do
		if score and tonumber(score) <= closed then
			places[#places + 1] = string.format('%.0f', number + i - 1)
			places[#places + 1] = ARGV[FIRST + i - 1]
		end
	end
end
if #places > 0 then
	redis.call('ZADD', wait, 'XX', unpack(places))
end
if ARGV[3] == '1' then
	redis.call('HSET', meta, 'shuffle', 'done')
end
return 0
