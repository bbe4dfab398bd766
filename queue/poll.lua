-- Where places stand, and the claim of an admission.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 gone   6 meta
-- ARGV  1 run id   2 and on: user, number of the place; user, number …
--       A number with a minus sign: the place may be put back, PostgreSQL does not know it as used.
--
-- Replies how many people wait, or -1 alone where Redis knows no such line; then for each place one of
--   0 or more             waiting: how many are ahead
--   -1                    gone: left, abandoned, used up, or of an older place of this user
--   -2                    a number that this Redis has not given: a new epoch is needed
--   -3, nonce, expires    admitted
--   -4                    lost: of an older epoch, and not known to have ended
local EPOCH = 137438953472 -- 2^37
local GONE, NO_EPOCH, ADMITTED, LOST = -1, -2, -3, -4
local wait, seen, pass, live, gone, meta = unpack(KEYS)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'next', 'run_id')
local epoch, next_number = tonumber(known[1]), tonumber(known[2])
local reply = {0}

local function text(number)
	return string.format('%.0f', number)
end

local function add(value)
	reply[#reply + 1] = value
end

-- A pass that was put back (restore_pass.lua) has number 0 until its place's token is seen.
local function show_pass(user, nonce, of, expires, claimed, number)
	if tonumber(expires) <= now then
		return add(GONE)
	end
	if claimed == '0' or of == '0' then
		redis.call('HSET', pass, user, nonce .. ':' .. text(number) .. ':' .. expires .. ':1')
		redis.call('ZADD', live, expires, user)
	end
	add(ADMITTED)
	add(tonumber(nonce))
	add(tonumber(expires))
end

-- A place that is not here. One of an older epoch was lost, and comes back under its own number, unless it is
-- known to have ended or its user has another. A Redis that was started again may have lost any.
local function look_elsewhere(user, number, has_another, may_return)
	local of_epoch = math.floor(number / EPOCH)
	if of_epoch > epoch or of_epoch == epoch and number % EPOCH > next_number then
		return add(NO_EPOCH)
	end
	local ended = text(number) .. ':' .. user
	if has_another or redis.call('HEXISTS', gone, ended) == 1 then
		return add(GONE)
	end
	if known[3] ~= ARGV[1] then
		return add(NO_EPOCH)
	end
	if of_epoch == epoch then
		return add(GONE)
	end
	if not may_return then
		return add(LOST)
	end
	redis.call('ZADD', wait, text(number), user)
	redis.call('ZADD', seen, text(now), user)
	add(redis.call('ZRANK', wait, user))
end

local function look(user, number, may_return)
	local waits_as = tonumber(redis.call('ZSCORE', wait, user))
	if waits_as == number then
		return add(redis.call('ZRANK', wait, user))
	end
	local found = redis.call('HGET', pass, user)
	if found then
		local nonce, of, expires, claimed = string.match(found, '^(%d+):(%d+):(%d+):(%d)$')
		if of == '0' or tonumber(of) == number then
			return show_pass(user, nonce, of, expires, claimed, number)
		end
	end
	look_elsewhere(user, number, waits_as or found, may_return)
end

if not epoch then
	return {-1}
end
for i = 2, #ARGV, 2 do
	look(ARGV[i], math.abs(tonumber(ARGV[i + 1])), string.sub(ARGV[i + 1], 1, 1) == '-')
end
reply[1] = redis.call('ZCARD', wait)
return reply
