-- Notes until when live users hold seats; a time that has gone by forgets it.
--
-- KEYS  1 live   2 holding
-- ARGV  for each note: 1 user   2 end of the hold, ms; a user's last note counts
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local users, ends = {}, {}
for i = 1, #ARGV, 2 do
	if not ends[ARGV[i]] then
		users[#users + 1] = ARGV[i]
	end
	ends[ARGV[i]] = ARGV[i + 1]
end

local over, held = {}, {}
for i, live_until in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(users))) do
	local user = users[i]
	if tonumber(ends[user]) <= now then
		over[#over + 1] = user
	elseif live_until then
		held[#held + 1] = ends[user]
		held[#held + 1] = user
	end
end
if #over > 0 then
	redis.call('ZREM', KEYS[2], unpack(over))
end
if #held > 0 then
	redis.call('ZADD', KEYS[2], unpack(held))
end
return 1
