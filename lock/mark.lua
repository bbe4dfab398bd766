-- Changes the markers of seats, for one owner after the other.
--
-- KEYS  1 meta
-- ARGV  1 prefix of the event's keys   2 '1': the records of idempotency keys are in this Redis; then for each owner
--         1 owner   2 state   3 life, ms   4 number of seats   5 and on: seats
--       States: H  held: what is his own, nobody's, or just being locked by somebody else, whom PostgreSQL will refuse
--               S  sold: what is his own or nobody's
--               L  being decided: what is that already, and his own, has its whole life again
--               '' free: what is his own, and what says sold in nobody's name ('-:S'): whoever frees a seat was the
--                  last to know who had it
--
-- The keys of records and locks carry the event's hash tag, as KEYS do: one slot of a Redis Cluster.
-- A hold is PostgreSQL's answer to its key, whatever a late script may have written there.
local RECORD_MS = 86400000 + 60000
local FIRST_OWNER, FIRST_SEAT = 3, 4
local prefix, has_records = ARGV[1], ARGV[2] == '1'
local generation = redis.call('HGET', KEYS[1], 'lock_generation') or '0'
local lock_prefix = prefix .. 'lock:' .. generation .. ':'

-- --- what is said, and what stands there, in one read for all owners

local owners, names = {}, {}
local at = FIRST_OWNER
while ARGV[at] do
	local owner = {name = ARGV[at], state = ARGV[at + 1], life_ms = ARGV[at + 2], locks = {}}
	local last = at + FIRST_SEAT + ARGV[at + 3] - 1

	for i = at + FIRST_SEAT, last do
		owner.locks[#owner.locks + 1] = lock_prefix .. ARGV[i]
		names[#names + 1] = owner.locks[#owner.locks]
	end
	if owner.state == 'H' and has_records then
		owner.record = prefix .. 'idem:' .. owner.name
		names[#names + 1] = owner.record
	end
	owners[#owners + 1] = owner
	at = last + 1
end

local known = {}
for i, value in ipairs(#names > 0 and redis.call('MGET', unpack(names)) or {}) do
	known[names[i]] = value
end

-- --- an owner

local function owned(marker, owner)
	return marker and string.sub(marker, 1, #owner + 1) == owner .. ':'
end

local may = {
	H = function(marker, owner)
		return not marker or owned(marker, owner) or string.sub(marker, -2) == ':L'
	end,
	S = function(marker, owner)
		return not marker or owned(marker, owner)
	end,
	L = function(marker, owner)
		return marker == owner .. ':L'
	end,
	[''] = function(marker, owner)
		return owned(marker, owner) or marker == '-:S'
	end,
}

-- What comes after it in this call finds it so.
local function change(lock, owner)
	if owner.state == '' then
		redis.call('DEL', lock)
		known[lock] = false
	else
		known[lock] = owner.name .. ':' .. owner.state
		redis.call('SET', lock, known[lock], 'PX', owner.life_ms)
	end
end

for _, owner in ipairs(owners) do
	if owner.record and known[owner.record] ~= 'P' then
		redis.call('SET', owner.record, 'P', 'PX', RECORD_MS)
	end
	for _, lock in ipairs(owner.locks) do
		if may[owner.state](known[lock], owner.name) then
			change(lock, owner)
		end
	end
end
return 1
