-- Puts a pass back that Redis has lost with its line. Its signature was checked, and PostgreSQL has said that
-- nothing was bought with it.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 meta   6 standing
-- ARGV  1 run id   2 user   3 nonce   4 expires, ms   5 issued, ms
--
-- Replies 1 where the pass is live, 0 where it has ended, -1 where Redis knows no such line.
--
-- A pass that was issued after the line's epoch began was never lost: it has ended. The number of the place that
-- it was given for is not in a pass: it is taken from a place that its token has put back meanwhile, else it is
-- 0 until that token is seen (poll.lua).
local EPOCH = 137438953472 -- 2^37
local wait, seen, pass, live, meta, standing = unpack(KEYS)
local run, user, nonce, expires = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'run_id', 'adopted_at')
if not known[1] or known[2] ~= run then
	return -1
end
local found = redis.call('HGET', pass, user)
if found then
	return string.match(found, '^(%d+)') == nonce and 1 or 0
end
if not known[3] or tonumber(ARGV[5]) > tonumber(known[3]) or tonumber(expires) <= now then
	return 0
end
local number = tonumber(redis.call('ZSCORE', wait, user))
if number and math.floor(number / EPOCH) == tonumber(known[1]) then
	redis.call('SETBIT', standing, string.format('%.0f', number % EPOCH), 0)
end
redis.call('ZREM', wait, user)
redis.call('ZREM', seen, user)
redis.call('HSET', pass, user,
	nonce .. ':' .. string.format('%.0f', number or 0) .. ':' .. expires .. ':1')
redis.call('ZADD', live, expires, user)
return 1
