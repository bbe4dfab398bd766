-- Takes all seats of a request on this node of a Redlock, or none.
--
-- KEYS  1 the node's meta
-- ARGV  1 prefix of the event's keys   2 owner   3 life, ms   4 and on: seats
--
-- Returns 'ours', or for each seat its marker: '' where it is free, or this owner's.
local FIRST_SEAT = 4
local owner = ARGV[2]
local prefix = ARGV[1] .. 'lock:' .. (redis.call('HGET', KEYS[1], 'lock_generation') or '0') .. ':'

local locks = {}
for i = FIRST_SEAT, #ARGV do
	locks[#locks + 1] = prefix .. ARGV[i]
end
local markers, taken = redis.call('MGET', unpack(locks)), false
for i, marker in ipairs(markers) do
	if not marker or string.sub(marker, 1, #owner + 1) == owner .. ':' then
		markers[i] = ''
	else
		taken = true
	end
end
if taken then
	return markers
end
for _, lock in ipairs(locks) do
	redis.call('SET', lock, owner .. ':L', 'PX', ARGV[3])
end
return 'ours'
