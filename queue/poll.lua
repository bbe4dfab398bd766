-- Where places stand, and the claim of an admission.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 gone   6 meta
-- ARGV  1 run id   2 and on: user, number of the place; user, number …
--       A number with a minus sign: the place may be put back, PostgreSQL does not know it as used.
--
-- Replies how many people wait, or -1 alone where Redis knows no such line; then 1 where the line is still to
-- be shuffled, else 0; then for each place one of
--   0 or more             waiting: how many are ahead
--   -1                    gone: left, abandoned, used up, or of an older place of this user
--   -2                    a number that this Redis has not given: a new epoch is needed
--   -3, nonce, expires    admitted
--   -4                    lost: of an older epoch, and not known to have ended
--   -5                    a place from before the shuffle that Redis has lost: the shuffle's list has its number
--   -6, number            comes first for a token from before the shuffle, which stands for whatever place the
--                         user has: the number that the next token is to say; then one of the above
--
-- A number that the shuffle will change is told as its epoch alone, counter 0.
local EPOCH = 137438953472 -- 2^37
local GONE, NO_EPOCH, ADMITTED, LOST, SHUFFLED, NUMBER = -1, -2, -3, -4, -5, -6
local wait, seen, pass, live, gone, meta = unpack(KEYS)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'next', 'shuffle', 'closed', 'run_id')
local same_run = known[5] == ARGV[1]
local epoch, next_number, shuffle = tonumber(known[1]), tonumber(known[2]), known[3]
local closed = tonumber(known[4]) or math.huge -- the last number that the shuffle changes
local shuffling = shuffle == 'pending' or shuffle == 'closed'
local reply, joined = {0, shuffling and 1 or 0}, 0

local function text(number)
	return string.format('%.0f', number)
end

local function add(value)
	reply[#reply + 1] = value
end

-- A pass that was put back (restore_pass.lua) has number 0 until its place's token is seen.
local function show_pass(user, found, number)
	local nonce, of, expires, claimed = string.match(found, '^(%d+):(%d+):(%d+):(%d)$')
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
	if not same_run then
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

local function told(number)
	if shuffling and number <= closed then
		return math.floor(number / EPOCH) * EPOCH
	end
	return number
end

local function add_number(number)
	add(NUMBER)
	add(number)
end

-- A place from before the shuffle that is not here. Of this epoch it has ended. One of an older epoch was lost:
-- as long as the list is open any number will do, later only the shuffle's own.
local function look_for_entrant(user, number)
	local of_epoch = math.floor(number / EPOCH)
	if of_epoch > epoch or not same_run then
		return add(NO_EPOCH)
	end
	if of_epoch == epoch or not shuffle or redis.call('HEXISTS', gone, '0:' .. user) == 1 then
		return add(GONE)
	end
	if shuffle == 'done' then
		return add(SHUFFLED)
	end
	if shuffle == 'closed' then -- it is in the list, or is not: nobody can tell before it is done
		add_number(number)
		return add(redis.call('ZCARD', wait))
	end
	joined = joined + 1
	redis.call('ZADD', wait, text(epoch * EPOCH + next_number + joined), user)
	redis.call('ZADD', seen, text(now), user)
	add_number(epoch * EPOCH)
	add(redis.call('ZRANK', wait, user))
end

local function look_for_any(user, number)
	local waits_as = tonumber(redis.call('ZSCORE', wait, user))
	if waits_as then
		add_number(told(waits_as))
		return add(redis.call('ZRANK', wait, user))
	end
	local found = redis.call('HGET', pass, user)
	if found then
		local admitted_as = tonumber(string.match(found, '^%d+:(%d+)'))
		add_number(admitted_as)
		return show_pass(user, found, admitted_as)
	end
	look_for_entrant(user, number)
end

local function look(user, number, may_return)
	if number % EPOCH == 0 then
		return look_for_any(user, number)
	end
	local waits_as = tonumber(redis.call('ZSCORE', wait, user))
	if waits_as == number then
		return add(redis.call('ZRANK', wait, user))
	end
	local found = redis.call('HGET', pass, user)
	local admitted_as = found and tonumber(string.match(found, '^%d+:(%d+)'))
	if admitted_as == number or admitted_as == 0 then
		return show_pass(user, found, number)
	end
	look_elsewhere(user, number, waits_as or found, may_return)
end

if not epoch then
	return {-1}
end
for i = 2, #ARGV, 2 do
	look(ARGV[i], math.abs(tonumber(ARGV[i + 1])), string.sub(ARGV[i + 1], 1, 1) == '-')
end
if joined > 0 then
	redis.call('HSET', meta, 'next', text(next_number + joined))
end
reply[1] = redis.call('ZCARD', wait)
return reply
