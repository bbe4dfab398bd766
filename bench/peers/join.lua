-- Takes a place for a user, or finds the one that is there.
--
-- KEYS  1 waiting   2 active   3 sequence
-- ARGV  1 user
--
-- Replies 1 where the place is new, how many are ahead (-1: admitted), how many wait, and when the
-- pass ends, in ms.
local waiting, active, sequence = unpack(KEYS)
local user = ARGV[1]

local ends = redis.call('ZSCORE', active, user)
if ends then
	return {0, -1, redis.call('ZCARD', waiting), ends}
end
local added = 0
if not redis.call('ZSCORE', waiting, user) then
	added = redis.call('ZADD', waiting, 'NX', redis.call('INCR', sequence), user)
end
return {added, redis.call('ZRANK', waiting, user), redis.call('ZCARD', waiting), '0'}
