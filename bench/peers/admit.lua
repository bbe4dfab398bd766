-- Admits the first of the line, as many as there is room for. Every worker runs it each 100 ms.
--
-- KEYS  1 waiting   2 active
-- ARGV  1 now, ms   2 capacity   3 life of a pass, ms   4 at most
local waiting, active = unpack(KEYS)
local now, capacity, ttl, most = unpack(ARGV)

redis.call('ZREMRANGEBYSCORE', active, '-inf', now)
local room = math.min(capacity - redis.call('ZCARD', active), most)
if room <= 0 then
	return 0
end
local people = redis.call('ZPOPMIN', waiting, room)
for i = 1, #people, 2 do
	redis.call('ZADD', active, now + ttl, people[i])
end
return #people / 2
