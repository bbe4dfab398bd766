-- Judges requests in the order in which they came: takes all seats of each, or none. Of each it judges, in this order:
-- the key, the pass, the seats. A request whose seats PostgreSQL will choose names none.
--
-- KEYS  1 meta   2 passes
-- ARGV  1 prefix of the event's keys   2 life of a lock, ms; then for each request
--         1 owner   2 body digest   3 request id   4 user
--         5 pass: '' none is asked for, '-' a bad one, else its nonce
--         6 how it is judged: letters of WAIT to TAKEN   7 number of seats   8 and on: seats
--
-- Replies a verdict for each: a word, or a list that begins with it.
--
-- The keys of records and locks are built here, as the generation is only known here. They carry the event's hash tag,
-- as KEYS do, so that a Redis Cluster has them all in this one slot.
--
-- A record is 'P' (whatever comes under the key is PostgreSQL's) or a refusal,
-- 'R:<generation>:<body digest>:<seat>,<seat>…:<request id>'; the request id is last, where nothing in it
-- can be taken for another part.
local WAIT = 'w' -- it may wait for seats that are being locked
local NEW = 'n' -- the key is new, PostgreSQL said so
local ASK = 'a' -- others have the locks and were not asked yet: all but the seats is judged, nothing is written
local TAKEN = 't' -- they have said that the seats named are taken
local KEPT_MS = 86400000
local RECORD_MS = KEPT_MS + 60000 -- longer than PostgreSQL's own, which is written after it
local FIRST_REQUEST, FIRST_SEAT = 3, 7
local prefix, locking_ms = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', KEYS[1], 'lock_generation', 'keys_since')
local generation, keys_since = meta[1] or '0', tonumber(meta[2] or nil)
local lock_prefix = prefix .. 'lock:' .. generation .. ':'

-- A key that Redis does not know may still be known to PostgreSQL. (keys_since 0: it knows them all, ever.)
local may_miss_keys = not keys_since or now - keys_since < KEPT_MS

-- --- what is asked for, and what Redis knows of it, in two reads for all requests

local requests, names, users = {}, {}, {}
local at = FIRST_REQUEST
while ARGV[at] do
	local how = ARGV[at + 5]
	local request = {owner = ARGV[at], body = ARGV[at + 1], id = ARGV[at + 2], user = ARGV[at + 3],
		nonce = ARGV[at + 4], record = prefix .. 'idem:' .. ARGV[at], seats = {}, locks = {}}

	if how ~= '' then
		request.may_wait, request.key_is_new = string.find(how, WAIT), string.find(how, NEW)
		request.ask, request.taken = string.find(how, ASK), string.find(how, TAKEN)
	end
	for i = at + FIRST_SEAT, at + FIRST_SEAT + ARGV[at + 6] - 1 do
		request.seats[#request.seats + 1] = ARGV[i]
		if not request.taken then
			local lock = lock_prefix .. ARGV[i]
			request.locks[#request.locks + 1] = lock
			names[#names + 1] = lock
		end
	end
	names[#names + 1] = request.record
	users[#users + 1] = request.user
	requests[#requests + 1] = request
	at = at + FIRST_SEAT + ARGV[at + 6]
end

local known, passes = {}, {}
for i, value in ipairs(redis.call('MGET', unpack(names))) do
	known[names[i]] = value
end
for i, value in ipairs(redis.call('HMGET', KEYS[2], unpack(users))) do
	passes[users[i]] = value
end

-- The next request of this call finds it so.
local function set(name, value, life_ms)
	redis.call('SET', name, value, 'PX', life_ms)
	known[name] = value
end

-- --- a request

local function pass_is_live(request)
	if request.nonce == '' then
		return true
	end
	local pass = passes[request.user]
	if not pass then
		return false
	end
	local nonce, expires = string.match(pass, '^(%d+):%d+:(%d+)')
	return nonce == request.nonce and tonumber(expires) > now
end

-- The first refusal again. One from before an outage may have been written by a request that had
-- stopped waiting for Redis and was then answered by PostgreSQL, which is asked first.
local function judge_known(request, record)
	local refused_in, body, seats, request_id = string.match(record, '^R:(%d+):(%x+):([%d,]+):(.*)$')
	if not body then
		return 'known'
	end
	if refused_in ~= generation and not request.key_is_new then
		return 'look_up'
	end
	local reply = {'replay', body, request_id}
	for seat in string.gmatch(seats, '%d+') do
		reply[#reply + 1] = seat
	end
	return reply
end

-- The seats that somebody else has, and how many of these are still being locked.
local function taken_seats(request)
	if request.taken then
		return request.seats, 0
	end
	local mine, taken, locking = request.owner .. ':', {}, 0
	for i, lock in ipairs(request.locks) do
		local marker = known[lock]
		if marker and string.sub(marker, 1, #mine) ~= mine then
			taken[#taken + 1] = request.seats[i]
			locking = locking + (string.sub(marker, -2) == ':L' and 1 or 0)
		end
	end
	return taken, locking
end

local function judge(request)
	local may_miss_the_key = may_miss_keys and not request.key_is_new
	if known[request.record] then
		return judge_known(request, known[request.record])
	end
	if not pass_is_live(request) then
		return may_miss_the_key and 'look_up' or 'no_pass'
	end
	if request.ask then
		return 'others'
	end
	local taken, locking = taken_seats(request)
	if #taken == 0 then
		set(request.record, 'P', RECORD_MS)
		for _, lock in ipairs(request.locks) do
			set(lock, request.owner .. ':L', locking_ms)
		end
		return 'ours'
	end
	if request.may_wait and locking == #taken then
		return 'wait'
	end
	if may_miss_the_key then
		return 'look_up'
	end
	local refusal = {'R', generation, request.body, table.concat(taken, ','), request.id}
	set(request.record, table.concat(refusal, ':'), RECORD_MS)
	return {'taken', unpack(taken)}
end

local verdicts = {}
for i, request in ipairs(requests) do
	verdicts[i] = judge(request)
end
return verdicts
