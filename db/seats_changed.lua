-- A seat has changed hands: nobody may take the copy any more, nor store one that was read before.
--
-- KEYS  1 copy   2 fence
-- ARGV  1 a new fence   2 its life, ms   3 channel   4 message
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[3], ARGV[4])
