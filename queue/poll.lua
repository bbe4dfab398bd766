-- Where places stand, and the claim of an admission.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 gone   6 meta
-- ARGV  user, number of the place; user, number …
--
-- Replies how many people wait, or -1 alone where Redis knows no such line; then for each place one of
--   0 or more             waiting: how many are ahead
--   -1                    gone: left, abandoned, used up, or of an older place of this user
--   -2                    a number that this Redis has not given: a new epoch is needed
--   -3, nonce, expires    admitted
local EPOCH = 137438953472 -- 2^37
local GONE, NO_EPOCH, ADMITTED = -1, -2, -3
local wait, seen, pass, live, gone, meta = unpack(KEYS)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'next')
local epoch, next_number = tonumber(known[1]), tonumber(known[2])
local reply = {0}

local function text(number)
	return string.format('%.0f', number)
end

local function add(value)
	reply[#reply + 1] = value
end

local function show_pass(user, found, number)
	local nonce, of, expires, claimed = string.match(found, '^(%d+):(%d+):(%d+):(%d)$')
	if tonumber(of) ~= number or tonumber(expires) <= now then
		return add(GONE)
	end
	if claimed == '0' then
		redis.call('HSET', pass, user, nonce .. ':' .. of .. ':' .. expires .. ':1')
		redis.call('ZADD', live, expires, user)
	end
	add(ADMITTED)
	add(tonumber(nonce))
	add(tonumber(expires))
end

-- A place that is not here. One of an older epoch was lost, and comes back under its own number, unless
-- it is known to have ended or its user has another.
local function look_elsewhere(user, number, has_another)
	local of_epoch = math.floor(number / EPOCH)
	if of_epoch > epoch or of_epoch == epoch and number % EPOCH > next_number then
		return add(NO_EPOCH)
	end
	local ended = text(number) .. ':' .. user
	if of_epoch == epoch or has_another or redis.call('HEXISTS', gone, ended) == 1 then
		return add(GONE)
	end
	redis.call('ZADD', wait, text(number), user)
	redis.call('ZADD', seen, text(now), user)
	add(redis.call('ZRANK', wait, user))
end

local function look(user, number)
	local waits_as = tonumber(redis.call('ZSCORE', wait, user))
	if waits_as == number then
		return add(redis.call('ZRANK', wait, user))
	end
	local found = redis.call('HGET', pass, user)
	if found and tonumber(string.match(found, '^%d+:(%d+)')) == number then
		return show_pass(user, found, number)
	end
	look_elsewhere(user, number, waits_as or found)
end

if not epoch then
	return {-1}
end
for i = 1, #ARGV, 2 do
	look(ARGV[i], tonumber(ARGV[i + 1]))
end
reply[1] = redis.call('ZCARD', wait)
return reply
