-- Takes all seats of a request or none, and judges in this order: the key, the pass, the seats. A request whose
-- seats PostgreSQL will choose names none.
--
-- KEYS  1 meta   2 record of the idempotency key   3 passes
-- ARGV  1 prefix of the locks   2 owner   3 life of a lock, ms   4 body digest   5 request id
--       6 user   7 pass: '' none is asked for, '-' a bad one, else its nonce
--       8 '1': may wait for seats that are being locked   9 '1': the key is new, PostgreSQL said so
--       10 the seats' judge: '' is this script; 'ask': others have the locks and were not asked yet, so that all but
--       the seats is judged and nothing written; 'taken': they have said that the seats named are
--       11 and on: seats, or none
--
-- The locks' own keys are built here, since the generation is only known here. They carry the event's
-- hash tag, as KEYS do, so that a Redis Cluster has them all in this one slot.
--
-- A record is 'P' (whatever comes under the key is PostgreSQL's) or a refusal,
-- 'R:<generation>:<body digest>:<seat>,<seat>…:<request id>'; the request id is last, where nothing in it
-- can be taken for another part.
local KEPT_MS = 86400000
local FIRST_SEAT = 11
local owner, user, nonce = ARGV[2], ARGV[6], ARGV[7]
local may_wait, key_is_new, judge = ARGV[8] == '1', ARGV[9] == '1', ARGV[10]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', KEYS[1], 'lock_generation', 'keys_since')
local generation, keys_since = meta[1] or '0', tonumber(meta[2] or nil)

-- A key that Redis does not know may still be known to PostgreSQL. (keys_since 0: it knows them all, ever.)
local function may_miss_the_key()
	return not key_is_new and (not keys_since or now - keys_since < KEPT_MS)
end

local function pass_is_live()
	if nonce == '' then
		return true
	end
	local pass = redis.call('HGET', KEYS[3], user)
	if not pass then
		return false
	end
	local live_nonce, expires = string.match(pass, '^(%d+):%d+:(%d+)')
	return live_nonce == nonce and tonumber(expires) > now
end

-- The first refusal again. One from before an outage may have been written by a request that had
-- stopped waiting for Redis and was then answered by PostgreSQL, which is asked first.
local function judge_known(record)
	local refused_in, body, seats, request_id = string.match(record, '^R:(%d+):(%x+):([%d,]+):(.*)$')
	if not body then
		return {'known'}
	end
	if refused_in ~= generation and not key_is_new then
		return {'look_up'}
	end
	local reply = {'replay', body, request_id}
	for seat in string.gmatch(seats, '%d+') do
		reply[#reply + 1] = seat
	end
	return reply
end

local record = redis.call('GET', KEYS[2])
if record then
	return judge_known(record)
end

if not pass_is_live() then
	return {may_miss_the_key() and 'look_up' or 'no_pass'}
end

if judge == 'ask' then
	return {'others'}
end

local locks, taken, locking = {}, {}, 0
for i = FIRST_SEAT, #ARGV do
	if judge == 'taken' then
		taken[#taken + 1] = ARGV[i]
	else
		locks[#locks + 1] = ARGV[1] .. generation .. ':' .. ARGV[i]
	end
end
for i, marker in ipairs(#locks > 0 and redis.call('MGET', unpack(locks)) or {}) do
	if marker and string.sub(marker, 1, #owner + 1) ~= owner .. ':' then
		taken[#taken + 1] = ARGV[FIRST_SEAT + i - 1]
		locking = locking + (string.sub(marker, -2) == ':L' and 1 or 0)
	end
end

if #taken == 0 then
	redis.call('SET', KEYS[2], 'P', 'PX', KEPT_MS)
	for _, lock in ipairs(locks) do
		redis.call('SET', lock, owner .. ':L', 'PX', ARGV[3])
	end
	return {'ours'}
end
if may_wait and locking == #taken then
	return {'wait'}
end
if may_miss_the_key() then
	return {'look_up'}
end
local refusal = {'R', generation, ARGV[4], table.concat(taken, ','), ARGV[5]}
redis.call('SET', KEYS[2], table.concat(refusal, ':'), 'PX', KEPT_MS)
return {'taken', unpack(taken)}
