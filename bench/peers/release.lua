-- Gives locks back, those that are still the owner's.
--
-- KEYS  the locks
-- ARGV  1 owner
local released = 0

for _, key in ipairs(KEYS) do
	if redis.call('GET', key) == ARGV[1] then
		released = released + redis.call('DEL', key)
	end
end
return released
