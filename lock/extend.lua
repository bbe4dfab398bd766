-- Gives locks that are being decided, and are this owner's, their whole life again.
--
-- KEYS  1 meta
-- ARGV  1 prefix of the locks   2 owner   3 life, ms   4 and on: seats
--
-- The locks' own keys carry the event's hash tag, as KEYS do: one slot of a Redis Cluster.
local FIRST_SEAT = 4
local generation = redis.call('HGET', KEYS[1], 'lock_generation') or '0'

for i = FIRST_SEAT, #ARGV do
	local lock = ARGV[1] .. generation .. ':' .. ARGV[i]
	if redis.call('GET', lock) == ARGV[2] .. ':L' then
		redis.call('PEXPIRE', lock, ARGV[3])
	end
end
return 1
