-- Takes places for users: one each, found again where there is one already.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 holding   6 gone   7 meta   8 standing
-- ARGV  1 run id   2 and on: users
--
-- Replies how many people wait, or -1 alone where Redis knows no such line, or has been started again since and
-- may have lost the end of it; then 1 where the line is still to be shuffled, else 0; then for each user
--   0, number, ahead             the place that was there
--   1, number, ahead             a new place
--   2, number, nonce, expires    the pass that was there
--
-- A number that the shuffle will change is told as its epoch alone, counter 0.
local EPOCH = 137438953472 -- 2^37
local THERE, NEW, ADMITTED = 0, 1, 2
local wait, seen, pass, live, holding, gone, meta, standing = unpack(KEYS)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'next', 'shuffle', 'closed', 'run_id', 'joined_total')
local epoch, next_number, shuffle = tonumber(known[1]), tonumber(known[2]), known[3]
local closed = tonumber(known[4]) or math.huge -- the last number that the shuffle changes
local shuffling = shuffle == 'pending' or shuffle == 'closed'
local reply, joined = {0, shuffling and 1 or 0}, 0

local function text(number)
	return string.format('%.0f', number)
end

local function told(number)
	if shuffling and number <= closed then
		return math.floor(number / EPOCH) * EPOCH
	end
	return number
end

local function add(...)
	for _, value in ipairs({...}) do
		reply[#reply + 1] = value
	end
end

-- Joining is a sign of life: it claims an admission, as a poll does. A pass that has lapsed, and that no
-- tick has cleared away yet, is ended here.
local function find_pass(user)
	local found = redis.call('HGET', pass, user)
	if not found then
		return false
	end
	local nonce, number, expires, claimed = string.match(found, '^(%d+):(%d+):(%d+):(%d)$')
	local slot_until = redis.call('ZSCORE', live, user)
	if not slot_until or tonumber(slot_until) <= now or tonumber(expires) <= now then
		redis.call('HDEL', pass, user)
		redis.call('ZREM', live, user)
		redis.call('ZREM', holding, user)
		return false
	end
	if claimed == '0' then
		redis.call('HSET', pass, user, nonce .. ':' .. number .. ':' .. expires .. ':1')
		redis.call('ZADD', live, expires, user)
	end
	add(ADMITTED, tonumber(number), tonumber(nonce), tonumber(expires))
	return true
end

local function take_place(user)
	local number = tonumber(redis.call('ZSCORE', wait, user))
	local kind = THERE
	if not number then
		joined = joined + 1
		number = epoch * EPOCH + next_number + joined
		redis.call('ZADD', wait, text(number), user)
		kind = NEW
		if shuffling then
			redis.call('HDEL', gone, '0:' .. user)
		end
	end
	redis.call('ZADD', seen, text(now), user)
	add(kind, told(number), redis.call('ZRANK', wait, user))
end

-- New places show in the bitmap, but for those that the shuffle will give other numbers.
local function show_joined()
	if shuffling and epoch * EPOCH + next_number < closed then
		return
	end
	local bits = {}
	for counter = next_number + 1, next_number + joined do
		bits[#bits + 1] = 'SET'
		bits[#bits + 1] = 'u1'
		bits[#bits + 1] = text(counter)
		bits[#bits + 1] = 1
	end
	redis.call('BITFIELD', standing, unpack(bits))
end

if not epoch or known[5] ~= ARGV[1] then
	return {-1}
end
for i = 2, #ARGV do
	if not find_pass(ARGV[i]) then
		take_place(ARGV[i])
	end
end
if joined > 0 then
	redis.call('HSET', meta, 'next', text(next_number + joined), 'joined_total',
		text((tonumber(known[6]) or 0) + joined))
	show_joined()
end
reply[1] = redis.call('ZCARD', wait)
return reply
