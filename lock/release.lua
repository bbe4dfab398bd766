-- Drops the markers of seats that are still this owner's, and those that say sold in nobody's name ('-:S'):
-- whoever frees a seat was the last to know who had it.
--
-- KEYS  1 meta
-- ARGV  1 prefix of the locks   2 owner   3 and on: seats
--
-- The locks' own keys carry the event's hash tag, as KEYS do: one slot of a Redis Cluster.
local FIRST_SEAT = 3
local owner = ARGV[2]
local generation = redis.call('HGET', KEYS[1], 'lock_generation') or '0'

for i = FIRST_SEAT, #ARGV do
	local lock = ARGV[1] .. generation .. ':' .. ARGV[i]
	local marker = redis.call('GET', lock)
	if marker and (string.sub(marker, 1, #owner + 1) == owner .. ':' or marker == '-:S') then
		redis.call('DEL', lock)
	end
end
return 1
