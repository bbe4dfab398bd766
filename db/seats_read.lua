-- {letters, what is left of their life in ms}, or {fence} where there is no copy: the reader may store one under
-- this fence, unless it has changed by then. A fence is never given twice, so that one which was lost, with
-- all else that Redis held, matches nothing.
--
-- KEYS  1 copy   2 fence
-- ARGV  1 a new fence   2 its life, ms
local letters = redis.call('GET', KEYS[1])
if letters then
	return {letters, redis.call('PTTL', KEYS[1])}
end
local fence = redis.call('GET', KEYS[2])
if not fence then
	fence = ARGV[1]
	redis.call('SET', KEYS[2], fence, 'PX', ARGV[2])
end
return {fence}
