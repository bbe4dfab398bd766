-- Reads entrants of a closed list, a part at a time.
--
-- KEYS  1 wait   2 meta
-- ARGV  1 the epoch, as close.lua told it   2 number after which to go on   3 how many
--
-- Replies -1 alone where that list is no more: Redis was lost meanwhile, or others have finished; else the
-- last number that was read, then the users: fewer than were asked for at the end.
local wait, meta = unpack(KEYS)

local known = redis.call('HMGET', meta, 'epoch', 'shuffle', 'closed')
if known[1] ~= ARGV[1] or known[2] ~= 'closed' then
	return {-1}
end
local range = redis.call('ZRANGEBYSCORE', wait, '(' .. ARGV[2], known[3], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local reply = {tonumber(range[#range] or ARGV[2])}
for i = 1, #range, 2 do
	reply[#reply + 1] = range[i]
end
return reply
