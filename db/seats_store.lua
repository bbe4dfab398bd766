-- Stores a copy, unless a seat has changed since its reader was given the fence, or Redis was emptied.
--
-- KEYS  1 copy   2 fence
-- ARGV  1 the fence   2 letters   3 their life, ms
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
