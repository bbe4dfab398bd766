-- Changes the markers of seats that are this owner's or nobody's: held, or sold. Held also where somebody else is
-- just locking the seat: PostgreSQL has decided, and will refuse him.
--
-- KEYS  1 meta   2 record of the owner's idempotency key, where it is in this Redis
-- ARGV  1 prefix of the locks   2 owner   3 state: H held, S sold   4 life, ms   5 and on: seats
--
-- The locks' own keys carry the event's hash tag, as KEYS do: one slot of a Redis Cluster.
-- A hold is PostgreSQL's answer to its key, whatever a late script may have written there.
local KEPT_MS = 86400000
local FIRST_SEAT = 5
local owner, state = ARGV[2], ARGV[3]
local generation = redis.call('HGET', KEYS[1], 'lock_generation') or '0'

if state == 'H' and KEYS[2] then
	redis.call('SET', KEYS[2], 'P', 'PX', KEPT_MS)
end
for i = FIRST_SEAT, #ARGV do
	local lock = ARGV[1] .. generation .. ':' .. ARGV[i]
	local marker = redis.call('GET', lock)
	if not marker or string.sub(marker, 1, #owner + 1) == owner .. ':'
		or state == 'H' and string.sub(marker, -2) == ':L' then
		redis.call('SET', lock, owner .. ':' .. state, 'PX', ARGV[4])
	end
end
return 1
