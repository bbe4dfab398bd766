-- One run of admission. Many instances run it, at any time: what it knows of time is in `meta`.
--
-- KEYS  1 wait   2 seen   3 pass   4 live   5 holding   6 gone   7 meta   8 admitted
--       9 standing
-- ARGV  1 '1': may admit   2 seats available   3 capacity   4 admissions a second   5 life of a pass, ms
--       6 time to claim it, ms   7 time after which a place that is not polled is dropped, ms
--       8 a random number: nonces count from there   9 run id   10 '1': a picture of the line is wanted
--
-- Replies -1 alone where Redis knows no such line, or was started again since (join.lua); else 0, people waiting,
-- passes live, admitted now, admitted in all, dropped in all, the time in ms, how far the shuffle is
-- (queue/shuffle.h), places taken in all, passes whose owners hold seats; then, where a picture is wanted and can be had, the epoch, how many places there are of older
-- ones, and the bitmap of the numbers that wait: which byte of it is the first told, and its bytes up to the end.
--
-- meta  epoch, next           of numbers in line (join.lua)
--       rest_until            nobody is admitted before (adopt.lua)
--       run_id, adopted_at    of the Redis that the epoch began in, and when it did, where a line was lost
--       tokens, tokens_at     the rate's bucket: what was in it, and when
--       last_tick             when this ran last
--       abandon_floor         nobody is dropped before
--       admitted_total, abandoned_total, joined_total
--       shuffle               of a line that is shuffled at the opening: pending, closed, done; nobody is
--                             admitted before it is done
--       closed                the last number that the shuffle changes (close.lua)
--       shown                 the last of its numbers that the bitmap shows
local EPOCH = 137438953472 -- 2^37
local BITE = 1000 -- of each kind of work, at most so much a run
local STREAM_MAX = 200000
local PICTURE_MAX = 1048576 -- bytes; of a longer line there is none
local wait, seen, pass, live, holding, gone, meta, admitted, standing = unpack(KEYS)
local may_admit, seats, capacity = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local per_second, pass_ttl, claim_within = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local abandon_after, last_nonce = tonumber(ARGV[7]), tonumber(ARGV[8])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', meta, 'epoch', 'rest_until', 'tokens', 'tokens_at', 'last_tick',
	'abandon_floor', 'admitted_total', 'abandoned_total', 'shuffle', 'closed', 'run_id', 'next',
	'shown', 'joined_total')
local epoch, rest_until = tonumber(known[1]), tonumber(known[2]) or 0
local tokens, tokens_at = tonumber(known[3]), tonumber(known[4]) or now
local last_tick, abandon_floor = tonumber(known[5]), tonumber(known[6]) or 0
local admitted_total, abandoned_total = tonumber(known[7]) or 0, tonumber(known[8]) or 0
local shuffle, closed = known[9], tonumber(known[10]) or math.huge
local shuffling = shuffle == 'pending' or shuffle == 'closed'
local SHUFFLE_STATES = {pending = 1, closed = 2, done = 3}
local joined_total = tonumber(known[14]) or 0
local next_number, shown = tonumber(known[12]), tonumber(known[13]) or 0
local admitted_now = 0

local function text(number)
	return string.format('%.0f', number)
end

-- A number of an older epoch would be put back by its token, were it not known to have ended; one from before
-- the shuffle has a token that says no number.
local function note_gone(user, number)
	if number and shuffling and number <= closed then
		if epoch > 1 then
			redis.call('HSET', gone, '0:' .. user, 1)
		end
	elseif number and math.floor(number / EPOCH) < epoch then
		redis.call('HSET', gone, text(number) .. ':' .. user, 1)
	end
end

-- What the bitmap is to show of these numbers; those of older epochs are not in it.
local function show(numbers, bit)
	local bits = {}
	for _, number in ipairs(numbers) do
		if math.floor(number / EPOCH) == epoch then
			bits[#bits + 1] = 'SET'
			bits[#bits + 1] = 'u1'
			bits[#bits + 1] = text(number % EPOCH)
			bits[#bits + 1] = bit
		end
	end
	if #bits > 0 then
		redis.call('BITFIELD', standing, unpack(bits))
	end
end

-- Ends passes that have expired, and admissions that nobody has claimed in time.
local function drop_lapsed()
	local users = redis.call('ZRANGEBYSCORE', live, '-inf', text(now), 'LIMIT', 0, BITE)
	if #users == 0 then
		return
	end
	for i, found in ipairs(redis.call('HMGET', pass, unpack(users))) do
		note_gone(users[i], found and tonumber(string.match(found, '^%d+:(%d+)')))
	end
	redis.call('HDEL', pass, unpack(users))
	redis.call('ZREM', live, unpack(users))
	redis.call('ZREM', holding, unpack(users))
end

local function drop_places(users)
	if #users == 0 then
		return
	end
	local numbers = {}
	for i, found in ipairs(redis.call('ZMSCORE', wait, unpack(users))) do
		local number = tonumber(found)
		note_gone(users[i], number)
		numbers[#numbers + 1] = number
	end
	show(numbers, 0)
	redis.call('ZREM', seen, unpack(users))
	abandoned_total = abandoned_total + redis.call('ZREM', wait, unpack(users))
end

-- Nobody is dropped for an outage of ours: after a gap in the ticks everybody has the whole time again.
local function move_floor()
	local gap = math.max(2000, math.min(5000, abandon_after / 2))
	if not last_tick or math.abs(now - last_tick) > gap then
		abandon_floor = now + abandon_after
	end
end

local function drop_abandoned()
	if now >= abandon_floor then
		drop_places(redis.call('ZRANGEBYSCORE', seen, '-inf', text(now - abandon_after), 'LIMIT', 0, BITE))
	end
end

local function fill_bucket()
	local most = math.max(1, per_second)
	local passed = math.max(0, now - tokens_at)
	tokens = math.min(most, (tokens or most) + passed * per_second / 1000)
end

-- How many may go in: what capacity, rate and seats leave. Who is live and holds seats wants no more.
local function room()
	if not may_admit or shuffling or now < rest_until or per_second <= 0 then
		return 0
	end
	local in_use = redis.call('ZCARD', live)
	local wanting = in_use - redis.call('ZCARD', holding)
	return math.min(BITE, capacity - in_use, math.floor(tokens), seats - wanting)
end

local function admit(heads)
	local users, numbers, passes, slots = {}, {}, {}, {}
	local in_use = redis.call('ZCARD', live)
	local expires = now + pass_ttl
	local claim_until = math.min(expires, now + claim_within)
	for i, head in ipairs(heads) do
		last_nonce = last_nonce + 1
		users[i] = head.user
		numbers[i] = tonumber(head.number)
		passes[2 * i - 1] = head.user
		passes[2 * i] = string.format('%.0f:%s:%.0f:0', last_nonce, head.number, expires)
		slots[2 * i - 1] = text(claim_until)
		slots[2 * i] = head.user
		redis.call('XADD', admitted, 'MAXLEN', '~', STREAM_MAX, '*', 'user', head.user, 'number',
			head.number, 'live', in_use + i, 'capacity', text(capacity), 'at', text(now))
	end
	redis.call('ZREM', wait, unpack(users))
	redis.call('ZREM', seen, unpack(users))
	show(numbers, 0)
	redis.call('HSET', pass, unpack(passes))
	redis.call('ZADD', live, unpack(slots))
	admitted_now = admitted_now + #users
end

-- The first `count` of the line, apart into who is there and who has not been seen for too long.
local function look_at_heads(count)
	local range = redis.call('ZRANGE', wait, 0, count - 1, 'WITHSCORES')
	local heads, present, absent = {}, {}, {}
	for i = 1, #range, 2 do
		heads[#heads + 1] = range[i]
	end
	if #heads == 0 then
		return present, absent
	end
	for i, at in ipairs(redis.call('ZMSCORE', seen, unpack(heads))) do
		if now >= abandon_floor and (tonumber(at) or 0) <= now - abandon_after then
			absent[#absent + 1] = heads[i]
		else
			present[#present + 1] = {user = heads[i], number = text(tonumber(range[2 * i]))}
		end
	end
	return present, absent
end

local function admit_from_head()
	local left, looked_at = room(), 0
	while left > 0 and looked_at < BITE do
		local present, absent = look_at_heads(math.min(left, BITE - looked_at))
		if #present + #absent == 0 then
			return
		end
		drop_places(absent)
		if #present > 0 then
			admit(present)
		end
		looked_at = looked_at + #present + #absent
		left = left - #present
	end
end

-- Entrants of a shuffle show once it is done: until then a number may stand for two of them.
local function show_entrants()
	local from = math.max(shown, epoch * EPOCH)
	if shuffle ~= 'done' or not known[10] or from >= closed then
		return
	end
	local range = redis.call('ZRANGEBYSCORE', wait, '(' .. text(from), text(closed), 'WITHSCORES', 'LIMIT', 0,
		BITE)
	local numbers = {}
	for i = 2, #range, 2 do
		numbers[#numbers + 1] = tonumber(range[i])
	end
	show(numbers, 1)
	shown = #numbers == BITE and numbers[BITE] or closed
	redis.call('HSET', meta, 'shown', text(shown))
end

local function add_picture(reply)
	if ARGV[10] ~= '1' or shuffling or shuffle == 'done' and known[10] and shown < closed
		and closed > epoch * EPOCH then
		return reply
	end
	local first = text(epoch * EPOCH)
	local head = redis.call('ZRANGEBYSCORE', wait, first, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
	local first_byte = math.floor((tonumber(head[2]) or 0) % EPOCH / 8)
	if head[2] and next_number / 8 - first_byte <= PICTURE_MAX then
		reply[11] = epoch
		reply[12] = redis.call('ZCOUNT', wait, '-inf', '(' .. first)
		reply[13] = first_byte
		reply[14] = redis.call('GETRANGE', standing, text(first_byte), -1)
	end
	return reply
end

if not epoch or known[11] ~= ARGV[9] then
	return {-1}
end
drop_lapsed()
redis.call('ZREMRANGEBYSCORE', holding, '-inf', text(now))
move_floor()
drop_abandoned()
show_entrants()
fill_bucket()
admit_from_head()
redis.call('HSET', meta, 'tokens', string.format('%.17g', tokens - admitted_now), 'tokens_at', text(now),
	'last_tick', text(now), 'abandon_floor', text(abandon_floor),
	'admitted_total', text(admitted_total + admitted_now), 'abandoned_total', text(abandoned_total))
return add_picture({0, redis.call('ZCARD', wait), redis.call('ZCARD', live), admitted_now,
	admitted_total + admitted_now, abandoned_total, now, shuffle and SHUFFLE_STATES[shuffle] or 0, joined_total,
	redis.call('ZCARD', holding)})
