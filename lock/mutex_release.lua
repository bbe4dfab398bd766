-- Frees the mutex, if it is still this owner's.
--
-- KEYS  1 the mutex
-- ARGV  1 owner
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('DEL', KEYS[1])
