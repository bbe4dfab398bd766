-- Gives the mutex its whole life again, if it is still this owner's.
--
-- KEYS  1 the mutex
-- ARGV  1 owner   2 life, ms
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
